"""Files that several processes make and open at the same moment."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.service.database import open_database
from agent.settings import Settings
from agent.threads import open_threads
from fhir_tools.journal import make_file, write_ahead
from fhir_tools.local import LocalStore

PROCESSES, ROUNDS = 2, 30
_AT_ONCE = multiprocessing.get_context("forkserver")


def _journal(path: Path) -> None:
    make_file(path)


def _store(path: Path) -> None:
    LocalStore(path).close()


def _state(path: Path) -> None:
    async def hold() -> None:
        async with open_database(Settings(database=None, service_state=path)):
            pass

    asyncio.run(hold())


def _threads(path: Path) -> None:
    async def hold() -> None:
        async with open_threads(Settings(database=None, threads=path)):
            pass

    asyncio.run(hold())


def _open(opened: Callable[[Path], None], folder: Path, together: Any, faults: Any) -> None:
    for number in range(ROUNDS):
        together.wait(60)
        try:
            opened(folder / f"{number}.sqlite")
        except Exception as error:  # noqa: BLE001  told by the test, whatever it is
            faults.put(f"{error!r} from {error.__cause__!r}")
    faults.put(None)


@pytest.mark.parametrize("opened", [_journal, _store, _state, _threads])
def test_processes_may_make_one_file_at_the_same_moment(opened: Callable[[Path], None], tmp_path: Path) -> None:
    _AT_ONCE.set_forkserver_preload([__name__])
    together, faults = _AT_ONCE.Barrier(PROCESSES), _AT_ONCE.Queue()
    arguments = (opened, tmp_path, together, faults)
    processes = [_AT_ONCE.Process(target=_open, args=arguments, daemon=True) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    told = [faults.get(timeout=120) for _ in processes]
    while len([none for none in told if none is None]) < PROCESSES:
        told.append(faults.get(timeout=120))
    for process in processes:
        process.join(20)
    assert [fault for fault in told if fault] == []
    for number in range(ROUNDS):
        with closing(sqlite3.connect(tmp_path / f"{number}.sqlite")) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_is_its_owners_alone_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.sqlite"
    make_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
    make_file(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]


def test_what_is_no_database_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 20)
    began = time.monotonic()
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        make_file(path)
    assert time.monotonic() - began < 10  # others are waited for, this is not


def test_one_who_keeps_the_file_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_tools.journal._WAIT", 0.2)
    path = tmp_path / "file.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder, closing(sqlite3.connect(path)) as other:
        holder.execute("BEGIN EXCLUSIVE")
        other.execute("PRAGMA busy_timeout=0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write_ahead(other)
        holder.execute("COMMIT")
        write_ahead(other)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        make_file(tmp_path / "deep" / "file.sqlite")
