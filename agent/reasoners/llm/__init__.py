"""The llm reasoner: one prompt with cards, one completion under a schema, and a draft that code has made of it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import prompts
from agent.models.base import ChatModel, Completion, Message, Request
from agent.models.using import usage_of
from agent.prompt import estimate, fit, messages
from agent.reasoners.llm.drafting import CUT, ORDERS, drafted, named, or_rules, shows_orders, without_orders
from agent.reasoners.llm.examples import example_for
from agent.reasoners.llm.helping import Worked, worked_out
from agent.reasoners.llm.naming import SCHEMA, is_lost, naming_messages, wordings
from agent.reasoners.llm.objecting import THERE, denies_what_is_there, held_lines
from agent.reasoners.llm.reply import Reply, read
from agent.reasoners.llm.schema import Offered, needs_schema, reply_schema, tools_line
from agent.supply import Supplied
from agent.types import Ask, Draft, Evidence, Turn, Usage
from agent.untrusted import escape

__all__ = ["Llm", "Offered"]

NO_NAME = Draft(
    status="refused",
    note="The model found nothing in this chart that the question surely means, so nothing is told. "
    "Ask with the name of a result, a problem, a drug or a record.",
)
_KEPT = 256
_LONGEST_FAULTS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One question as the model is asked it: the messages, and what its reply may hold."""

    ask: Ask
    evidence: Evidence
    shown: Evidence
    worked: Worked
    messages: tuple[Message, ...]
    marks: tuple[str, ...]

    @property
    def key(self) -> str:
        """What makes two prompts the same question over the same cards, with the example or without."""
        said = (self.ask.question, self.shown.patient, *(card.text for card in self.shown.cards), *self.worked.lines())
        return hashlib.sha256("\0".join(said).encode()).hexdigest()


