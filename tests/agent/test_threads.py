"""Where conversations are kept: a file that several share, PostgreSQL, and what is told where neither works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.errors import OperatorError, SettingsError, UserError
from agent.graph import Given, stream, threaded
from agent.settings import Settings
from agent.threads import open_threads
from agent.types import Answer
from tests.agent.test_graph import House
from tools.peers.postgres import Postgres
from tools.peers.running import free_port


async def ask(
    settings: Settings, house: House, question: str, thread: str, run: str = "", patient: str = "p"
) -> Answer:
    async with open_threads(settings) as saver:
        given = Given(question=question, patient=patient, run=run)
        seen = [event async for event in stream(threaded(house.stages(), saver), given, thread)]
    assert isinstance(seen[-1], Answer)
    return seen[-1]


async def _several(settings: Settings) -> None:
    """Several open a database that is not there yet at once, and each has its own thread."""
    houses = [House() for _ in range(6)]
    for question in ("first?", "second?"):
        await asyncio.gather(*(ask(settings, house, question, f"t{n}") for n, house in enumerate(houses)))
    assert [[turn.question for turn in house.histories[1]] for house in houses] == [["first?"]] * 6
    assert await ask(settings, houses[0], "third?", "t0", "r1") == await ask(settings, houses[0], "third?", "t0", "r1")
    with pytest.raises(UserError, match="another patient"):
        await ask(settings, House(), "q?", "t0", patient="other")
    async with open_threads(settings) as saver:
        planted = saver.serde.dumps_typed(House())
        assert not isinstance(saver.serde.loads_typed(planted), House)


async def test_several_share_a_file(tmp_path: Path) -> None:
    await _several(Settings(threads=tmp_path / "t.sqlite"))


@pytest.mark.loopback
@pytest.mark.slow
async def test_several_share_postgres(postgres_server: Postgres) -> None:
    address = postgres_server.database()
    await _several(Settings(database=address))
    await ask(Settings(database=address.replace("postgresql://", "postgresql+psycopg://")), House(), "q?", "t9")


@pytest.mark.parametrize("address", ["mysql://u:SECRET@h/d", "postgresql://u:SECRET@h:port/d", "SECRET"])
async def test_what_is_no_address_is_told_without_it(address: str) -> None:
    with pytest.raises(SettingsError, match="CHARTLINE_DATABASE") as told:
        async with open_threads(Settings(database=address)):
            pass
    assert "SECRET" not in str(told.value)


@pytest.mark.loopback
async def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.threads._REACH", 0.3)
    with pytest.raises(OperatorError, match="CHARTLINE_DATABASE cannot be used") as told:
        async with open_threads(Settings(database=f"postgresql://u:SECRET@127.0.0.1:{free_port()}/d")):
            pass
    assert "SECRET" not in str(told.value)
