"""Measures a model, part by part, within a bound on time; what was measured is there at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import chain, zip_longest
from pathlib import Path
from statistics import fmean, median

from agent import reasoning
from agent.errors import ModelError, UserError, one_line
from agent.evals.bench.figures import Asked, Figures, Held, Model, Pace
from agent.evals.bench.machine import here
from agent.evals.bench.trying import again, pace, unseen
from agent.evals.cases import AnswerRow, Case
from agent.evals.report import grade
from agent.evals.runner import answered, jobs_of
from agent.models.base import ChatModel, Completion, Message, ModelCard, Request
from agent.models.medgemma import MedGemma
from agent.prompt import messages
from agent.reasoners.base import Reasoner
from agent.reasoners.llm.schema import tools_line
from agent.settings import Settings
from agent.sources import open_source
from agent.wire import Agent
from fhir_tools.tools import AVAILABLE

__all__ = ["Bench", "Plan", "Tell"]

Tell = Callable[[str], None]
"""Told in a few words what is being measured."""
_SHARES = (("speed", 0.3), ("speed, several at once", 0.15), ("questions", 0.3), ("questions, several at once", 0.25))
"""The parts in their order, with their shares of the time; what a part leaves goes to those after it."""
_PROMPTS = 6
_REASONS = 5
_Asker = tuple[Agent, Case]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure with: questions on charts (`<patient id>.json.gz` in a folder), for so many `seconds` after
    loading, `at_once` side by side where several are."""

    cases: Sequence[Case]
    charts: Path
    seconds: float
    at_once: int


