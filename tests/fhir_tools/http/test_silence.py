"""Log lines of the HTTP libraries: none during a call of ours, all others as ever."""

from __future__ import annotations

import asyncio
import logging

import pytest

from fhir_tools.http.silence import silence


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "httpcore.connection", "httpcore.proxy"])
def test_lines_are_dropped_inside_alone(name: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(name)
    with caplog.at_level(logging.DEBUG):
        with silence():
            logger.error("inside")
            with silence():
                logger.info("inside")
            logger.debug("inside")
            logging.getLogger("chartline").info("ours")
        logger.info("outside")
    assert [r.message for r in caplog.records if r.name != "asyncio"] == ["ours", "outside"]


async def test_other_tasks_go_on_logging(caplog: pytest.LogCaptureFixture) -> None:
    async def other() -> None:
        await asyncio.sleep(0.01)
        logging.getLogger("httpx").info("other")

    with caplog.at_level(logging.INFO):
        task = asyncio.create_task(other())
        with silence():
            await task
    assert "other" in caplog.text
