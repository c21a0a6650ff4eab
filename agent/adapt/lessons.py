"""One question of one chart as a lesson: what the llm reasoner sends for it, and what becomes of a reply.

The prompt is never written here: the llm reasoner itself is asked, before a model that says the reply that is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.chart import Chart
from agent.models.base import ModelCard, Request
from agent.models.scripted import Scripted
from agent.prompt import framed
from agent.reasoners import rules
from agent.reasoners.llm import Llm
from agent.reasoners.rules import Rules
from agent.render import answer
from agent.retrieve import retrieve
from agent.settings import Settings
from agent.supply import supply
from agent.types import Answer, Ask, Draft, Evidence, Need, Turn, Verified
from agent.understand import subject_of, understand
from agent.verify import verify
from fhir_tools.tools import AVAILABLE

__all__ = ["Lesson", "Told", "lesson", "supplied", "tell"]

_CALLS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A question with all that the reasoner gets for it. `means` is the question as rules would understand it."""

    chart: Chart
    ask: Ask
    evidence: Evidence
    means: Ask
    history: tuple[Turn, ...] = ()
    helped: bool = True

    def worked(self) -> Draft:
        """What rules make of the same evidence."""
        return rules.draft(self.means, self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the program makes of a reply: the request that it answers, the draft, what verify left, the answer."""

    request: Request
    draft: Draft
    verified: Verified
    answer: Answer


async def lesson(chart: Chart, question: str, *, before: str = "", means: str = "", helped: bool = True) -> Lesson:
    """The question understood and its evidence, as the graph has them before it reasons. Raises SourceError."""
    history = (await _turn(chart, before),) if before else ()
    ask = understand(question, chart, history)
    evidence = framed(await retrieve(chart, ask), chart, ask)
    meant = understand(means, chart) if means else ask
    return Lesson(chart=chart, ask=ask, evidence=evidence, means=meant, history=history, helped=helped)


async def _turn(chart: Chart, question: str) -> Turn:
    """An earlier question of the thread, as rules answer it."""
    ask = understand(question, chart)
    evidence = await retrieve(chart, ask)
    draft = await Rules().reason(ask, evidence)
    told = _answered(chart, ask, draft, verify(ask, draft, evidence), evidence)
    return Turn(question=question, text=told.text, subject=subject_of(ask), as_of=chart.as_of)


async def supplied(of: Lesson, needs: Sequence[Need]) -> Lesson:
    """The lesson after its needs were run. Raises NeedError where they bring nothing."""
    evidence = await supply(of.chart, of.ask, of.evidence, needs)
    return Lesson(chart=of.chart, ask=of.ask, evidence=evidence, means=of.means, history=of.history, helped=of.helped)


async def tell(of: Lesson, reply: str, settings: Settings, context: int) -> Told:
    """What the program would send for the lesson, and tell if a model replied so.

    Raises ModelError for a prompt over the context.
    """
    model = Scripted(lambda _: reply, card=ModelCard(name="taught", context=context), check=False)
    reasoner = Llm(
        model, helped=of.helped, tools=AVAILABLE, rewords=False, budget=settings.tokens, seconds=_CALLS
    )  # what is taught is the reply over cards and tools, not a rewording
    draft = await reasoner.reason(of.ask, of.evidence, of.history)
    verified = verify(of.ask, draft, of.evidence)
    told = _answered(of.chart, of.ask, draft, verified, of.evidence)
    return Told(request=model.requests[0], draft=draft, verified=verified, answer=told)


def _answered(chart: Chart, ask: Ask, draft: Draft, verified: Verified, evidence: Evidence) -> Answer:
    return answer(
        ask, draft, verified, evidence, patient=chart.patient, as_of=chart.as_of, reasoner=draft.by or "taught"
    )