@dataclass(slots=True)
class Bench:
    """One bench of a chat model, which is its caller's to open and leave. `tell` is told of progress.

    `run` raises ModelError and UserError where the model does not answer at all, or a chart is missing; `figures` is
    what is there by then, also when `run` was cancelled.
    """

    model: ChatModel
    settings: Settings
    plan: Plan
    tell: Tell
    _card: ModelCard | None = None
    _load_seconds: float | None = None
    _paces: list[Pace] = field(default_factory=list)
    _rows: dict[int, list[AnswerRow]] = field(default_factory=dict)
    _spent: dict[int, float] = field(default_factory=dict)
    _seen: list[Request] = field(default_factory=list)
    _cut: list[str] = field(default_factory=list)
    _faults: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Measure all parts, each for its share of the time at most."""
        self._cut = [name for name, _ in _SHARES]
        thinker = reasoning.thinker(self.settings, self.model)
        async with self._askers(thinker) as askers:
            await self._load()
            alone, together = (askers[::2], askers[1::2]) if self.plan.at_once > 1 else (askers, [])
            parts: tuple[Callable[[], Awaitable[bool]], ...] = (
                partial(self._speed, askers[:_PROMPTS]),
                self._speed_together,
                partial(self._questions, alone, 1),
                partial(self._questions, together, self.plan.at_once),
            )
            end = time.monotonic()
            for (name, share), part in zip(_SHARES, parts, strict=True):
                end += share * self.plan.seconds
                await self._within(name, part, end)

    async def _within(self, name: str, part: Callable[[], Awaitable[bool]], end: float) -> None:
        """A part until `end` (`time.monotonic`); it gives back whether there was something to measure.

        A fault of the model ends the part, and is told in the figures.
        """
        whole = True
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())) as limit:
                whole = await part()
        except TimeoutError:
            if not limit.expired():
                raise
            return
        except ModelError as error:
            self._faults.append(f"{name}: {one_line(error)}")
        if whole:
            self._cut.remove(name)

    async def _load(self) -> None:
        self.tell("loading the model")
        began = time.perf_counter()
        self._card = await self.model.describe()
        if isinstance(self.model, MedGemma):
            self._load_seconds = time.perf_counter() - began

    @asynccontextmanager
    async def _askers(self, thinker: Reasoner) -> AsyncIterator[list[_Asker]]:
        """Every question with an agent on its chart; neighbours are of different patients."""
        async with AsyncExitStack() as stack:
            patients: list[list[_Asker]] = []
            for job in jobs_of(self.plan.cases, self.plan.charts):
                source = await stack.enter_async_context(open_source(job.chart, self.settings))
                agents: dict[object, Agent] = {}
                for case in job.cases:
                    if case.as_of not in agents:
                        made = Agent(source, job.patient, as_of=case.as_of, settings=self.settings, reasoner=thinker)
                        agents[case.as_of] = await stack.enter_async_context(made)
                        await made.chart()  # the time of a question is not that of opening its chart
                patients.append([(agents[case.as_of], case) for case in job.cases])
            mixed = [asker for asker in chain.from_iterable(zip_longest(*patients)) if asker is not None]
            if not mixed:
                raise UserError("there are no questions to measure with")
            yield mixed

    async def _speed(self, askers: Sequence[_Asker]) -> bool:
        """Prompts that are new to the model, each with one that begins the same right after it."""
        done: tuple[list[Completion], list[Completion]] = ([], [])
        for number, (agent, case) in enumerate(askers, 1):
            self.tell(f"speed: prompt {number} of {len(askers)}")
            sent = unseen(await _prompt(agent, case), self.settings.model_seconds)
            first, second = await self.model.complete(sent), await self.model.complete(again(sent))
            self._seen.append(sent)
            for kept, completion in zip(done, (first, second), strict=True):
                kept.append(completion)
            spent = [sum(c.used.seconds for c in kept) for kept in done]
            self._paces = [pace("new", done[0], spent[0]), pace("reused", done[1], spent[1])]
        return True

    async def _speed_together(self) -> bool:
        """As many at once as the plan says, whose beginnings were read before."""
        if not self._seen or self.plan.at_once < 2:
            return self.plan.at_once < 2 or bool(self._faults)
        self.tell(f"speed: {self.plan.at_once} prompts at once")
        sent = [again(self._seen[n % len(self._seen)]) for n in range(self.plan.at_once)]
        began = time.perf_counter()
        done = await asyncio.gather(*(self.model.complete(request) for request in sent))
        self._paces.append(pace("together", list(done), time.perf_counter() - began, self.plan.at_once))
        return True

    async def _questions(self, askers: Sequence[_Asker], at_once: int) -> bool:
        """Questions through the whole program. Other ones each time, since a prompt seen before is a faster one."""
        rows = self._rows.setdefault(at_once, [])
        room, began = asyncio.Semaphore(at_once), time.perf_counter()

        async def one(agent: Agent, case: Case) -> None:
            async with room:
                rows.append(await answered(agent, case))
                self._spent[at_once] = time.perf_counter() - began
                self.tell(f"questions, {at_once} at once: {len(rows)} of {len(askers)}")

        async with asyncio.TaskGroup() as group:
            for agent, case in askers:
                group.create_task(one(agent, case))
        return True

    def figures(self) -> Figures | None:
        """What was measured; None before the model was there."""
        if self._card is None:
            return None
        local = self.model if isinstance(self.model, MedGemma) else None
        held = local.held() if local else None
        return Figures(
            measured=datetime.now(UTC).replace(microsecond=0),
            chartline=version("chartline"),
            machine=here(held.gpus if held else ()),
            model=_model(self._card, self.settings, here=local is not None),
            reasoner=self.settings.reasoner,
            load_seconds=self._load_seconds,
            memory=Held(
                reckoned=local.need.total if local and local.need else None,
                resident=held.resident if held else None,
                gpu=held.gpu if held else None,
            ),
            paces=tuple(self._paces),
            asked=tuple(
                _asked(self.plan.cases, rows, self._spent[at_once], at_once)
                for at_once, rows in self._rows.items()
                if rows
            ),
            of=len(self.plan.cases),
            cut=tuple(self._cut),
            faults=(*self._faults, *self._failures()),
        )

    def _failures(self) -> list[str]:
        """Why questions failed, each reason once."""
        failed = [row.answer for row in chain.from_iterable(self._rows.values()) if row.status == "failed"]
        return [f"questions: {reason}" for reason in dict.fromkeys(failed)][:_REASONS]


async def _prompt(agent: Agent, case: Case) -> tuple[Message, ...]:
    """What a model would be sent first for a question."""
    ask, evidence = await agent.evidence(case.question)
    return messages(ask, evidence, tools=tools_line(AVAILABLE))


def _model(card: ModelCard, settings: Settings, *, here: bool) -> Model:
    return Model(
        name=card.name,
        place="here" if here else "server",
        revision=card.revision,
        precision=settings.model_precision if here else None,
        context=card.context or None,
        grammar=card.grammar,
    )


def _asked(cases: Sequence[Case], rows: Sequence[AnswerRow], seconds: float, at_once: int) -> Asked:
    ids = {row.id for row in rows}
    told = [row for row in rows if row.status != "failed"] or rows
    report, _ = grade([case for case in cases if case.id in ids], rows)
    return Asked(
        at_once=at_once,
        asked=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        answered=sum(row.status == "answered" for row in rows),
        right=report.accuracy,
        seconds=seconds,
        median_seconds=median(row.seconds for row in told),
        an_hour=3600 * len(rows) / seconds,
        calls=fmean(row.llm_calls for row in told),
        prompt_tokens=fmean(row.prompt_tokens for row in told),
        cached_tokens=fmean(row.cached_prompt_tokens for row in told),
        completion_tokens=fmean(row.completion_tokens for row in told),
    )
