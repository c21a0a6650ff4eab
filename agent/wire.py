"""Settings → source, reasoner, graph. The one place where the parts are put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import date
from functools import partial

from agent import auditing, reasoning
from agent import settings as settings_module
from agent.chart import Chart
from agent.errors import UserError
from agent.graph import Given, Graph, Progress, Saver, Stages, build, stream, untraced, walk
from agent.images import open_access
from agent.models.base import ChatModel
from agent.open import grown, open_chart
from agent.prompt import fit, framed
from agent.reasoners.base import Reasoner
from agent.render import answer as render_answer
from agent.retrieve import retrieve
from agent.settings import Settings
from agent.sources import open_source
from agent.supply import supply
from agent.threads import open_threads
from agent.trace import Trace, Tracer
from agent.types import Answer, Ask, Evidence
from agent.understand import focus_of, reworded, subject_of, understand, wanted
from agent.verify import verify
from agent.vision.eyes import Eyes
from agent.vision.stage import Looking
from fhir_tools.audit import Record
from fhir_tools.servers import Servers
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["Agent", "graph", "open_agent", "patient_reference"]


def patient_reference(text: str) -> Reference:
    """`Patient/id` or an id → the reference. Raises UserError for another type, a URL or nothing."""
    id_ = text.strip().removeprefix("Patient/")
    try:
        return Reference.parse(f"Patient/{id_}") if "/" not in id_ else _refuse(text)
    except ValueError:
        return _refuse(text)


def _refuse(text: str) -> Reference:
    raise UserError(f"{text!r} names no patient; give an id or Patient/id")


class Agent:
    """Questions about one patient of one source. One chart stays open between questions.

    `record` keeps every request and answer (`agent.auditing.open_record` makes that of the settings). An async
    context manager: leaving it closes the threads' database and the model, not the source and the record, which are
    the caller's, as are a `reasoner` and a `vision` model that were handed in. `looking` looks at images with it;
    `fhir` are the places that the source was opened on, whose credentials its archives of images may need. `threads`
    keeps conversations, where the caller has opened what keeps them.
    """

    def __init__(
        self,
        source: Source,
        patient: str | Reference,
        *,
        as_of: date | None = None,
        settings: Settings | None = None,
        reasoner: Reasoner | None = None,
        vision: ChatModel | None = None,
        record: Record | None = None,
        fhir: Sequence[str] = (),
        threads: Saver | None = None,
    ) -> None:
        self.settings = settings or settings_module.read()
        self.patient = patient_reference(str(patient))
        self.as_of = as_of or self.settings.today()
        self._open = AsyncExitStack()
        thinker, model = (reasoner, None) if reasoner else reasoning.reasoner(self.settings)
        eyes = vision if vision else reasoning.vision_model(self.settings, model)
        for opened in (model, eyes if eyes is not model and vision is None else None):
            if opened:
                self._open.push_async_exit(opened)
        self.looking = _looking(self.settings, eyes, fhir)
        self._charts = _Charts(source, self.settings, record, lazy=thinker.name == "rules")
        self._stages = _stages(self._charts, self.settings, thinker, record, self.looking)
        self._saver = threads
        self._threads: Graph | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads = None
        await self._open.aclose()

    async def ask(self, question: str, thread: str | None = None) -> Answer:
        """The answer. Raises UserError for an unknown patient, an empty question or another patient's thread."""
        answer: Answer | None = None
        async for event in self.stream(question, thread):
            if isinstance(event, Answer):
                answer = event
        assert answer is not None  # noqa: S101  the stream ends with the answer or raises
        return answer

    async def stream(
        self,
        question: str,
        thread: str | None = None,
        *,
        run: str = "",
        after: str | None = None,
        earlier: Sequence[str] = (),
    ) -> AsyncIterator[Progress | Answer]:
        """Progress as it comes, then the answer; raises what `ask` raises.

        A run that is named and whose answer the thread has already ends with that (see `agent.graph.Given`); `after`
        names the run that the thread answered last, where that is known better than by the thread itself.
        `earlier` are questions asked before, oldest first, where no thread keeps them.
        """
        given = Given(question=question, patient=str(self.patient), as_of=self.as_of.isoformat(), run=run)
        if earlier and not thread:
            given["earlier"] = list(earlier)
        if thread:
            told = stream(await self._with_threads(), given, thread, after=after)
        else:
            told = walk(self._stages, given)
        async for event in told:
            yield event

    async def chart(self, *, whole: bool = True) -> Chart:
        """The open chart, for what works on it beside questions (summaries). Raises UserError, SourceError.

        What is not `whole` may hold the Patient alone, where the source is not asked for more than questions need.
        """
        opened = self._charts.whole if whole else self._charts.open
        return await opened(self.patient, self.as_of)

    async def opened(self) -> Chart:
        """The open chart as far as it was read, for what asks its source itself. Raises UserError, SourceError."""
        return await self._charts.open(self.patient, self.as_of)

    async def evidence(self, question: str) -> tuple[Ask, Evidence]:
        """What a model would be given: the question understood, and the evidence in the token budget."""
        chart = await self.chart()
        ask = understand(question, chart)
        return ask, fit(await _framed(chart, ask), self.settings.tokens)

    async def _with_threads(self) -> Graph:
        async with self._lock:
            if self._threads is None:
                opened = open_threads(self.settings) if self._saver is None else nullcontext(self._saver)
                self._threads = build(self._stages, await self._open.enter_async_context(opened))
            return self._threads


