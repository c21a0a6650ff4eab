"""Answers computed ahead for the patients of the day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import ChartlineError, UserError
from agent.service.callers import Caller
from agent.service.cds.kept import drop_old, keep
from agent.service.desk import Desk
from agent.wire import patient_reference
from fhir_tools.facts.elements import elements_of, reference_of
from fhir_tools.types import Query

__all__ = ["CALLER", "Done", "ahead", "of_day", "of_today"]

CALLER = Caller(id="cds:ahead", name="chartline service ahead", via="cds")
"""Who is on record as having asked."""
_OFF = frozenset(("cancelled", "noshow", "entered-in-error"))
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A patient whose questions were asked: how many answers are kept; `fault` where the chart could not be read."""

    patient: str
    kept: int = 0
    fault: str = ""


async def of_today(desk: Desk) -> tuple[str, ...]:
    """The ids of the patients with an appointment today (`Appointment?date=`), each once.

    Raises UserError where the search is cut short: half a day's list would pass for the whole.
    """
    query = Query(type="Appointment", params=(("date", desk.today().isoformat()),))
    async with desk.source(CALLER) as source:
        found = await source.search(query)
    if not found.complete:
        raise UserError("the list of today's appointments could not be read to its end; give the patients in a file")
    return tuple(dict.fromkeys(id_ for r in found.matches if r.get("status") not in _OFF for id_ in _patients(r)))


def _patients(appointment: Any) -> Iterable[str]:
    actors = (reference_of(p.get("actor")) for p in elements_of(appointment.get("participant")))
    return (actor.id for actor in actors if actor and actor.type == "Patient")


async def ahead(
    desk: Desk,
    database: AsyncEngine,
    grant: str,
    patients: Sequence[str],
    questions: Sequence[str],
    tell: Callable[[Done], None] = lambda _: None,
) -> tuple[Done, ...]:
    """Ask every question about every patient and keep the answers; one chart after the other.

    What fails for one patient is told, and the others go on. An answer that is incomplete or refused is kept as what
    it is, in place of an older one: cards show those of the statuses that the site has chosen.
    """
    done = []
    for patient in patients:
        done.append(await _patient(desk, database, grant, patient, questions))
        tell(done[-1])
    await drop_old(database, datetime.now(UTC), desk.settings.cds_kept_hours)
    return tuple(done)


async def _patient(desk: Desk, database: AsyncEngine, grant: str, patient: str, questions: Sequence[str]) -> Done:
    kept = 0
    try:
        async with desk.agent(CALLER, patient_reference(patient).id) as agent:
            for question in questions:
                answer = await agent.ask(question)
                await keep(database, grant, answer, datetime.now(UTC))
                kept += 1
    except ChartlineError as error:
        return Done(patient=patient, kept=kept, fault=str(error))
    return Done(patient=patient, kept=kept)


async def of_day(desk: Desk, database: AsyncEngine, grant: str, questions: Sequence[str]) -> None:
    """Ask ahead for today's patients, once. What fails is logged: nobody waits for it, and another round comes."""
    try:
        done = await ahead(desk, database, grant, await of_today(desk), questions)
        failed = sum(bool(one.fault) for one in done)
        _log.info("answers ahead: %d patients, %d could not be read", len(done), failed)
    except Exception as error:  # noqa: BLE001  the next round may do better
        _log.error("answers ahead: the round failed (%s)", type(error).__name__)
