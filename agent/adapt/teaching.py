"""A question → rows: the reply that is right is what rules worked out, told through the program before it is taught.

Nothing is taught that the program would not tell: each reply goes through the llm reasoner and verify as a model's
would, and is dropped where a claim fails, where a mark was not among those shown, or where rules are not sure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.adapt.lessons import Lesson, Told, lesson, supplied, tell
from agent.adapt.questions import Posed
from agent.adapt.rows import Row, Said
from agent.chart import Chart
from agent.errors import ModelError, NeedError
from agent.models.checking import fault
from agent.prompt import estimate
from agent.reasoners.llm.reply import Reply
from agent.settings import Settings
from agent.types import Claim, Need, Verified
from agent.verify import verify

__all__ = ["Dropped", "Teacher"]

_NO_REPLY = Reply(status="refused").said()
# A turn's own tokens, and what an estimate may be short by (`agent.prompt.estimate`).
_TURNS, _SHORT = 24, 1.05


class Dropped(Exception):
    """A question that is not taught. `why` is a short reason without chart text."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """Makes rows. `context` is the tokens that a prompt and its reply may take together."""

    settings: Settings
    context: int
    patient_ids: bool = True

    async def rows(self, chart: Chart, posed: Posed, *, helped: bool) -> list[Row]:
        """The row of a question, or two where something is looked up first. Raises Dropped."""
        of = await lesson(chart, posed.question, before=posed.before, means=posed.means, helped=helped)
        if not of.evidence.complete:
            raise Dropped("not all of the chart could be read")
        if not posed.means:
            reply = Reply(status="refused") if posed.kind == "advice" else answered(of)
            return [await self._row(of, posed, reply)]
        if not (of.ask.unknown and of.evidence.overview) or of.evidence.cards:
            raise Dropped("nothing had to be looked up")
        need = Need(tool="find", arguments={"what": posed.label})
        if posed.label not in of.evidence.overview:
            raise Dropped("the overview is too short to show the concept")
        try:
            after = await supplied(of, (need,))
        except NeedError:
            raise Dropped("what was looked up brought nothing") from None
        second = await self._row(after, posed, answered(after), needs=(need,))
        return [await self._row(of, posed, Reply(needs=(need,), status="answered")), second]

    async def _row(self, of: Lesson, posed: Posed, reply: Reply, needs: tuple[Need, ...] = ()) -> Row:
        try:
            told = await tell(of, reply.said(), self.settings, self.context)
        except ModelError:
            raise Dropped("longer than the context") from None
        _check(told, reply)
        tokens = sum(estimate(m.text) for m in told.request.messages) + estimate(reply.said())
        if tokens * _SHORT + _TURNS > self.context:
            raise Dropped("longer than the context")
        patient = str(of.chart.patient)
        row = {
            "kind": f"{posed.kind}, looked up" if needs else posed.kind,
            "patient": patient if self.patient_ids else "",
            "as_of": of.chart.as_of,
            "question": posed.question,
            "before": posed.before,
            "means": posed.means,
            "helped": of.helped,
            "needs": tuple({"tool": n.tool, "arguments": dict(n.arguments)} for n in needs),
            "messages": tuple(Said(role=m.role, parts=m.parts) for m in told.request.messages),
            "schema": told.request.schema,
            "reply": reply.said(),
        }
        return Row.model_validate({"id": _id(row), **row})


def answered(of: Lesson) -> Reply:
    """The reply that rules are sure of, with the marks that verify holds. Raises Dropped where they are not."""
    draft = of.worked()
    verified: Verified = verify(of.ask, draft, of.evidence)
    if verified.removed:
        raise Dropped(f"verify does not hold it ({verified.removed[0].kind})")
    if draft.status == "not_found":
        return Reply(status="not_found")
    if draft.status != "answered" or not verified.claims:
        raise Dropped(f"rules have no answer ({draft.status})")
    claims = tuple(Claim(text=c.text, marks=c.marks) for c in verified.claims)
    return Reply(claims=claims, status="answered")


def _check(told: Told, reply: Reply) -> None:
    """Raises Dropped unless the program tells just this reply, whole."""
    assert told.request.schema is not None  # noqa: S101  the llm reasoner always sends one
    wrong = fault(reply.said(), told.request.schema)
    if wrong:
        raise Dropped("the reply's schema does not allow it (too long, or a mark that no card shows)")
    if told.draft.by == "rules" or told.verified.removed or told.draft.warnings:
        raise Dropped("the program would not tell it as it is")
    if reply.needs:
        return
    if len(told.verified.claims) != len(reply.claims) or told.answer.status != reply.status:
        raise Dropped("the program would not tell it as it is")


def _id(row: Mapping[str, Any]) -> str:
    """The same for the same prompt and reply, so that equal rows are known; it gives no patient away."""
    said = "\0".join(part for m in row["messages"] for part in m.parts)
    return hashlib.sha256(f"{said}\0{row['reply']}".encode()).hexdigest()[:16]
