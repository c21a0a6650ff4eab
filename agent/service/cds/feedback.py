"""What readers did with cards: how often each was shown, taken and dismissed, and why; no patient is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, ForeignKey, Integer, String, Table, Text, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.cds.requests import Feedback
from agent.service.database import METADATA
from agent.service.problems import Problem

__all__ = ["FEEDBACK", "SHOWN", "Tally", "shown", "tally", "told"]

SHOWN = Table(
    "cds_shown",
    METADATA,
    Column("uuid", String, primary_key=True),
    Column("card", String, nullable=False, index=True),
    Column("service", String, nullable=False),
    Column("client", String, nullable=False),
    Column("sent", DateTime(timezone=True), nullable=False),
)
"""Cards that were sent: by what name, in which service, to whom."""

FEEDBACK = Table(
    "cds_feedback",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uuid", String, ForeignKey(SHOWN.c.uuid), nullable=False, index=True),
    Column("outcome", String, nullable=False),
    Column("suggestions", Text, nullable=False, default=""),
    Column("reason", String),
    Column("reason_system", String),
    Column("comment", Text),
    Column("done", DateTime(timezone=True), nullable=False),
    Column("received", DateTime(timezone=True), nullable=False),
)
"""What was done with a card, each time that it is told. A comment is a clinician's words and may be about a patient."""


async def shown(database: AsyncEngine, service: str, client: str, cards: Mapping[str, str], now: datetime) -> None:
    """Remember the cards that are about to be sent: uuid → name."""
    if cards:
        rows = [
            {"uuid": uuid, "card": name, "service": service, "client": client, "sent": now}
            for uuid, name in cards.items()
        ]
        async with database.begin() as connection:
            await connection.execute(SHOWN.insert(), rows)


async def told(database: AsyncEngine, service: str, client: str, feedback: Sequence[Feedback], now: datetime) -> None:
    """Keep feedback. Raises Problem 404, and keeps nothing, where this service did not send a card to this client."""
    uuids = {one.card for one in feedback}
    async with database.begin() as connection:
        sent = select(SHOWN.c.uuid).where(SHOWN.c.uuid.in_(uuids), SHOWN.c.service == service, SHOWN.c.client == client)
        found = set((await connection.execute(sent)).scalars())
        if missing := len(uuids - found):
            raise Problem(404, "unknown-card", f"{missing} of the cards were not sent to this client by this service")
        await connection.execute(FEEDBACK.insert(), [_row(one, now) for one in feedback])


def _row(one: Feedback, now: datetime) -> dict[str, object]:
    why = one.overrideReason
    reason = why.reason if why else None
    return {
        "uuid": one.card,
        "outcome": one.outcome,
        "suggestions": " ".join(s.id for s in one.acceptedSuggestions),
        "reason": reason.code if reason else None,
        "reason_system": reason.system if reason else None,
        "comment": why.userComment if why else None,
        "done": one.when.astimezone(UTC),
        "received": now,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often a card was shown and what became of it; `reasons` count the codes that it was dismissed by."""

    card: str
    shown: int
    accepted: int
    overridden: int
    reasons: Mapping[str, int]


async def tally(database: AsyncEngine) -> tuple[Tally, ...]:
    """The counts of every card that was ever shown, the most shown first."""
    joined = FEEDBACK.join(SHOWN, FEEDBACK.c.uuid == SHOWN.c.uuid)
    async with database.connect() as connection:
        number = (await connection.execute(select(SHOWN.c.card, func.count()).group_by(SHOWN.c.card))).all()
        done = (
            await connection.execute(select(SHOWN.c.card, FEEDBACK.c.outcome, FEEDBACK.c.reason).select_from(joined))
        ).all()
    outcomes = Counter((card, outcome) for card, outcome, _ in done)
    reasons = {
        card: Counter(r or "no reason" for c, o, r in done if c == card and o == "overridden") for card, _ in number
    }
    counted = (
        Tally(
            card=card,
            shown=count,
            accepted=outcomes[card, "accepted"],
            overridden=outcomes[card, "overridden"],
            reasons=dict(reasons[card].most_common()),
        )
        for card, count in number
    )
    return tuple(sorted(counted, key=lambda t: (-t.shown, t.card)))
