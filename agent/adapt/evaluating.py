"""Before and after: what the weights reply to held-out rows without the adapter and with it, and what of that is right.

Replies are written by the backend that answers questions, under the same grammar. Three things are asked of each: is it
JSON that its schema allows, is it the very reply that was taught, and is what the program tells of it, after verify,
the right answer. The last takes the charts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from agent.adapt.dataset import Places, charts_of
from agent.adapt.lessons import Told, lesson, supplied, tell
from agent.adapt.rows import Row
from agent.chart import Chart
from agent.errors import ModelError, NeedError
from agent.models.base import ChatModel, Request
from agent.models.checking import fault
from agent.reasoners.llm.reply import read
from agent.settings import Settings
from agent.types import Need
from fhir_tools.tools import AVAILABLE

__all__ = ["Comparison", "Measured", "Spoken", "is_exact", "is_valid", "judged", "measured", "replies"]

_TOOLS = frozenset(tool.name for tool in AVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a model replied; `fault` is why it gave no reply: not in its time, out of memory."""

    text: str = ""
    cut: bool = False
    fault: str = ""


class Measured(BaseModel):
    """Shares of the rows, from 0 to 1. `right` is of the rows whose charts were read, None where none were.

    `loss` is in nats per token of the replies that were to be given; `faults` count why there was no reply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    rows: int
    loss: float
    valid: float
    exact: float
    right: float | None
    faults: Mapping[str, int]
    exact_by_kind: Mapping[str, tuple[int, int]]


class Comparison(BaseModel):
    """The same held-out rows without the adapter and with it. `judged` is how many were held against their chart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    adapter: str
    patients: int
    rows: int
    judged: int
    too_long: int
    before: Measured
    after: Measured


async def replies(
    model: ChatModel,
    rows: Sequence[Row],
    *,
    tokens: int,
    seconds: float,
    at_once: int = 1,
    tell_done: Callable[[], None] | None = None,
) -> list[Spoken]:
    """A reply to each row, in their order. Raises ModelError where the model cannot be asked at all."""
    await model.describe()
    room = asyncio.Semaphore(at_once)

    async def one(row: Row) -> Spoken:
        async with room:
            spoken = await _reply(model, row, tokens, seconds)
        if tell_done:
            tell_done()
        return spoken

    return list(await asyncio.gather(*map(one, rows)))


async def _reply(model: ChatModel, row: Row, tokens: int, seconds: float) -> Spoken:
    request = Request(messages=row.prompt(), schema=row.schema_, tokens=tokens, seconds=seconds)
    try:
        done = await model.complete(request)
    except ModelError as error:
        return Spoken(fault=str(error))
    return Spoken(text=done.text, cut=done.finish == "length")


def is_valid(row: Row, spoken: Spoken) -> bool:
    """Whether the reply is whole JSON that the row's schema allows."""
    return not (spoken.fault or spoken.cut) and fault(spoken.text, row.schema_) is None


def is_exact(row: Row, spoken: Spoken) -> bool:
    """Whether claims with their marks, needs and status are those of the row."""
    marks = row.marks()
    return is_valid(row, spoken) and read(spoken.text, marks, _TOOLS) == read(row.reply, marks, _TOOLS)


async def judged(
    rows: Sequence[Row], spoken: Mapping[str, Sequence[Spoken]], places: Places, settings: Settings, context: int
) -> dict[str, list[bool]]:
    """Row id → for each of its replies, whether the program would tell the right answer of it.

    A row is left out where its chart is not there any more, or is another than it was: the prompt has changed then.
    """
    by_patient: dict[str, list[Row]] = {}
    for row in rows:
        by_patient.setdefault(row.patient.removeprefix("Patient/"), []).append(row)
    found: dict[str, list[bool]] = {}
    async for chart in _charts(by_patient, places, settings):
        for row in by_patient.get(chart.patient.id, ()):
            verdict = await _verdicts(chart, row, spoken[row.id], settings, context)
            if verdict is not None:
                found[row.id] = verdict
    return found


async def _charts(patients: Mapping[str, Sequence[Row]], places: Places, settings: Settings) -> AsyncIterator[Chart]:
    """The charts of the rows' patients, each as of the day of its rows."""
    for day in sorted({row.as_of for rows in patients.values() for row in rows}):
        ids = tuple(sorted(p for p, rows in patients.items() if any(row.as_of == day for row in rows)))
        wanted = Places(fhir=places.fhir, charts=places.charts, patients=() if places.charts else ids, as_of=day)
        async for chart in charts_of(wanted, settings, Counter()):
            yield chart


async def _verdicts(
    chart: Chart, row: Row, spoken: Sequence[Spoken], settings: Settings, context: int
) -> list[bool] | None:
    of = await lesson(chart, row.question, before=row.before, means=row.means, helped=row.helped)
    try:
        if row.needs:
            of = await supplied(of, [Need(tool=n["tool"], arguments=n["arguments"]) for n in row.needs])
        target = await tell(of, row.reply, settings, context)
    except (NeedError, ModelError):
        return None
    if target.request.messages != row.prompt():
        return None
    return [not said.fault and _is_right(target, await tell(of, said.text, settings, context)) for said in spoken]


def _is_right(target: Told, told: Told) -> bool:
    """The same status and value, or where there is no value the same records; of needs the same needs.

    An answer that the program took from the rules, since the model gave none that holds, is not the model's.
    """
    if target.draft.needs or told.draft.needs:
        return _asked(target) == _asked(told)
    one, other = target.answer, told.answer
    if told.draft.by == "rules" or one.status != other.status:
        return False
    if one.value is not None:
        return one.value == other.value
    return _cited(target) == _cited(told)


def _asked(told: Told) -> set[tuple[str, str]]:
    return {(n.tool, repr(sorted((k, str(v).lower()) for k, v in n.arguments.items()))) for n in told.draft.needs}


def _cited(told: Told) -> set[str]:
    return {name for c in told.answer.citations for name in (c.reference, *c.inputs) if name}


def measured(
    model: str, rows: Sequence[Row], spoken: Sequence[Spoken], right: Sequence[bool] | None, loss: float
) -> Measured:
    """The figures of one model over the rows."""
    exact = [is_exact(row, said) for row, said in zip(rows, spoken, strict=True)]
    kinds = sorted({row.kind for row in rows})
    by_kind = {k: [e for e, row in zip(exact, rows, strict=True) if row.kind == k] for k in kinds}
    return Measured(
        model=model,
        rows=len(rows),
        loss=round(loss, 5),
        valid=_share([is_valid(row, said) for row, said in zip(rows, spoken, strict=True)]),
        exact=_share(exact),
        right=_share(right) if right else None,
        faults=dict(Counter(said.fault for said in spoken if said.fault)),
        exact_by_kind={kind: (sum(found), len(found)) for kind, found in by_kind.items()},
    )


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 4) if found else 0.0