class Llm:
    """A `Reasoner` before a chat model.

    `helped`: what rules are sure of goes first among the cards. `tools` are what needs may call (none: no needs).
    `example` adds one worked example of the same kind of question: without it small models reply in bare values.
    `rewords`: a question that rules did not understand is first put into clinical names, by which rules answer it.
    `budget` bounds the tokens of the cards, `tokens` the reply, `thinking` what comes before it, `seconds` each
    call. The model is the caller's to open and close.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        helped: bool = True,
        tools: Sequence[Offered] = (),
        example: bool = True,
        rewords: bool = True,
        budget: int = 2500,
        tokens: int = 768,
        thinking: int = 0,
        seconds: float = 120.0,
    ) -> None:
        self.name = "llm"
        self._model, self._helped, self._example, self._rewords = model, helped, example, rewords
        self._tools, self._told = frozenset(t.name for t in tools), tools_line(tools)
        self._needs = needs_schema(tools)
        self._budget, self._tokens, self._thinking, self._seconds = budget, tokens, thinking, seconds
        self._replies: OrderedDict[str, Reply] = OrderedDict()

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        """One completion, or two where the first was cut off. Raises ModelError (an OperatorError).

        With `feedback` the model sees its last reply to the same prompt and what was wrong with it. Where it still has
        nothing that verify holds, and rules were sure, their answer is given and said to be theirs.
        """
        card = await self._model.describe()
        self.name = card.name
        if self._rewords and is_lost(ask, evidence) and not feedback and not isinstance(evidence, Supplied):
            words, usage = await self._reworded(ask)
            return Draft(reads_as=words, usage=usage) if words else replace(NO_NAME, usage=usage)
        if ask.reads_as and ask.unknown:
            return NO_NAME
        # A small model that parrots the example does so again when it is asked once more.
        case = self._case(ask, evidence, history, card.context, example=self._example and not feedback)
        reply, usage = await self._reply(case, self._turns(case, feedback))
        draft = or_rules(self._draft(case, reply), ask, evidence, case.worked, last=bool(feedback))
        orders = (ORDERS,) if shows_orders(case.shown) else ()
        return replace(draft, usage=usage, by=draft.by or self.name, warnings=(*draft.warnings, *orders))

    async def _reworded(self, ask: Ask) -> tuple[tuple[str, ...], Usage]:
        """The question in clinical names, where rules did not understand it."""
        request = Request(messages=naming_messages(ask), schema=SCHEMA, tokens=96, seconds=self._seconds)
        done = await self._model.complete(request)
        return wordings(done.text, ask), usage_of(done.used)

    def _case(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...], context: int, *, example: bool) -> _Case:
        shown = fit(evidence, self._room(context))
        worked = worked_out(ask, evidence) if self._helped else Worked()
        sent = messages(
            ask,
            shown,
            history=history,
            tools=self._told,
            worked=worked.lines(),
            example=self._shown_how(ask, shown) if example else "",
        )
        marks = [m.id for card in shown.cards for m in card.marks] + [i for a in shown.absent for i in a.searched]
        marks += [m for c in worked.draft.claims for m in c.marks]
        return _Case(
            ask=ask, evidence=evidence, shown=shown, worked=worked, messages=sent, marks=tuple(dict.fromkeys(marks))
        )

    def _shown_how(self, ask: Ask, shown: Evidence) -> str:
        lost = bool(self._tools and shown.overview and not shown.cards)
        return example_for(ask, lost=lost)

    def _room(self, context: int) -> int:
        """Tokens for the cards: the budget, or what a short context leaves beside a reply and all that is fixed."""
        fixed = estimate(prompts.load("answer").system) + self._tokens + self._thinking + 600
        return max(200, min(self._budget, context - fixed)) if context else self._budget

    def _turns(self, case: _Case, feedback: str) -> tuple[Message, ...]:
        """The prompt; with feedback also the model's last reply to it and what was wrong."""
        if not feedback:
            return case.messages
        before = self._replies.pop(case.key, None)
        return _further(case.messages, before.said() if before else "", _objected(case, before or Reply(), feedback))

    async def _reply(self, case: _Case, turns: tuple[Message, ...]) -> tuple[Reply | None, Usage]:
        schema = reply_schema(case.marks, self._needs)
        request = Request(
            messages=turns, schema=schema, tokens=self._tokens, thinking=self._thinking, seconds=self._seconds
        )
        done = await self._model.complete(request)
        reply, usage = self._read(case, done), usage_of(done.used)
        again = self._again(case, reply, turns)
        if again:
            done = await self._model.complete(replace(request, messages=again))
            reply, usage = self._read(case, done) or reply, usage.plus(usage_of(done.used))
        if reply is not None:
            self._keep(case.key, reply)
        return reply, usage

    def _again(self, case: _Case, reply: Reply | None, turns: tuple[Message, ...]) -> tuple[Message, ...]:
        """The turns for a second call where the first reply is no use; none where it is to be taken as it is."""
        if reply is None:
            return _further(turns, "", prompts.load("shorter").user_text())
        if len(turns) > len(case.messages) or not denies_what_is_there(reply, case.shown):
            return ()
        return _further(case.messages, reply.said(), _objected(case, reply, THERE))

    def _read(self, case: _Case, done: Completion) -> Reply | None:
        if done.finish == "length":
            return None
        return read(done.text, frozenset(case.marks), self._tools)

    def _keep(self, key: str, reply: Reply) -> None:
        """Remember a reply for verify's feedback; many questions may be under way, so the oldest go."""
        self._replies[key] = reply
        while len(self._replies) > _KEPT:
            self._replies.popitem(last=False)

    def _draft(self, case: _Case, reply: Reply | None) -> Draft:
        if reply is None:
            return Draft(status="incomplete", note=CUT)
        known = replace(reply, claims=tuple(named(case.worked.known(c), case.evidence) for c in reply.claims))
        trusted, warnings = without_orders(known.claims, case.worked.draft.claims, case.ask, case.evidence)
        draft = drafted(replace(known, claims=trusted), case.ask, case.evidence)
        return replace(draft, warnings=(*draft.warnings, *warnings))


def _objected(case: _Case, reply: Reply, faults: str) -> str:
    """The turn that says what was wrong, with what the marks that the reply named really hold."""
    told = prompts.load("feedback")
    records = "\n".join(held_lines(reply, case.shown))
    return told.user_text(faults=escape(faults)[:_LONGEST_FAULTS], records=records)


def _further(turns: tuple[Message, ...], said: str, told: str) -> tuple[Message, ...]:
    """A further user turn behind the model's own; without that it joins the user's, since roles must alternate."""
    if said:
        return (*turns, Message(role="assistant", parts=(said,)), Message(role="user", parts=(told,)))
    last = turns[-1]
    return (*turns[:-1], replace(last, parts=(*last.parts, f"\n\n{told}")))
