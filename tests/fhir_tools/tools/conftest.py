"""The demo charts, opened once for the tests of the tools."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from tests.agent.asking import demo_charts


@pytest.fixture(scope="session")
def charts() -> dict[str, Chart]:
    """The demo charts by the first letter of the given name."""
    return demo_charts()