@asynccontextmanager
async def open_agent(
    patient: str | Reference, *, fhir: Sequence[str] = (), as_of: date | None = None, settings: Settings | None = None
) -> AsyncIterator[Agent]:
    """An agent on the settings' servers or store, or on `fhir`: URLs, a store, or a file or folder of FHIR JSON."""
    settings = settings or settings_module.read()
    async with (
        open_source(fhir, settings) as source,
        auditing.open_record(settings) as record,
        Agent(source, patient, as_of=as_of, settings=settings, record=record, fhir=fhir) as agent,
    ):
        yield agent


@asynccontextmanager
async def graph() -> AsyncIterator[Graph]:
    """The graph for LangGraph's own tools (`langgraph.json`): input {"question", "patient"}, the rest from settings.

    The store answers by short synchronous SQLite calls, so a development server wants `langgraph dev --allow-blocking`.
    """
    settings = settings_module.read()
    with untraced():
        async with open_source((), settings) as source, auditing.open_record(settings) as record:
            thinker, model = reasoning.reasoner(settings)
            eyes = reasoning.vision_model(settings, model)
            charts = _Charts(source, settings, record, lazy=model is None)
            async with model or nullcontext(), (eyes if eyes is not model else None) or nullcontext():
                yield build(_stages(charts, settings, thinker, record, _looking(settings, eyes)))


def _looking(settings: Settings, model: ChatModel | None, fhir: Sequence[str] = ()) -> Looking:
    eyes = Eyes(model, seconds=settings.model_seconds) if model else None
    access = partial(open_access, settings=settings, given=fhir)
    return Looking(eyes=eyes, access=access, slices=settings.vision_slices)


def _stages(charts: _Charts, settings: Settings, thinker: Reasoner, record: Record | None, looking: Looking) -> Stages:
    tracer = Tracer(folder=settings.trace, patient_data=settings.trace_patient_data)
    return Stages(
        resolve=lambda patient, day: (patient_reference(patient), _day(day) or settings.today()),
        open=charts.open,
        understand=understand,
        grow=charts.grow,
        subject_of=subject_of,
        reworded=reworded,
        retrieve=retrieve if thinker.name == "rules" else _framed,
        reasoner=thinker,
        verify=verify,
        render=render_answer,
        supply=partial(supply, look=looking.tool if looking.eyes else None),
        look=looking,
        finish=partial(_finished, tracer, settings, record, charts.located),
        steps=settings.steps,
    )


async def _framed(chart: Chart, ask: Ask) -> Evidence:
    """The evidence with what a model is told beside the cards."""
    return framed(await retrieve(chart, ask), chart, ask)


class _Charts:
    """Opens charts and keeps the last one, so that a conversation reads the catalogue once.

    One that could not be wholly read is opened anew for the next question. A model may ask for anything, so its charts
    are not `lazy`.
    """

    def __init__(self, source: Source, settings: Settings, record: Record | None, *, lazy: bool = True) -> None:
        self._source, self._settings, self._record, self._lazy = source, settings, record, lazy
        self._locate: Callable[[Reference], str] = source.located if isinstance(source, Servers) else str
        self._key: tuple[Reference, date] | None = None
        self._chart: Chart | None = None
        self._lock = asyncio.Lock()

    async def open(self, patient: Reference, as_of: date) -> Chart:
        async with self._lock:
            kept = self._chart
            if kept is None or self._key != (patient, as_of) or kept.unread or kept.catalogue.unread():
                keep = partial(auditing.audited, self._record, self._settings, patient, self._locate)
                kept = self._chart = await open_chart(self._source, patient, as_of, lazy=self._lazy, keep=keep)
                self._key = (patient, as_of)
            return kept

    async def grow(self, chart: Chart, ask: Ask) -> Chart | None:
        """The chart with what it lacks for a question; None where it lacks nothing."""
        kinds = wanted(ask, chart)
        focus = None if chart.focus else focus_of(ask)
        return await self._keep(chart, await grown(chart, kinds, focus)) if kinds else None

    async def whole(self, patient: Reference, as_of: date) -> Chart:
        """The chart with all that it has."""
        chart = await self.open(patient, as_of)
        return await self._keep(chart, await grown(chart, chart.waiting)) if chart.waiting else chart

    def located(self, answer: Answer) -> Answer:
        """The answer with citations that say which server they are of, where there are several."""
        if not isinstance(self._source, Servers):
            return answer

        def name(text: str) -> str:
            return self._locate(Reference.parse(text)) if text else text

        told = [
            c.model_copy(update={"reference": name(c.reference), "inputs": [name(i) for i in c.inputs]})
            for c in answer.citations
        ]
        return answer.model_copy(update={"citations": told})

    async def _keep(self, old: Chart, new: Chart) -> Chart:
        async with self._lock:
            if self._chart is (old.wider or old):
                self._chart = new.wider or new
        return new


async def _finished(
    tracer: Tracer,
    settings: Settings,
    record: Record | None,
    located: Callable[[Answer], Answer],
    trace: Trace,
    answer: Answer,
) -> Answer:
    """The answer once it is on record. Raises OperatorError where it cannot be kept and the settings are strict."""
    answer = _written(tracer, trace, located(answer))
    if record:
        done = record(auditing.entry(auditing.who(settings, patient_reference(answer.patient)), answer))
        if done is not None:
            await done
    return answer


def _written(tracer: Tracer, trace: Trace, answer: Answer) -> Answer:
    """A trace that cannot be written is told in the answer; it does not cost the reader the answer."""
    try:
        tracer.write(trace, answer)
    except OSError as error:
        why = f"The trace could not be written: {error.strerror or type(error).__name__}."
        return answer.model_copy(update={"warnings": [*answer.warnings, why]})
    return answer


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UserError(f"as_of must be a day like 2024-05-31, not {text!r}") from error
