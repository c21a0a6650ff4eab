"""A chat model reads the chart for what rules leave open: reasoning first, then the label under a schema, and its
citations verified. What cannot be verified stays unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import prompts
from agent.models.base import ChatModel, Message, Request, Used
from agent.prompt import overview, patient_line
from agent.retrieve.notes import quoted
from agent.trials.checks import Measurement, Reader, Record, walk
from agent.trials.judging import Finder, Told
from agent.trials.names import meanings
from agent.trials.types import Criterion, VerdictWord
from agent.types import Ask, Claim, Draft, Evidence, Target, Usage
from agent.untrusted import escape
from agent.verify import verify
from fhir_tools import compute
from fhir_tools.cards import event_card, measurement_card
from fhir_tools.errors import ModelError
from fhir_tools.types import Card, Fact, Mark

__all__ = ["ModelReader", "label_schema"]

_REASONING = {
    "type": "object",
    "properties": {"reasoning": {"type": "string", "maxLength": 900}},
    "required": ["reasoning"],
    "additionalProperties": False,
}
_FACTS = 40
_WORDS: tuple[VerdictWord, ...] = get_args(VerdictWord)


def label_schema(marks: Sequence[str]) -> dict[str, Any]:
    """The schema of a label: the sentence, the marks that bear it (of those shown), then the verdict."""
    items = {"type": "string", "enum": list(marks)} if marks else {"type": "boolean"}
    return {
        "type": "object",
        "properties": {
            "because": {"type": "string", "minLength": 1, "maxLength": 300},
            "marks": {"type": "array", "items": items, "maxItems": 6 if marks else 0},
            "verdict": {"type": "string", "enum": list(_WORDS)},
        },
        "required": ["because", "marks", "verdict"],
        "additionalProperties": False,
    }


class ModelReader:
    """A reader (`agent.trials.screening.Reads`) before a chat model, which is the caller's to open and close."""

    def __init__(self, model: ChatModel, *, tokens: int = 500, thinking: int = 0, seconds: float = 120.0) -> None:
        self._model, self._tokens, self._thinking, self._seconds = model, tokens, thinking, seconds

    async def __call__(self, criterion: Criterion, told: Told, finder: Finder) -> tuple[Told, Usage, str]:
        """What the model finds, verified; what rules know where it finds nothing that holds. A model's fault is told
        as the reason of an unknown: one statement must not end a run."""
        card = await self._model.describe()
        evidence = await _evidence(criterion, told, finder)
        if not (evidence.cards or told.facts):
            return told, Usage(), "rules"
        try:
            label, used = await self._label(criterion, told, finder, evidence)
        except ModelError as error:
            return replace(told, reason=f"{told.reason}; the model failed: {error}"), Usage(), "rules"
        found = _verified(criterion, told, evidence, label)
        return found, used, card.name if found is not told else "rules"

    async def _label(
        self, criterion: Criterion, told: Told, finder: Finder, evidence: Evidence
    ) -> tuple[dict[str, Any] | None, Usage]:
        turns = _messages(criterion, told, finder, evidence)
        first = Request(
            messages=turns, schema=_REASONING, tokens=self._tokens, thinking=self._thinking, seconds=self._seconds
        )
        thought = await self._model.complete(first)
        marks = [m.id for c in evidence.cards for m in c.marks]
        asked = prompts.load("criterion_label").user_text()
        further = (*turns, Message(role="assistant", parts=(thought.text,)), Message(role="user", parts=(asked,)))
        second = Request(messages=further, schema=label_schema(marks), tokens=300, seconds=self._seconds)
        done = await self._model.complete(second)
        usage = _usage(thought.used, done.used)
        return (_read(done.text, marks) if "length" not in (thought.finish, done.finish) else None), usage


def _usage(*used: Used) -> Usage:
    return Usage(
        llm_calls=sum(u.calls for u in used),
        prompt_tokens=sum(u.prompt for u in used),
        cached_prompt_tokens=sum(u.cached for u in used),
        completion_tokens=sum(u.completion + u.thinking for u in used),
        seconds=sum(u.seconds for u in used),
    )


async def _evidence(criterion: Criterion, told: Told, finder: Finder) -> Evidence:
    """Cards of what rules found, and the sentences of notes that name what the statement is about."""
    cards = _cards(told.facts, finder)
    targets = tuple(_targets(criterion))
    if targets:
        ask = Ask(question=criterion.statement.text, op="find", targets=targets)
        cards += await quoted(finder.gather, ask, None)
    return finder.gather.evidence(cards)


def _cards(facts: Sequence[Fact], finder: Finder) -> tuple[Card, ...]:
    by_concept: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.kind != "patient":
            by_concept.setdefault((fact.kind, fact.concept.key), []).append(fact)
    out = []
    for (kind, _), group in by_concept.items():
        some = compute.in_order(tuple(group))[-_FACTS:]
        make = measurement_card if kind in ("measurement", "social") else event_card
        out.append(make(finder.gather.marks, some))
    return tuple(out)


def _targets(criterion: Criterion) -> list[Target]:
    names: dict[str, Target] = {}
    for leaf in walk(criterion.check):
        if isinstance(leaf, Record | Measurement):
            kind = leaf.kind if isinstance(leaf, Record) else "measurement"
            for c in leaf.of:
                known = tuple((e.kind, e.id) for e in meanings(c.name, kind))
                names[c.name] = Target(words=c.name.lower(), label=c.name, lexicon=known)
        elif isinstance(leaf, Reader):
            names[leaf.why] = Target(words=leaf.why.lower(), label=leaf.why)
    return list(names.values())


def _messages(criterion: Criterion, told: Told, finder: Finder, evidence: Evidence) -> tuple[Message, ...]:
    prompt = prompts.load("criterion")
    chart = finder.chart
    lines = [
        escape(line, frozenset(m.id for m in card.marks))
        for card in evidence.cards
        for line in (card.title, *card.lines)
    ]
    user = prompt.user_parts(
        patient=escape(patient_line(chart.person, chart.as_of)),
        catalogue="\n".join(
            escape(x) for x in overview(chart.catalogue.entries, criterion.statement.text).splitlines()
        ),
        cards="\n".join(lines),
        statement=escape(criterion.statement.text),
        open=escape(told.reason)[:400],
    )
    return Message(role="system", parts=(prompt.system,)), Message(role="user", parts=user)


def _read(text: str, marks: Sequence[str]) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = isinstance(data, dict) and data.get("verdict") in _WORDS and isinstance(data.get("because"), str)
    if not known:
        return None
    named = [m for m in data.get("marks") or () if m in marks]
    return {**data, "marks": named, "because": escape(data["because"])}


def _verified(criterion: Criterion, told: Told, evidence: Evidence, label: dict[str, Any] | None) -> Told:
    """The label where a record bears its sentence; else what rules know."""
    if label is None or label["verdict"] == "unknown" or not label["marks"]:
        return told
    ask = Ask(question=criterion.statement.text, op="find")
    claim = Claim(text=label["because"], marks=tuple(label["marks"]))
    held = verify(ask, Draft(claims=(claim,)), evidence)
    if not held.claims:
        return told
    shown: dict[str, Mark] = {m.id: m for c in evidence.cards for m in c.marks}
    marks = tuple(shown[m] for m in held.claims[0].marks if m in shown)
    if not marks:
        return told
    return replace(told, word=label["verdict"], reason=label["because"].rstrip("."), marks=marks, missing="", asks=())
