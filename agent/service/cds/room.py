"""The room's own parts, opened with the service: cards, clients, and the task that answers ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.cds.ahead import of_day
from agent.service.cds.clients import read_clients
from agent.service.cds.configuring import Cards, read_cards
from agent.service.cds.deciding import grant_of
from agent.service.cds.gate import CdsGate
from agent.service.cds.rounds import Rounds
from agent.service.desk import Desk
from agent.service.holders import Holder
from agent.settings import Settings

__all__ = ["Room", "open_room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the routes of CDS Hooks share. `grant` names the charts that answers are computed from."""

    cards: Cards
    gate: CdsGate
    grant: str


@asynccontextmanager
async def open_room(
    settings: Settings, desk: Desk, database: AsyncEngine, holder: Holder, fhir: tuple[str, ...] = ()
) -> AsyncIterator[Room]:
    """The room; `holder` is this process among those that share the database.

    Raises UserError for a file of cards or clients that does not hold, SettingsError.
    """
    cards = read_cards(settings.cds_cards)
    gate = CdsGate(settings, read_clients(settings.cds_clients), database)
    room = Room(cards=cards, gate=gate, grant=grant_of(desk, fhir))
    task = _asking(settings, desk, database, holder, room)
    try:
        yield room
    finally:
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _asking(
    settings: Settings, desk: Desk, database: AsyncEngine, holder: Holder, room: Room
) -> asyncio.Task[None] | None:
    if not settings.cds_ahead_minutes or not room.cards.questions:
        return None
    rounds = Rounds(database, holder.id, room.grant, minutes=settings.cds_ahead_minutes)
    return asyncio.create_task(rounds.forever(partial(of_day, desk, database, room.grant, room.cards.questions)))
