"""Answers that were computed ahead: a model cannot answer while an EHR waits, and a card says how old its answer is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Column, Date, DateTime, String, Table, Text, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.database import METADATA
from agent.types import Answer

__all__ = ["KEPT", "Kept", "drop_old", "keep", "kept"]

KEPT = Table(
    "cds_answers",
    METADATA,
    Column("grant", String, primary_key=True),
    Column("patient", String, primary_key=True),
    Column("question", String, primary_key=True),
    Column("as_of", Date, nullable=False),
    Column("answer", Text, nullable=False),
    Column("answered", DateTime(timezone=True), nullable=False, index=True),
)
"""The last answer to each question about each patient. `grant` says which charts were asked: a patient's id means
somebody else on another server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer with the day it was asked as of, and when (UTC)."""

    answer: Answer
    as_of: date
    answered: datetime


async def keep(database: AsyncEngine, grant: str, answer: Answer, now: datetime) -> None:
    """Keep an answer in place of an older one to the same question; another process's that comes at the same moment
    is as good."""
    key = {"grant": grant, "patient": answer.patient.removeprefix("Patient/"), "question": answer.question}
    row = {"as_of": date.fromisoformat(answer.as_of), "answer": answer.model_dump_json(), "answered": now}
    same = [KEPT.c[name] == value for name, value in key.items()]
    with suppress(IntegrityError):
        async with database.begin() as connection:
            await connection.execute(delete(KEPT).where(*same))
            await connection.execute(KEPT.insert().values(**key, **row))


async def kept(
    database: AsyncEngine, grant: str, patient: str, questions: Collection[str], as_of: date, since: datetime
) -> Mapping[str, Kept]:
    """The answers to these questions that are not older than `since` and of the same day, by question."""
    wanted = (
        select(KEPT)
        .where(KEPT.c.grant == grant, KEPT.c.patient == patient, KEPT.c.question.in_(list(questions)))
        .where(KEPT.c.as_of == as_of, KEPT.c.answered >= since)
    )
    async with database.connect() as connection:
        rows = (await connection.execute(wanted)).mappings().all()
    return {row["question"]: _read(row["answer"], row["as_of"], row["answered"]) for row in rows}


def _read(answer: str, as_of: date, answered: datetime) -> Kept:
    # SQLite gives a time without its zone; all that is stored is UTC.
    when = answered if answered.tzinfo else answered.replace(tzinfo=UTC)
    return Kept(answer=Answer.model_validate_json(answer), as_of=as_of, answered=when)


async def drop_old(database: AsyncEngine, now: datetime, hours: float) -> int:
    """Let go of answers that no card shows any more. How many."""
    async with database.begin() as connection:
        gone = await connection.execute(delete(KEPT).where(KEPT.c.answered < now - timedelta(hours=hours)))
    return gone.rowcount
