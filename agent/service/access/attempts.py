"""Launches under way: each row is good once, for ten minutes, and for the browser that began it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict

import orjson
from sqlalchemy import Column, Float, LargeBinary, String, Table, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.access.sealing import Seal
from agent.service.access.sessions import digest
from agent.service.database import METADATA
from agent.service.problems import Problem
from fhir_tools.auth.launching import Attempt

__all__ = ["LIFETIME", "MOST", "TABLE", "Attempts", "cookie_name"]

TABLE = Table(
    "access_attempts",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("browser", String(64), nullable=False),
    Column("iss", String(400), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("ends", Float, nullable=False),
)
LIFETIME = 600.0
"""Seconds in which a user signs in at the server."""
MOST = 10_000
"""How many may be under way: some 17 a second."""


class Attempts:
    """The launches under way, in the database: the answer may come to another process than the one that began it."""

    def __init__(self, database: AsyncEngine, seal: Seal, *, clock: Callable[[], float] = time.time) -> None:
        self._database, self._seal, self._clock = database, seal, clock

    async def keep(self, iss: str, attempt: Attempt) -> str:
        """Keep an attempt; the secret of the browser's cookie that goes with it.

        Raises Problem (503) where more are under way than people begin: anybody can open the address of a launch.
        """
        browser, id_ = secrets.token_urlsafe(32), digest(attempt.state)
        row = {
            "id": id_,
            "browser": digest(browser),
            "iss": iss,
            "sealed": self._seal.seal(orjson.dumps(asdict(attempt)), id_),
            "ends": self._clock() + LIFETIME,
        }
        async with self._database.begin() as connection:
            if (await connection.execute(select(func.count()).select_from(TABLE))).scalar_one() >= MOST:
                raise Problem(503, "busy", "too many launches are under way; launch again in a while")
            await connection.execute(insert(TABLE).values(row))
        return browser

    async def take(self, state: str, browser: str | None) -> tuple[str, Attempt] | None:
        """The `iss` and the attempt of an answer's state, which then is used up; None for a state that is not known,
        was used, has ended, or is another browser's (its own browser can still use it)."""
        mine = (
            (TABLE.c.id == digest(state)) & (TABLE.c.browser == digest(browser or "")) & (TABLE.c.ends > self._clock())
        )
        async with self._database.begin() as connection:
            row = (await connection.execute(delete(TABLE).where(mine).returning(TABLE))).mappings().first()
        text = self._seal.open(row["sealed"], row["id"]) if row else None
        return (row["iss"], Attempt(**orjson.loads(text))) if row and text else None

    async def sweep(self) -> None:
        """Take away those that have ended."""
        async with self._database.begin() as connection:
            await connection.execute(delete(TABLE).where(TABLE.c.ends <= self._clock()))


def cookie_name(state: str) -> str:
    """The cookie of an attempt: one for each, since two windows may launch at once."""
    return f"chartline_launch_{digest(state)[:12]}"
