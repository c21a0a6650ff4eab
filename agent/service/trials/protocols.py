"""A protocol of a request → its checks; and who reads what rules leave open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.service.trials.forms import CompiledOut, CriterionOut, TrialIn
from agent.trials.asking import say
from agent.trials.checks import walk
from agent.trials.proposing import improved
from agent.trials.reader import ModelReader
from agent.trials.reading import compile_trial, read_text, read_trial
from agent.trials.registry import fetch_trial
from agent.trials.screening import Reads
from agent.trials.sheet import Sheet, parse_sheet, write_sheet
from agent.trials.types import Criterion, Trial

__all__ = ["compiled", "reads_with", "sheet_of", "sheets_of"]

_MOST = 30_000
_OPEN = ("reader", "no chart")


async def sheet_of(trial: TrialIn, parts: Parts) -> Sheet:
    """The checks. Raises UserError for what holds no criteria, Problem (422) for a number that is not looked up."""
    if trial.sheet is not None:
        return await asyncio.to_thread(parse_sheet, trial.sheet, "sheet")
    protocol = _bounded(await _protocol(trial, parts))
    criteria = await asyncio.to_thread(compile_trial, protocol)
    if parts.desk.model is not None:
        criteria = await improved(criteria, parts.desk.model, seconds=parts.settings.model_seconds)
    return Sheet(trial=protocol.id, title=protocol.title, criteria=criteria)


async def _protocol(trial: TrialIn, parts: Parts) -> Trial:
    if trial.text is not None:
        return read_text(trial.text, trial.name)
    if trial.study is not None:
        return read_trial(trial.study, trial.name)
    if "trials_url" not in parts.settings.model_fields_set:
        raise Problem(
            422, "no-registry", "numbers are not looked up here (CHARTLINE_TRIALS_URL is not set); send the study"
        )
    return await fetch_trial(trial.number or "", parts.settings)


def _bounded(protocol: Trial) -> Trial:
    """Raises Problem (422) for a protocol that would keep the service from its other work for seconds.

    ClinicalTrials.gov takes 20,000 characters of criteria.
    """
    if len(protocol.source) > _MOST:
        raise Problem(422, "too-long", f"a protocol has at most {_MOST} characters here; send its criteria alone")
    return protocol


async def sheets_of(trials: Sequence[TrialIn], parts: Parts) -> list[Sheet]:
    """The checks of several. Raises Problem (422) for two of one name: their verdicts could not be told apart."""
    sheets = [await sheet_of(trial, parts) for trial in trials]
    names = [sheet.trial for sheet in sheets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Problem(422, "cannot-be-done", f"two trials are called {twice!r}; give each its own name")
    return sheets


def reads_with(parts: Parts) -> Reads | None:
    """What reads charts for the statements that rules leave open; None where there is no model."""
    model, settings = parts.desk.model, parts.settings
    if model is None:
        return None
    return ModelReader(model, thinking=settings.model_thinking, seconds=settings.model_seconds)


def compiled(sheet: Sheet) -> CompiledOut:
    """The sheet for a reader."""
    rows = [_criterion(c) for c in sheet.criteria]
    trial = Trial(id=sheet.trial, title=sheet.title, source="", statements=())
    return CompiledOut(
        trial=sheet.trial,
        title=sheet.title,
        criteria=rows,
        not_understood=[r.number for r in rows if not r.understood],
        sheet=write_sheet(trial, sheet.criteria),
    )


def _criterion(criterion: Criterion) -> CriterionOut:
    statement, check = criterion.statement, criterion.check
    leaves = tuple(walk(check))
    return CriterionOut(
        number=statement.number,
        section=statement.section,
        text=statement.text,
        span=(statement.start, statement.end),
        by=criterion.by,
        told=say(check),
        understood=not any(leaf.type in _OPEN for leaf in leaves),
        doubts=[word for leaf in leaves for word in getattr(leaf, "doubts", ())],
        check=check.model_dump(mode="json", exclude_defaults=True) | {"type": check.type},
    )
