"""Answering ahead, round by round: of all processes that share the database one does a round, and none twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sqlalchemy import Column, Float, String, Table, insert, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import select

from agent.service.database import METADATA, now
from agent.service.holders import HOLDERS

__all__ = ["ROUNDS", "Rounds"]

ROUNDS = Table(
    "cds_rounds",
    METADATA,
    Column("grant", String, primary_key=True),
    Column("due", Float, nullable=False, doc="from when the next may begin: seconds since 1970, by `now`"),
    Column("holder", String(32), nullable=False, default="", doc="the process that is at one"),
)
_LOOK = 20.0
"""Seconds between looks at whether a round is due."""
_log = logging.getLogger(__name__)


class Rounds:
    """The rounds over the charts of a `grant`, begun every `minutes` by whichever process `holder` looks first.

    One whose process died ends with it: another may begin the next when it is due.
    """

    def __init__(self, database: AsyncEngine, holder: str, grant: str, *, minutes: float) -> None:
        self._database, self._holder, self._grant, self._minutes = database, holder, grant, minutes

    async def forever(self, work: Callable[[], Awaitable[None]], *, look: float = _LOOK) -> None:
        """Do the work whenever a round is due and nobody else is at one, until cancelled."""
        while True:
            try:
                if await self.begin():
                    try:
                        await work()
                    finally:
                        await self.end()
            except SQLAlchemyError as error:
                _log.warning("answers ahead: the database does not say whether one is due (%s)", type(error).__name__)
            await asyncio.sleep(look)

    async def begin(self) -> bool:
        """Whether this process is to do a round now; then no other does one before the next is due."""
        free = ROUNDS.c.holder.not_in(select(HOLDERS.c.id))
        mine = update(ROUNDS).where(ROUNDS.c.grant == self._grant, ROUNDS.c.due <= now(), free)
        with suppress(IntegrityError):  # another process was first
            async with self._database.begin() as connection:
                there = select(ROUNDS.c.grant).where(ROUNDS.c.grant == self._grant)
                if (await connection.execute(there)).first() is None:
                    await connection.execute(insert(ROUNDS).values(grant=self._grant, due=0.0, holder=""))
        async with self._database.begin() as connection:
            taken = await connection.execute(mine.values(holder=self._holder, due=now() + 60 * self._minutes))
        return bool(taken.rowcount)

    async def end(self) -> None:
        """The round is over."""
        mine = update(ROUNDS).where(ROUNDS.c.grant == self._grant, ROUNDS.c.holder == self._holder)
        async with self._database.begin() as connection:
            await connection.execute(mine.values(holder=""))
