"""The agent as a LangGraph graph: open, retrieve, reason, verify, render. The wiring and nothing else.

    open ─► retrieve ─► reason ─► verify ─► render
               ▲           │         │
               └── needs ──┘         └─ once back to reason, with what failed

Every node calls one plain function of `Stages`. What a thread keeps (the question, its last turns, the answer)
is plain JSON data in checkpointed channels; the chart, the evidence and the drafts are in channels that are
never written to a checkpoint, nor is the name of the run, which its turn bears. The stages are bound when the
graph is built, not handed in as run context, since LangGraph's own tools start runs over JSON and could not hand
in functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langsmith import tracing_context
from typing_extensions import TypedDict

from agent.errors import NeedError, OperatorError, ScopeError, UserError
from agent.reasoners.base import Reasoner
from agent.trace import Trace
from agent.types import Answer, Ask, Draft, Evidence, Need, Turn, Usage, Verified
from fhir_tools.types import Reference, Search

__all__ = [
    "TURNS",
    "Given",
    "Graph",
    "Progress",
    "Saver",
    "Shown",
    "Stages",
    "State",
    "build",
    "stream",
    "untraced",
    "walk",
]

TURNS = 8
"""How many turns of a thread are kept."""

Graph = CompiledStateGraph[Any, Any, Any, Any]
Saver = BaseCheckpointSaver[Any]
Step = Literal["retrieve", "reason", "verify", "render", "__end__"]


class Given(TypedDict, total=False):
    """A run's input. `patient` is an id or `Patient/id`; `as_of` is `YYYY-MM-DD`, the setting's where it is missing.

    `run` names the run. Where the thread's last turn is of that name, the run was cut off after its answer was kept:
    it ends with that answer, and nothing is worked out or recorded again. `earlier` are the questions before this
    one, oldest first, where no thread keeps them: it may lean on those.
    """

    question: str
    patient: str
    as_of: str | None
    run: Annotated[str, UntrackedValue]
    earlier: list[str]


class Progress(TypedDict):
    """What a run tells while it works: the stage, and a few words without chart text."""

    stage: str
    text: str


class Shown(TypedDict):
    """A run's output: the public answer (`agent.types.Answer`) as JSON data."""

    answer: dict[str, Any]


