"""Sessions of browsers: a row each, known by the digest of a cookie's token, ended by disuse, age or sign-out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Column, Float, Integer, LargeBinary, RowMapping, String, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.access.sealing import Seal
from agent.service.database import METADATA

__all__ = ["TABLE", "Session", "Sessions", "digest"]

TABLE = Table(
    "access_sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("via", String(10), nullable=False),
    Column("caller", String(80), nullable=False),
    Column("name", String(300), nullable=False),
    Column("patient", String(64)),
    Column("credential", String(400), nullable=False),
    Column("sealed", LargeBinary),
    Column("version", Integer, nullable=False),
    Column("renewing", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("ends", Float, nullable=False),
)
_SEEN = 60.0
"""Seconds within which the use of a session is not written down again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One who has signed in. `credential` is the id of the API key, or the `iss` of the launch.

    `grant` is what a launch gave (its token, its context), sealed where it is kept; `version` counts its renewals.
    """

    id: str
    via: str
    caller: str
    name: str
    patient: str | None = None
    credential: str
    grant: Mapping[str, Any] = field(repr=False, default_factory=dict)
    version: int = 0


class Sessions:
    """The sessions in the database, shared by all processes. `idle` and `longest` are in seconds; `clock` tells the
    seconds of the epoch."""

    def __init__(
        self,
        database: AsyncEngine,
        seal: Seal,
        *,
        idle: float,
        longest: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._seal = database, seal
        self.idle, self.longest, self._clock = idle, longest, clock

    async def start(
        self,
        *,
        via: str,
        caller: str | None,
        name: str,
        credential: str,
        patient: str | None = None,
        grant: Mapping[str, Any] | None = None,
    ) -> str:
        """A new session; its token, for the cookie. Without `caller` the session itself is who asks."""
        token, now = secrets.token_urlsafe(32), self._clock()
        id_ = digest(token)
        row = {
            "id": id_,
            "via": via,
            "caller": caller or f"session:{id_[:32]}",
            "name": name[:300],
            "patient": patient,
            "credential": credential,
            "sealed": self._sealed(id_, grant) if grant is not None else None,
            "version": 0,
            "renewing": 0.0,
            "seen": now,
            "ends": now + self.longest,
        }
        async with self._database.begin() as connection:
            await connection.execute(insert(TABLE).values(row))
        return token

    async def find(self, token: str) -> Session | None:
        """The session of a cookie's token; None for one that has ended or never was."""
        now, id_ = self._clock(), digest(token)
        row = await self._row(id_)
        if row is None or row["ends"] <= now or row["seen"] + self.idle <= now:
            return None
        if row["seen"] + min(_SEEN, self.idle / 2) <= now:
            async with self._database.begin() as connection:
                await connection.execute(update(TABLE).where(TABLE.c.id == id_).values(seen=now))
        return self._opened(row)

    async def load(self, id_: str) -> Session | None:
        """A session by its id as it is kept now; None where it is no more."""
        row = await self._row(id_)
        return self._opened(row) if row else None

    async def renewed(self, id_: str, grant: Mapping[str, Any]) -> None:
        """Keep a launch's renewed grant, and let others renew it again."""
        values = {"sealed": self._sealed(id_, grant), "version": TABLE.c.version + 1, "renewing": 0.0}
        async with self._database.begin() as connection:
            await connection.execute(update(TABLE).where(TABLE.c.id == id_).values(values))

    async def lease(self, id_: str, version: int, seconds: float) -> bool:
        """Whether this process alone may now renew the grant of this version, for so long."""
        now = self._clock()
        mine = (TABLE.c.id == id_) & (TABLE.c.version == version) & (TABLE.c.renewing <= now)
        async with self._database.begin() as connection:
            done = await connection.execute(update(TABLE).where(mine).values(renewing=now + seconds))
        return done.rowcount == 1

    async def end(self, id_: str) -> None:
        """End a session; nothing happens where it has ended."""
        async with self._database.begin() as connection:
            await connection.execute(delete(TABLE).where(TABLE.c.id == id_))

    async def sweep(self) -> tuple[str, ...]:
        """Take away what has ended; its ids."""
        now = self._clock()
        over = (TABLE.c.ends <= now) | (TABLE.c.seen <= now - self.idle)
        async with self._database.begin() as connection:
            return tuple((await connection.execute(delete(TABLE).where(over).returning(TABLE.c.id))).scalars())

    async def _row(self, id_: str) -> RowMapping | None:
        async with self._database.connect() as connection:
            return (await connection.execute(select(TABLE).where(TABLE.c.id == id_))).mappings().first()

    def _sealed(self, id_: str, grant: Mapping[str, Any]) -> bytes:
        return self._seal.seal(orjson.dumps(grant), id_)

    def _opened(self, row: RowMapping) -> Session | None:
        """With its grant; None where that was sealed with a key that is gone: the user signs in anew."""
        grant = {}
        if row["sealed"] is not None:
            text = self._seal.open(row["sealed"], row["id"])
            if text is None:
                return None
            grant = orjson.loads(text)
        kept = ("id", "via", "caller", "name", "patient", "credential", "version")
        return Session(**{name: row[name] for name in kept}, grant=grant)


def digest(token: str) -> str:
    """What a token is known by where it is kept: whoever reads it there cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()
