"""What a model is sent first: the fixed instructions, then the patient, then cards, then the question.

Chart text is data. It stands between fences, and nothing in it can close them, pass for a turn of the
conversation or pass for a citation mark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import prompts
from agent.types import Absence, Ask, Evidence, Turn
from fhir_tools import dates
from fhir_tools.types import Card, Mark

__all__ = ["Message", "escape", "estimate", "fit", "joined", "messages", "patient_line"]

# `<` before a letter, a bar or a slash begins a special token or a fence; before a digit it is a comparator.
_TAG = re.compile(r"<(?=\s*[A-Za-z/|!?_])")
# Brackets stand in UCUM units too (`mm[Hg]`): only what has the shape of a mark, or of several, is one.
_MARK = re.compile(r"\[\s*([a-z]?\d{1,4}(?:\s*[,;]\s*[a-z]?\d{1,4})*)\s*\]", re.IGNORECASE)
_PIECES = re.compile(r"[^\W\d_]+|\S|\n")
_SPACES = re.compile(r"\s+")
_HISTORY_TURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a chat model. A template without a system role puts `system` before the first `user`."""

    role: Literal["system", "user", "assistant"]
    text: str


def messages(ask: Ask, evidence: Evidence, patient_line: str, history: tuple[Turn, ...] = ()) -> tuple[Message, ...]:
    """The messages of a first call: instructions, patient's line, catalogue (no marks), cards, earlier turns, question.

    What stays the same between two questions comes first, so that its KV cache is reused.
    """
    prompt = prompts.load("answer")
    user = prompt.user_text(
        patient=escape(patient_line),
        catalogue="\n".join(escape(line) for line in evidence.catalogue.splitlines()),
        cards="\n".join((*map(_card, evidence.cards), *map(_absence, evidence.absent))),
        history="\n".join(_turn(turn) for turn in history[-_HISTORY_TURNS:]),
        question=escape(ask.question),
    )
    return Message(role="system", text=prompt.system), Message(role="user", text=re.sub(r"\n{2,}", "\n", user))


def patient_line(person: Mapping[str, Any], as_of: date) -> str:
    """Sex, birth date and age of the Patient resource, and the day that counts as today. No name, no ids."""
    parts = [str(person["gender"])] if isinstance(person.get("gender"), str) else []
    try:
        born = dates.parse(str(person.get("birthDate") or ""))
        parts.append(f"born {born.text} ({dates.age_text(born, as_of)})")
    except ValueError:
        parts.append("birth date not recorded before today")
    if person.get("deceasedDateTime") or person.get("deceasedBoolean") is True:
        parts.append(f"deceased {str(person.get('deceasedDateTime') or '')[:10]}".strip())
    return ", ".join((*parts, f"today is {as_of.isoformat()}"))


def joined(sent: tuple[Message, ...]) -> str:
    """The whole text of the messages, as a template without roles would join it."""
    return "\n\n".join(message.text for message in sent)


def escape(text: str, marks: frozenset[str] = frozenset()) -> str:
    """Chart or user text on one line, without special tokens, invisible characters or look-alikes of marks.

    `[7]` becomes `(7)` unless `7` is one of `marks`.
    """
    text = _SPACES.sub(" ", "".join(c for c in text if not _invisible(c)))
    text = _MARK.sub(lambda found: found[0] if found[1] in marks else f"({found[1]})", text)
    return _TAG.sub("‹", text).strip()


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
    """About how many Gemma tokens: one for a digit or a sign, one for every six letters of a word or part of them."""
    return sum(-(-len(piece) // 6) if piece.isalpha() else 1 for piece in _PIECES.findall(text))


def _invisible(character: str) -> bool:
    """Zero-width, bidirectional, tag and other format characters, controls, and variation selectors."""
    if character in "\t\n\r":
        return False
    category = unicodedata.category(character)
    return category in ("Cf", "Cc", "Co", "Cs") or "VARIATION SELECTOR" in unicodedata.name(character, "")


def _card(card: Card) -> str:
    """The card, escaped. Only a mark of this card may stand in brackets, and only where the card set it."""
    marks = frozenset(mark.id for mark in card.marks)
    return "\n ".join(escape(_defused(line, card), marks) for line in (card.title, *card.lines))


def _absence(absence: Absence) -> str:
    """What was searched for and is not there, in few words: the mark keeps the queries."""
    searches = " ".join(f"[{id_}]" for id_ in absence.searched)
    what = escape(" ".join(filter(None, (absence.label, absence.window))))
    ended = "searched, not there" if absence.complete else "not all could be searched"
    hidden = f"; {absence.opaque} uncoded entries might be it" if absence.opaque else ""
    near = f"; the chart has {escape(', '.join(absence.near))}" if absence.near else ""
    return f"{what} ({', '.join(absence.kinds)}) {searches} {ended}{hidden}{near}"


def _defused(line: str, card: Card) -> str:
    """The line with what it quotes from the chart escaped, so that a note saying `[1]` does not pass for mark 1."""
    for text in (text for mark in card.marks for text in _quoted(mark)):
        if _MARK.search(text):
            line = line.replace(text, escape(text))
    return line


def _quoted(mark: Mark) -> Iterator[str]:
    yield mark.shown
    if mark.span:
        yield mark.span.quote
    for fact in mark.facts:
        yield fact.concept.label
        if isinstance(fact.value, str):
            yield fact.value


def _turn(turn: Turn) -> str:
    """An earlier question and its answer; the marks of that answer mean nothing any more, so they go."""
    answer = escape(_MARK.sub("", turn.text))
    return f"Earlier: {escape(turn.question)} Answer: {answer}"
