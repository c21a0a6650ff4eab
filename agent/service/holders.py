"""Which processes share the database, and which of them are dead: what a dead one was doing is taken up by another.

Each process has one row that it keeps fresh by heartbeats, however much it is doing. On its own machine a process also
holds a locked file, which the operating system lets go at its death: there nobody waits for a lease to run out.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Column, Float, String, Table, delete, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.database import METADATA, now
from agent.settings import Settings

__all__ = ["HOLDERS", "LEASE", "Holder", "holders_in"]

HOLDERS = Table(
    "holders",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("lease", Float, nullable=False, doc="seconds since 1970, by the database's clock, until which it counts"),
)
LEASE = 30.0
"""Seconds after its last heartbeat for which a process counts as alive; longer than the longest stall of its loop."""
_log = logging.getLogger(__name__)


class Holder:
    """This process among those that share the database; an async context manager.

    `folder` is where processes of this machine have their locked files; None leaves it to the leases.
    """

    def __init__(self, database: AsyncEngine, folder: Path | None, *, lease: float = LEASE) -> None:
        self.id = uuid4().hex
        self._database, self._folder, self._lease = database, folder, lease
        self._file: int | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Holder:
        self._file = self._lock()
        await self.beat()
        self._beating = asyncio.create_task(self._beats())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        with suppress(SQLAlchemyError):  # the file stays then, not locked: who finds it knows, and waits for no lease
            async with self._database.begin() as connection:
                await connection.execute(delete(HOLDERS).where(HOLDERS.c.id == self.id))
            if self._file is not None:
                self._path(self.id).unlink(missing_ok=True)
        if self._file is not None:
            os.close(self._file)

    async def bury(self) -> None:
        """Take the dead off the list, so that what they held is free."""
        async with self._database.connect() as connection:
            others = (await connection.execute(select(HOLDERS.c.id).where(HOLDERS.c.id != self.id))).scalars().all()
        dead = [other for other in others if self._is_dead(other)]
        if others:
            async with self._database.begin() as connection:
                gone = or_(HOLDERS.c.lease < now(), HOLDERS.c.id.in_(dead))
                await connection.execute(delete(HOLDERS).where(HOLDERS.c.id != self.id, gone))
        for other in dead:
            self._path(other).unlink(missing_ok=True)

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 5)
            try:
                await self.beat()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("the database did not take a heartbeat (%s)", type(error).__name__)

    async def beat(self) -> None:
        """Keep this process's row fresh. Raises SQLAlchemyError where the database does not take it."""
        until = {"lease": now() + self._lease}
        async with self._database.begin() as connection:
            beat = await connection.execute(update(HOLDERS).where(HOLDERS.c.id == self.id).values(until))
            if not beat.rowcount:
                await connection.execute(insert(HOLDERS).values(id=self.id, **until))

    def _path(self, holder: str) -> Path:
        assert self._folder is not None  # noqa: S101  asked before
        return self._folder / f"{holder}.lock"

    def _lock(self) -> int | None:
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path(self.id), os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            _log.warning("no locked file in %s (%s): a restart waits for leases", self._folder, type(error).__name__)
            return None
        return file

    def _is_dead(self, holder: str) -> bool:
        """Whether the process was on this machine and is gone; one of another machine has no file here."""
        if self._folder is None:
            return False
        try:
            file = os.open(self._path(holder), os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(file)


def holders_in(settings: Settings) -> Path | None:
    """The folder of the locked files of this machine's processes; None where the state is in memory."""
    state = settings.service_state
    return None if str(state) == ":memory:" else state.with_name(f"{state.name}.holders")
