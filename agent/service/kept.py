"""What can be written to a chart for a while after it was made here: never anything that a client sends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Column, Float, String, Table, delete, insert, select

from agent.service.callers import Caller
from agent.service.database import METADATA
from agent.service.parts import Parts

__all__ = ["keep", "kept", "new_id"]

_KEPT = Table(
    "kept_summary",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("caller", String(255), nullable=False),
    Column("patient", String(80), nullable=False),
    Column("until", Float, nullable=False, index=True),  # seconds since 1970, UTC
    Column("transaction", JSON, nullable=False),
)


def new_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(16)


async def keep(parts: Parts, caller: Caller, id_: str, patient: str, transaction: Mapping[str, Any]) -> None:
    """Keep a transaction for its caller; what is past its time goes."""
    now = time.time()
    row = {
        "id": id_,
        "caller": caller.id,
        "patient": patient,
        "until": now + parts.settings.service_summary_seconds,
        "transaction": dict(transaction),
    }
    async with parts.database.begin() as connection:
        await connection.execute(delete(_KEPT).where(_KEPT.c.until < now))
        await connection.execute(insert(_KEPT).values(row))


async def kept(parts: Parts, caller: Caller, id_: str) -> tuple[str, Mapping[str, Any]] | None:
    """The patient and the transaction that this caller may have written; None where there is none (any more)."""
    wanted = select(_KEPT.c.patient, _KEPT.c.transaction).where(
        _KEPT.c.id == id_, _KEPT.c.caller == caller.id, _KEPT.c.until >= time.time()
    )
    async with parts.database.connect() as connection:
        row = (await connection.execute(wanted)).first()
    return (row[0], row[1]) if row and caller.may_ask_of(row[0]) else None
