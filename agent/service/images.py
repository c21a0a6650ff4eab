"""The open images of the service: who turns the pages of a study does not open it anew for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date

from agent.cited.pictures import Study, open_study
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.pool import Pool

__all__ = ["Studies", "Wanted"]

_KEPT, _SECONDS = 8, 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image of a patient's chart, and for whom it is opened. One caller's open images are not another's.

    `patient` is the id that the credentials allow: two tokens of one user can be for two patients.
    """

    caller: Caller = field(compare=False)
    patient: str
    as_of: date | None
    reference: str
    path: str = ""
    whose: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        access = self.caller.access
        object.__setattr__(self, "whose", (self.caller.id, access.key if access else ""))


class Studies:
    """Opens images for callers and keeps the last few, with the chart that each is of; an async context manager."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: Pool[Wanted, Study] = Pool(self._opened, size=_KEPT, seconds=_SECONDS)

    async def __aenter__(self) -> Studies:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.close()

    def lend(self, wanted: Wanted) -> AbstractAsyncContextManager[Study]:
        """The image for as long as the block lasts. Raises ValueError for no reference, Problem, SourceError."""
        return self._open.lend(wanted)

    @asynccontextmanager
    async def _opened(self, wanted: Wanted) -> AsyncIterator[Study]:
        async with self._desk.agent(wanted.caller, wanted.patient, wanted.as_of) as agent:
            chart = await agent.opened()
            async with open_study(chart, chart.inside(wanted.reference), wanted.path, agent.looking.access) as study:
                yield study
