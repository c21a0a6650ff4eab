"""Who is served on a connection, of which patient, and the marks that were given out there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import date

from agent.chart import Chart
from agent.service.bound import PATIENT
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.pool import Pool
from agent.service.problems import Problem
from agent.supply import bench_of
from agent.wire import Agent
from fhir_tools.tools import Bench, Ledger

__all__ = ["UNBOUND", "Seat", "Seats"]

UNBOUND = f"no patient is bound to this connection; who runs it sets the header {PATIENT} to the id of one"
_KEPT, _SECONDS = 512, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One caller's place. `patient` is the id that is bound, None where none is; `session` tells one client's
    conversations apart, and is empty where the protocol has no sessions."""

    caller: Caller
    patient: str | None = None
    as_of: date | None = None
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    caller: str
    patient: str
    as_of: date | None
    session: str


class Seats:
    """Charts of seats and the marks told there, which outlive the opening of a chart: an hour, the last 512 seats."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._marks: Pool[_Key, Ledger] = Pool(_ledger, size=_KEPT, seconds=_SECONDS)

    @asynccontextmanager
    async def agent(self, seat: Seat) -> AsyncIterator[Agent]:
        """The open agent of the seat's patient. Raises Problem where none is bound, or it may not be asked about."""
        async with self.desk.agent(seat.caller, _bound(seat), seat.as_of) as agent:
            yield agent

    @asynccontextmanager
    async def bench(self, seat: Seat) -> AsyncIterator[tuple[Bench, Chart]]:
        """What the seat's tools work on, with the marks that it was told before. Raises as `agent`; SourceError."""
        key = _Key(caller=seat.caller.id, patient=_bound(seat), as_of=seat.as_of, session=seat.session)
        async with self.agent(seat) as agent, self._marks.lend(key) as marks:
            chart = await agent.chart()
            yield bench_of(chart, marks), chart


def _bound(seat: Seat) -> str:
    if seat.patient is None:
        raise Problem(422, "no-patient", UNBOUND)
    return seat.patient


def _ledger(_: _Key) -> AbstractAsyncContextManager[Ledger]:
    return nullcontext(Ledger())
