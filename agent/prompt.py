"""What a model is sent first: the fixed instructions, then the patient, then cards, then the question.

Chart text is data. It stands between fences, and nothing in it can close them, pass for a turn of the
conversation or pass for a citation mark (`agent.untrusted`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import prompts
from agent.chart import Chart
from agent.models.base import Message
from agent.types import Absence, Ask, Evidence, Turn
from agent.untrusted import escape, imitations
from fhir_tools import dates
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.types import Card

__all__ = [
    "escape", "estimate", "fit", "framed", "joined", "messages", "overview", "patient_line", "shown_card",
]  # fmt: skip

_PIECES = re.compile(r"[^\W\d_]+|\d|[^\w\s]{1,2}|\S|\n")
_MARKS = re.compile(r"\s*\[[a-z]?\d+(?:\s*[,;]\s*[a-z]?\d+)*\]")
_HISTORY_TURNS = 3
_TURN_LETTERS = 240
_OVERVIEW_TOKENS = 450
_SEXES = frozenset(("male", "female", "other", "unknown"))


def messages(
    ask: Ask,
    evidence: Evidence,
    patient_line: str = "",
    history: tuple[Turn, ...] = (),
    *,
    tools: str = "",
    worked: Sequence[str] = (),
    example: str = "",
) -> tuple[Message, ...]:
    """The messages of a first call: instructions, patient's line, catalogue (no marks), cards, earlier turns, question.

    What stays the same between two questions comes first, so that its KV cache is reused. `tools` says which needs
    there are; `worked` are lines that rules worked out, escaped and marked; they come before the cards.
    """
    prompt = prompts.load("answer")
    cards = (*worked, *map(shown_card, evidence.cards), *map(_absence, evidence.absent), *_escaped(evidence.overview))
    parts = prompt.user_parts(
        patient=escape(patient_line or evidence.patient),
        catalogue="\n".join(_escaped(evidence.catalogue)),
        cards="\n".join(cards),
        history="\n".join(_turn(turn) for turn in history[-_HISTORY_TURNS:]),
        example=example,
        question=escape(ask.question),
    )
    system = (f"{prompt.system}\n", tools) if tools else (prompt.system,)
    return Message(role="system", parts=system), Message(role="user", parts=(*parts[:-1], parts[-1].rstrip()))


def framed(evidence: Evidence, chart: Chart, ask: Ask) -> Evidence:
    """The evidence with what a model is told beside the cards: the patient's line and, where little was found,
    the chart's concepts by kind, so that it can ask for the one that is meant."""
    lost = bool(ask.unknown) or any(t.choices for t in ask.targets) or not (evidence.cards or evidence.absent)
    entries = chart.catalogue.entries if lost else ()
    return replace(
        evidence,
        patient=patient_line(chart.person, chart.as_of),
        overview=overview(entries, ask.question),
    )