class State(Given, total=False):
    """What passes between nodes. Only `Given`, `turns` and `answer` are ever checkpointed."""

    turns: list[dict[str, Any]]
    answer: dict[str, Any]
    work: Annotated[Any, UntrackedValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The plain functions behind the nodes, already bound to their source and settings.

    `open(patient, as_of)` gives the chart; `resolve(patient, as_of)` turns what was given into a Reference and a day.
    `supply` runs a reasoner's needs and returns the evidence with what they brought; None: there are no tools.
    `reworded(ask, wordings)` is the question in a reasoner's words where they are understood, or else told as not.
    `grow(chart, ask)` reads what more of the chart a question needs, None if nothing: it is understood again then.
    `look(chart, ask, evidence)` has the pixels of an image read that the question asks about.
    `steps` is how often one question may be reasoned about.
    """

    resolve: Callable[[str, str | None], tuple[Reference, date]]
    open: Callable[[Reference, date], Awaitable[Any]]
    understand: Callable[[str, Any, tuple[Turn, ...]], Ask]
    subject_of: Callable[[Ask], Any]
    retrieve: Callable[[Any, Ask], Awaitable[Evidence]]
    reasoner: Reasoner
    verify: Callable[[Ask, Draft, Evidence], Verified]
    render: Callable[..., Answer]
    finish: Callable[[Trace, Answer], Awaitable[Answer]]
    grow: Callable[[Any, Ask], Awaitable[Any]] | None = None
    supply: Callable[[Any, Ask, Evidence, tuple[Need, ...]], Awaitable[Evidence]] | None = None
    reworded: Callable[[Ask, Sequence[Ask]], Ask] = lambda asked, wordings: replace(
        asked, reads_as=wordings[0].question
    )
    look: Callable[[Any, Ask, Evidence], Awaitable[Evidence]] | None = None
    steps: int = 4


@dataclass(slots=True, kw_only=True)
class Work:
    """One run's working memory; it lives in an untracked channel. `reasoned` counts calls of the reasoner.

    `first` is the draft that verify saw first, with what it left of it.
    """

    patient: Reference
    as_of: date
    ask: Ask
    history: tuple[Turn, ...] = ()
    chart: Any = None
    evidence: Evidence = field(default_factory=Evidence)
    draft: Draft = field(default_factory=Draft)
    verified: Verified = field(default_factory=Verified)
    first: tuple[Draft, Verified] | None = None
    feedback: str = ""
    reasoned: int = 0
    usage: Usage = field(default_factory=Usage)
    trace: Trace = field(default_factory=Trace)
    next: Step = "retrieve"

    def stop(self, status: Literal["incomplete", "failed"], why: str) -> None:
        """Go to render with nothing claimed but the reason."""
        self.draft, self.verified, self.next = Draft(status=status, note=why), Verified(), "render"


def build(stages: Stages, checkpointer: Saver | None = None) -> Graph:
    """The compiled graph. Without a checkpointer it has no threads and keeps nothing."""
    nodes = _Nodes(stages)
    graph = StateGraph(State, input_schema=Given, output_schema=Shown)
    graph.add_node("open", nodes.open)
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_node("reason", nodes.reason)
    graph.add_node("verify", nodes.verify)
    graph.add_node("render", nodes.render)
    graph.add_edge(START, "open")
    graph.add_conditional_edges("open", _next, ["retrieve", "render", END])
    graph.add_conditional_edges("retrieve", _next, ["reason", "render"])
    graph.add_conditional_edges("reason", _next, ["retrieve", "verify", "render"])
    graph.add_conditional_edges("verify", _next, ["reason", "render"])
    graph.add_edge("render", END)
    # A round is at most three nodes: the step budget always ends a run before LangGraph's own limit does.
    return graph.compile(checkpointer=checkpointer, name="chartline").with_config(
        recursion_limit=3 * (stages.steps + 3)
    )


async def stream(
    graph: Graph, given: Given, thread: str | None = None, *, after: str | None = None
) -> AsyncIterator[Progress | Answer]:
    """Run the graph: progress as it comes, then the answer. A thread needs a graph with a checkpointer.

    `after` names the run that the thread answered last: it goes on from there (`agent.checkpoints.Knowing`).
    Nothing of the run goes to LangSmith, whatever the environment says. Raises UserError for a patient that the
    source does not hold, an empty question, and a thread that is about another patient.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread, "after": after}} if thread else {}
    answer: Mapping[str, Any] = {}
    with untraced():
        events = graph.astream(given, config, stream_mode=["custom", "values"], durability="exit" if thread else None)
        async for mode, chunk in events:
            if mode == "custom":
                yield Progress(stage=chunk["stage"], text=chunk["text"])  # type: ignore[index]
            else:
                answer = chunk.get("answer", answer)  # type: ignore[union-attr]
    yield Answer.model_validate(answer)


async def walk(stages: Stages, given: Given) -> AsyncIterator[Progress | Answer]:
    """One run that no thread keeps: the same nodes, in the order that they themselves say, and what `stream` tells.

    There is nothing to write down between two nodes, and LangGraph's steps would take longer than most questions do
    (decision 0025). Raises what `stream` raises; who stops listening stops the run.
    """
    told: asyncio.Queue[Progress | None] = asyncio.Queue()
    run = asyncio.ensure_future(_walked(_Nodes(stages), given, Runtime(stream_writer=told.put_nowait)))
    run.add_done_callback(lambda _: told.put_nowait(None))
    try:
        while (progress := await told.get()) is not None:
            yield progress
        yield Answer.model_validate(await run)
    finally:
        run.cancel()
        await asyncio.wait((run,))


async def _walked(nodes: _Nodes, given: Given, runtime: Runtime[None]) -> Mapping[str, Any]:
    state, step = State(**given), "open"  # type: ignore[typeddict-item]  # the rest is what nodes return
    while True:
        state |= await getattr(nodes, step)(state, runtime)
        if step == "render":
            return state["answer"]
        step = state["work"].next


def untraced() -> AbstractContextManager[None]:
    """Within it nothing goes to LangSmith, whatever the environment says."""
    return tracing_context(enabled=False)


