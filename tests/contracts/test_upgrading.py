"""The state of an older chartline is brought up to date once, as a whole or not at all; that of a newer is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from agent import threads
from agent.errors import OperatorError
from agent.service import app, upgrading  # the app has the tables of all rooms
from agent.service.database import METADATA, _engine, _file, open_database, postgres
from agent.settings import Settings
from agent.threads import open_threads
from fhir_tools.journal import make_file
from tests.agent.service.conftest import settings_in
from tests.contracts.conftest import CHARTS
from tools.peers.postgres import Postgres

pytestmark = pytest.mark.loopback
assert app and CHARTS

FIRST = Path(__file__).parents[1] / "agent" / "service" / "state"
"""The tables as chartline made them before there were versions, by the kind of database. Never changed."""
STEPS = (
    ("runs", "ALTER TABLE runs ADD COLUMN note TEXT"),
    ("runs", "UPDATE runs SET note = question"),
    ("absent", "ALTER TABLE absent ADD COLUMN note TEXT"),
)
BAD = ("runs", "ALTER TABLE nowhere ADD COLUMN note TEXT")


@asynccontextmanager
async def plain(state: Settings) -> AsyncIterator[AsyncEngine]:
    """The database as it is."""
    url = postgres(state)
    if not url:
        make_file(state.service_state)
    engine = _engine(url) if url else _file(state.service_state)
    try:
        yield engine
    finally:
        await engine.dispose()


def shape(connection: Connection) -> dict[str, Any]:
    """The tables with their columns, keys and indexes."""
    found = inspect(connection)
    return {
        table: {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                str((k["constrained_columns"], k["referred_table"])) for k in found.get_foreign_keys(table)
            ),
            "indexes": sorted((str(i["name"]), i["column_names"], bool(i["unique"])) for i in found.get_indexes(table)),
        }
        for table in sorted(found.get_table_names())
    }


async def shape_of(state: Settings) -> dict[str, Any]:
    async with plain(state) as engine, engine.connect() as connection:
        return await connection.run_sync(shape)


async def version_of(state: Settings) -> int:
    async with plain(state) as engine, engine.connect() as connection:
        return int((await connection.execute(text("SELECT version FROM state_version"))).scalar_one())


async def opens(state: Settings) -> None:
    async with open_database(state):
        pass


@pytest.fixture
async def first(state: Settings) -> Settings:
    """A state that was made before there were versions, with a question in it."""
    async with plain(state) as engine, engine.begin() as connection:
        for statement in (FIRST / f"{engine.dialect.name}.sql").read_text().split(";\n"):
            await connection.execute(text(statement)) if statement.strip() else None
        await connection.execute(
            text(
                "INSERT INTO runs (id, owner, caller, patient, question, as_of, digest, state, holder, tries, asked)"
                " VALUES ('r', 'ada', '{}', 'p', 'last A1c?', '2026-06-15', '', 'failed', '', 1, 0)"
            )
        )
    return state


async def test_a_state_of_before_versions_is_as_one_that_is_made_now(first: Settings) -> None:
    """Who changes a table and gives no step for it fails here."""
    await opens(first)
    upgraded = await shape_of(first)
    async with plain(first) as engine, engine.begin() as connection:
        assert (await connection.execute(text("SELECT question FROM runs"))).scalars().all() == ["last A1c?"]
        await connection.run_sync(METADATA.drop_all)
        await connection.execute(text("DROP TABLE state_version"))
    await opens(first)
    assert upgraded == await shape_of(first)
    assert {"runs", "threads", "jobs", "access_sessions", "cds_shown"} < upgraded.keys()
    assert await version_of(first) == len(upgrading.STEPS)


async def test_many_that_start_at_once_upgrade_once(first: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrading, "STEPS", STEPS)
    await asyncio.gather(*(opens(first) for _ in range(8)))
    async with plain(first) as engine, engine.connect() as connection:
        assert (await connection.execute(text("SELECT id, note FROM runs"))).all() == [("r", "last A1c?")]
    assert await version_of(first) == 3
    await opens(first)


async def test_many_that_start_at_once_make_one_state(state: Settings) -> None:
    await asyncio.gather(*(opens(state) for _ in range(8)))
    assert await version_of(state) == len(upgrading.STEPS)


async def test_what_is_missing_of_a_state_is_made(first: Settings) -> None:
    """One of before versions whose making was cut off, or of which a command alone made a part."""
    await opens(first)
    whole = await shape_of(first)
    async with plain(first) as engine, engine.begin() as connection:
        for statement in ("DROP TABLE state_version", "DROP TABLE job_units", "DROP INDEX runs_at_work"):
            await connection.execute(text(statement))
    await opens(first)
    assert await shape_of(first) == whole


async def test_a_step_that_fails_leaves_all_as_it_was(first: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await opens(first)
    before = await shape_of(first)
    monkeypatch.setattr(upgrading, "STEPS", (*STEPS, BAD))
    for _ in range(2):
        with pytest.raises(OperatorError, match="could not be brought to version 4") as told:
            await opens(first)
        assert "as it was" in str(told.value) and "nowhere" not in str(told.value)
    assert (await shape_of(first), await version_of(first)) == (before, 0)
    monkeypatch.setattr(upgrading, "STEPS", STEPS)
    await opens(first)
    assert await version_of(first) == 3


async def test_a_newer_state_is_refused_and_left_alone(state: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(upgrading, "STEPS", STEPS)
        await opens(state)
    before = await shape_of(state)
    monkeypatch.setattr(upgrading, "STEPS", STEPS[:1])
    with pytest.raises(OperatorError, match=r"newer chartline \(version 3, this one knows 1\)") as told:
        await opens(state)
    assert "upgrade chartline" in str(told.value)
    assert (await shape_of(state), await version_of(state)) == (before, 3)


async def test_a_command_that_knows_a_part_of_the_tables_leaves_the_rest(first: Settings) -> None:
    """The first of several to open it may be a command that has no need of most rooms."""
    async with plain(first) as engine, engine.begin() as connection:
        part = MetaData()
        METADATA.tables["cds_shown"].to_metadata(part)
        await connection.run_sync(upgrading.upgrade, part)
        assert (await connection.execute(text("SELECT id FROM runs"))).scalars().all() == ["r"]
    await opens(first)


@pytest.mark.slow
async def test_one_that_is_silent_is_not_waited_for(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine went off in the middle, and the server does not know it yet."""
    state = settings_in(tmp_path, database=postgres_server.database())
    monkeypatch.setattr(upgrading, "_TURN", "200ms")
    monkeypatch.setattr(threads, "_TURN", 0.2)
    async with plain(state) as engine, engine.connect() as silent:
        for key in (upgrading._LOCK, threads._SETUP):
            await silent.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
        for opened in (open_database, open_threads):
            with pytest.raises(OperatorError, match="CHARTLINE_DATABASE cannot be used"):
                async with opened(state):  # type: ignore[attr-defined]
                    pass
    await opens(state)
