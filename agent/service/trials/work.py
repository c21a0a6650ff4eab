"""A population held against a trial, as the work of a job: one patient is one unit, the worklist the result."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from agent.errors import ScopeError, SourceError, UserError
from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.service.trials.forms import ScreenIn
from agent.service.trials.protocols import reads_with, sheet_of
from agent.settings import Settings
from agent.trials.export import unnamed
from agent.trials.matching import find
from agent.trials.population import Place
from agent.trials.sheet import Sheet, digest
from agent.trials.types import Screened
from agent.trials.worklist import Failed, worklist
from agent.wire import patient_reference

__all__ = ["TrialScreening", "screening_settings", "unbound"]

_SHEETS = 8


def unbound(caller: Caller) -> None:
    """Raises Problem (403) for a caller whose credentials are for one patient."""
    if caller.patient is not None:
        raise Problem(403, "another-patient", "these credentials are for one patient, and this is about several")


def screening_settings(parts: Parts, caller: Caller) -> Settings:
    """The settings with the caller as who asks."""
    return parts.settings.model_copy(update={"user": caller.name})


class TrialScreening:
    """The kind of job `trial-screening`. A patient whose chart cannot be opened is in `failed`, never left out."""

    kind = "trial-screening"
    input = ScreenIn

    def __init__(self) -> None:
        self._sheets: OrderedDict[str, asyncio.Task[Sheet]] = OrderedDict()

    async def units(self, input: ScreenIn, parts: Parts, caller: Caller) -> Sequence[str]:  # noqa: A002
        """The ids of the patients. Raises Problem (403), UserError, OperatorError where not all could be listed."""
        unbound(caller)
        await self._sheet(input, parts)
        people = [patient_reference(p) for p in dict.fromkeys(input.patients)]
        async with parts.desk.source(caller) as source:
            return [p.id for p in await Place(source, people).patients()]

    async def do(self, unit: str, input: ScreenIn, parts: Parts, caller: Caller) -> Mapping[str, Any]:  # noqa: A002
        """One patient's verdicts; as often as it is done they are the same."""
        unbound(caller)
        sheet, patient = await self._sheet(input, parts), patient_reference(unit)
        day, settings = input.as_of or parts.desk.today(), screening_settings(parts, caller)
        told = {
            "trial": sheet.trial,
            "title": sheet.title,
            "checks": digest(sheet.criteria),
            "as_of": day.isoformat(),
            "least": parts.settings.service_min_cell,
        }
        try:
            async with parts.desk.source(caller) as source:
                [found] = await find(
                    [sheet], source, patient, day, settings, reads=reads_with(parts), record=parts.desk.record
                )
        except (SourceError, UserError, ScopeError) as error:
            return {**told, "failed": Failed(patient=str(patient), error=str(error)).model_dump()}
        return {**told, "screened": found.model_dump(mode="json")}

    def result(self, input: ScreenIn, done: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: A002
        """The worklist (`agent.trials.worklist.Worklist`) of all units."""
        rows = [Screened.model_validate(d["screened"]) for d in done.values() if "screened" in d]
        failed = [Failed.model_validate(d["failed"]) for d in done.values() if "failed" in d]
        head = next(iter(done.values()), None) or {"trial": input.trial.name, "title": "", "checks": "", "as_of": ""}
        days = {d["as_of"] for d in done.values()}
        made = worklist(
            head["trial"],
            head["title"],
            max(days, default=""),
            head["checks"],
            rows,
            looked=len(done),
            min_cell=max([input.min_cell, *(d["least"] for d in done.values())]),
            failed=failed,
            warnings=("the job went on over midnight: patients are as of different days",) if len(days) > 1 else (),
        )
        return (made if input.names else unnamed(made)).model_dump(mode="json")

    async def _sheet(self, input: ScreenIn, parts: Parts) -> Sheet:  # noqa: A002
        """The checks, made once for all units that are done in this process."""
        key = hashlib.sha256(input.trial.model_dump_json().encode()).hexdigest()
        if key not in self._sheets:
            self._sheets[key] = asyncio.ensure_future(sheet_of(input.trial, parts))
            while len(self._sheets) > _SHEETS:
                self._sheets.popitem(last=False)
        try:
            return await asyncio.shield(self._sheets[key])
        except BaseException:
            self._sheets.pop(key, None)  # a registry that did not answer may do so for the next one
            raise