async def _next(state: State) -> Step:
    """Where a node sends the run. Not waiting for anything: LangGraph runs a plain function in a thread of its own."""
    step: Step = state["work"].next
    return step


class _Nodes:
    """The nodes. Each returns the whole working memory, which LangGraph hands to the next."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def open(self, state: State, runtime: Runtime[None]) -> State:
        patient, as_of = self._stages.resolve(state.get("patient", ""), state.get("as_of"))
        question = " ".join(state.get("question", "").split())
        if not question:
            raise UserError('the question is empty; ask something, e.g. "last blood pressure?"')
        work = Work(
            patient=patient, as_of=as_of, ask=Ask(question=question, op="find"), history=_history(state, patient)
        )
        if _kept(state):
            work.next = "__end__"
            return {"work": work}
        _tell(runtime, "open", "opening the chart")
        with work.trace.stage("open") as row:
            try:
                work.chart = await self._stages.open(patient, as_of)
                await self._recall(state.get("earlier", []), work)
                await self._understand(question, work)
            except (OperatorError, ScopeError) as error:
                row["error"] = type(error).__name__
                work.stop("failed", f"The chart could not be opened: {error}")
                return {"work": work}
            work.trace.op = work.ask.op
            row["targets"] = len(work.ask.targets)
        return {"work": work}

    async def _recall(self, questions: Sequence[str], work: Work) -> None:
        """Understand earlier questions in their order, as far as the last turns go; nothing is answered again."""
        for question in questions[-TURNS:]:
            await self._understand(question, work)
            subject = dict(self._stages.subject_of(work.ask))
            work.history = (*work.history, Turn(question=question, text="", subject=subject, as_of=work.as_of))

    async def _understand(self, question: str, work: Work) -> None:
        """Understand the question, of as much of the chart as it needs."""
        work.ask = self._stages.understand(question, work.chart, work.history)
        while self._stages.grow and (more := await self._stages.grow(work.chart, work.ask)) is not None:
            work.chart = more
            work.ask = self._stages.understand(question, more, work.history)

    async def _reread(self, work: Work) -> None:
        """Understand the question anew in the wordings that a reasoner gave for it."""
        asked, wordings = work.ask, []
        for words in work.draft.reads_as:
            await self._understand(words, work)
            wordings.append(work.ask)
        work.ask = self._stages.reworded(asked, wordings)

    async def retrieve(self, state: State, runtime: Runtime[None]) -> State:
        work: Work = state["work"]
        _tell(runtime, "retrieve", _reading(work))
        work.next = "reason"
        with work.trace.stage("retrieve") as row:
            try:
                work.evidence = await self._fetch(work)
            except NeedError as error:
                work.feedback = str(error)
            except (OperatorError, ScopeError) as error:
                row["error"] = type(error).__name__
                failed = Search(query=f"the chart of {work.patient}", found=0, complete=False, error=str(error))
                work.evidence = replace(work.evidence, searched=(*work.evidence.searched, failed))
                work.stop("incomplete", f"Not all of the chart could be read: {error}")
            row |= {"cards": len(work.evidence.cards), "searches": len(work.evidence.searched)}
        if work.next == "reason" and work.evidence.view and self._stages.look:
            await self._look(work, runtime)
        work.usage, work.evidence = work.usage.plus(work.evidence.spent), replace(work.evidence, spent=None)
        return {"work": work}

    async def _look(self, work: Work, runtime: Runtime[None]) -> None:
        """Have the image read that the question asks about."""
        assert self._stages.look is not None  # noqa: S101  asked before
        _tell(runtime, "look", "looking at the image")
        with work.trace.stage("look") as row:
            work.evidence = await self._stages.look(work.chart, work.ask, work.evidence)
            row |= {"readings": len(work.evidence.readings)}

    async def _fetch(self, work: Work) -> Evidence:
        if work.draft.reads_as:
            await self._reread(work)
        if not work.draft.needs:
            return await self._stages.retrieve(work.chart, work.ask)
        if self._stages.supply is None:
            raise NeedError("there are no tools; answer from the cards")
        return await self._stages.supply(work.chart, work.ask, work.evidence, work.draft.needs)

    async def reason(self, state: State, runtime: Runtime[None]) -> State:
        work: Work = state["work"]
        if work.reasoned >= self._stages.steps:
            work.stop("incomplete", f"The step budget of {self._stages.steps} was used up before an answer was found.")
            return {"work": work}
        work.reasoned += 1
        _tell(runtime, "reason", f"reasoning over {_some(len(work.evidence.cards), 'card')}")
        reasoner = self._stages.reasoner
        with work.trace.stage("reason") as row:
            try:
                work.draft = await reasoner.reason(work.ask, work.evidence, work.history, work.feedback)
            except OperatorError as error:
                row["error"] = type(error).__name__
                work.stop("failed", f"The {reasoner.name} reasoner failed: {error}")
                return {"work": work}
            work.usage = work.usage.plus(work.draft.usage)
            row |= {"claims": len(work.draft.claims), "needs": len(work.draft.needs)}
        work.next = "retrieve" if work.draft.needs or work.draft.reads_as else "verify"
        return {"work": work}

    async def verify(self, state: State, runtime: Runtime[None]) -> State:
        work: Work = state["work"]
        _tell(runtime, "verify", f"checking {_some(len(work.draft.claims), 'claim')}")
        with work.trace.stage("verify") as row:
            verified = self._stages.verify(work.ask, work.draft, work.evidence)
            row |= {"kept": len(verified.claims), "removed": len(verified.removed)}
        work.trace.keep(work.draft, verified, work.evidence)
        # The second draft may be the worse one: what held the first time is not thrown away for it.
        if work.first and len(work.first[1].claims) > len(verified.claims):
            work.draft, verified = work.first
        again = bool(verified.removed) and work.first is None and work.reasoned < self._stages.steps
        work.first = (work.draft, verified)
        work.verified, work.feedback, work.next = verified, verified.feedback, "reason" if again else "render"
        return {"work": work}

    async def render(self, state: State, runtime: Runtime[None]) -> State:
        work: Work = state["work"]
        _tell(runtime, "render", "writing the answer")
        with work.trace.stage("render"):
            answer = self._stages.render(
                work.ask,
                work.draft,
                work.verified,
                work.evidence,
                patient=work.patient,
                as_of=work.as_of,
                reasoner=work.draft.by or self._stages.reasoner.name,
                usage=work.usage.model_copy(update={"seconds": round(work.trace.seconds, 3)}),
                thread=runtime.execution_info.thread_id if runtime.execution_info else None,
                trace=work.trace.id,
            )
        answer = await self._stages.finish(work.trace, answer)
        turns = [*state.get("turns", []), self._turn(work, answer, state.get("run", ""))]
        return {"answer": answer.model_dump(mode="json"), "turns": turns[-TURNS:]}

    def _turn(self, work: Work, answer: Answer, run: str) -> dict[str, Any]:
        subject = dict(self._stages.subject_of(work.ask)) if work.chart is not None else {}
        patient, day = str(work.patient), work.as_of.isoformat()
        return {
            "patient": patient,
            "question": work.ask.question,
            "text": answer.text,
            "subject": subject,
            "as_of": day,
            "run": run,
        }


def _kept(state: State) -> bool:
    """Whether the run's answer is in the thread already."""
    run, turns = state.get("run"), state.get("turns", [])
    return bool(run and turns) and turns[-1].get("run") == run


def _history(state: State, patient: Reference) -> tuple[Turn, ...]:
    """The thread's turns. A thread is about one patient: words of another's chart must not reach this one."""
    turns = state.get("turns", [])
    if any(turn["patient"] != str(patient) for turn in turns):
        raise UserError("this thread is about another patient; start another thread for this one")
    return tuple(
        Turn(question=t["question"], text=t["text"], subject=t["subject"], as_of=date.fromisoformat(t["as_of"]))
        for t in turns
    )


def _reading(work: Work) -> str:
    if work.draft.needs:
        return f"looking up {_some(len(work.draft.needs), 'thing')}"
    concepts = sum(len(target.keys) for target in work.ask.targets)
    return f"reading {_some(concepts, 'concept')}" if concepts else "reading the chart"


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tell(runtime: Runtime[None], stage: str, text: str) -> None:
    """A progress event of the custom stream; it holds counts, never chart text."""
    runtime.stream_writer({"stage": stage, "text": text})