def overview(entries: Iterable[CatalogueEntry], question: str, tokens: int = _OVERVIEW_TOKENS) -> str:
    """A line for each kind: labels with their counts, those with words of the question first, then the newest.

    Each kind gets its share of about `tokens`, so that many results do not hide the few conditions.
    """
    kinds: dict[str, list[CatalogueEntry]] = {}
    for entry in entries:
        if entry.kind != "patient" and entry.count:
            kinds.setdefault(entry.kind, []).append(entry)
    words = set(re.findall(r"[^\W\d_]{3,}", question.lower()))
    lines = []
    for left, (kind, of) in zip(range(len(kinds), 0, -1), sorted(kinds.items(), key=lambda k: len(k[1])), strict=True):
        line = _labels(kind, of, words, tokens // left)
        tokens -= estimate(line)
        lines.append(line)
    return "\n".join(lines)


def _labels(kind: str, entries: Sequence[CatalogueEntry], words: set[str], tokens: int) -> str:
    """`condition: Asthma; Gout 2 and 5 more`, within about so many tokens and always with one label."""
    ranked = sorted(entries, key=lambda e: e.last or "", reverse=True)
    ranked.sort(key=lambda e: -len(words & set(re.findall(r"[^\W\d_]{3,}", " ".join(e.labels or ()).lower()))))
    named: list[str] = []
    for entry in ranked:
        label = escape((entry.labels or (entry.concept.label,))[0])[:80]
        label += f" {entry.count}" if entry.count > 1 else ""
        tokens -= estimate(label) + 1
        if named and tokens < 6:
            break
        named.append(label)
    more = f" and {len(ranked) - len(named)} more" if len(ranked) > len(named) else ""
    return f"{kind}: {'; '.join(named)}{more}"


def patient_line(person: Mapping[str, Any], as_of: date) -> str:
    """Sex, birth date and age of the Patient resource, and the day that counts as today. No name, no ids.

    It stands outside the fence, so it holds codes and dates alone, never other text of the resource.
    """
    sex = str(person.get("gender"))
    parts = [sex] if sex in _SEXES else []
    try:
        born = dates.parse(str(person.get("birthDate") or ""))
        parts.append(f"born {born.text} ({dates.age_text(born, as_of)})")
    except ValueError:
        parts.append("birth date not recorded before today")
    if person.get("deceasedDateTime") or person.get("deceasedBoolean") is True:
        parts.append(f"deceased {_day(person.get('deceasedDateTime'))}".strip())
    return ", ".join((*parts, f"today is {as_of.isoformat()}"))


def _day(text: object) -> str:
    try:
        return dates.parse(str(text or "")).text
    except ValueError:
        return ""


def joined(sent: tuple[Message, ...]) -> str:
    """The whole text of the messages, as a template without roles would join it."""
    return "\n\n".join(message.text for message in sent)


def fit(evidence: Evidence, tokens: int) -> Evidence:
    """The evidence with as many of its first cards as go into about so many tokens, and always the first.

    Retrieve puts what was asked about first, so that what is left out is what stands beside it.
    """
    kept: list[Card] = []
    for card in evidence.cards:
        tokens -= estimate(card.text)
        if kept and tokens < 0:
            break
        kept.append(card)
    return replace(evidence, cards=tuple(kept))


def estimate(text: str) -> int:
    """About how many Gemma tokens: one for a digit or two signs, one for every six letters of a word or part of them.

    On prompts over the demo charts it is 2 % below what Gemma 3's tokenizer counts, and 10 % above for JSON.
    """
    return sum(-(-len(piece) // 6) if piece.isalpha() else 1 for piece in _PIECES.findall(text))


def _escaped(lines: str) -> Iterator[str]:
    return (escape(line) for line in lines.splitlines())


def shown_card(card: Card) -> str:
    """The card, escaped. Only a mark of this card may stand in brackets, and only where the card set it."""
    marks = frozenset(mark.id for mark in card.marks)
    faked = imitations(card)
    return "\n ".join(escape(faked.defused(line), marks) for line in (card.title, *card.lines))


def _absence(absence: Absence) -> str:
    """What was searched for and is not there, in few words: the mark keeps the queries."""
    searches = " ".join(f"[{id_}]" for id_ in absence.searched)
    what = escape(" ".join(filter(None, (absence.label, absence.window))))
    ended = "searched, not there" if absence.complete else "not all could be searched"
    hidden = f"; {absence.opaque} uncoded entries might be it" if absence.opaque else ""
    near = f"; the chart has {escape(', '.join(absence.near))}" if absence.near else ""
    return f"{what} ({', '.join(absence.kinds)}) {searches} {ended}{hidden}{near}"


def _turn(turn: Turn) -> str:
    """An earlier question and its answer, cut short; the marks of that answer mean nothing any more, so they go.

    Without a thread the answer is not known: what a caller says that it was is not told to a model.
    """
    answer = escape(_MARKS.sub("", turn.text))
    cut = f"{answer[:_TURN_LETTERS].rsplit(' ', 1)[0]} …" if len(answer) > _TURN_LETTERS else answer
    asked = f"Earlier: {escape(turn.question)[:_TURN_LETTERS]}"
    return f"{asked} Answer: {cut}" if cut else asked
