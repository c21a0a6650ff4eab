"""A question about what notes say: which notes are meant, and what is to be looked for in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.types import Target
from agent.understand.reading import Reading
from agent.understand.targets import distinct, joined, target_of
from agent.understand.vocabulary import FUNCTION_WORDS
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, words_of

__all__ = ["asks_of_notes", "sought"]

_NOUN = r"(?:notes?|reports?|documentation|documents?|letters?|summar(?:y|ies)|h\s*&\s*p|h and p)"
_SAID = (
    r"(?:sa(?:y|ys|id|ying)|mention(?:s|ed|ing)?|state[sd]?|describe[sd]?|document(?:s|ed)?|report(?:s|ed)?|tells?|"
    r"discuss(?:es|ed)?|contains?|shows?|reads?)"
)
_THE = r"(?:the|any|a|an|his|her|their|which|some|all)"
_NO_QUALIFIER = r"(?:the|any|a|an|his|her|their|in|of|to|about|do|does|did|what|is|was|there|which)\b"
_PLACE = re.compile(
    rf"\b(?:(?:in|from|per|by|of|on|according to)\s+)?{_THE}?\s*(?:(?:last|latest|most recent|newest|recent)\s+)?"
    rf"(?P<which>(?:(?!{_NO_QUALIFIER})[\w'’-]+\s+){{0,4}}?)(?P<noun>{_NOUN})\b",
    re.IGNORECASE,
)
"""Where to look: the notes, with the words that say which ones."""
_FEW = r"(?:[\w-]+\s+)"
_NOTES_SAY = re.compile(
    rf"\b{_NOUN}\b\s*{_FEW}{{0,2}}?{_SAID}\b|\b{_SAID}\b[^?]*\b(?:in|by|from) {_FEW}{{0,4}}{_NOUN}\b"
    rf"|\b(?:according to|per|in|from) {_FEW}{{0,4}}{_NOUN}\b|\bmention of\b"
    rf"|\b(?:search|look (?:in|through)|quote) {_FEW}{{0,3}}{_NOUN}\b",
    re.IGNORECASE,
)
_ANY_NOTE = frozenset(("note", "notes", "document", "documents", "documentation", "report", "reports"))
_FRAME = frozenset(
    """say says said saying mention mentions mentioned mentioning state states stated describe describes described tell
    tells anything something thing note notes noted document documents documented report reports reported record
    recorded according search look quote written write writes wrote regarding concerning why when where how any there
    score value result findings finding patient pt patients discuss discusses discussed contain contains show shows read
    reads found find about on in of""".split()
)
"""Words of the question itself, which no note is searched for."""


def asks_of_notes(text: str) -> bool:
    """Whether a question asks what notes or reports say."""
    return bool(_NOTES_SAY.search(text)) and bool(_PLACE.search(text) or "mention of" in text.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The words `[first, last)` of a question that say where to look; `which` are those that say in which notes."""

    first: int
    last: int
    which: str
    noun: str


def sought(reading: Reading, matcher: Matcher) -> tuple[tuple[Target, ...], str]:
    """What notes are searched for, and the notes meant; and the words that name notes that the chart does not have."""
    place = _place(reading)
    # A name that was mended would not stand in a note that has the words as they were typed.
    named = [m for m in reading.mentions if not m.corrected]
    outside = [m for m in named if not (place and place.first < m.last and m.first < place.last)]
    notes, unknown = _notes(place, reading, matcher) if place else ((), "")
    targets = [target_of(group, (), "find", matcher) for group in joined(outside)]
    loose = tuple(_loose(reading, outside, place))
    reading.left.clear()
    return distinct((*notes, *targets, *loose)), unknown


def _place(reading: Reading) -> _Place | None:
    """The last place that a question names: "a mention of the operation in the discharge summary"."""
    found = [m for m in _PLACE.finditer(reading.text) if m["noun"].lower() not in ("document", "report", "documents")]
    found = found or list(_PLACE.finditer(reading.text))
    if not found:
        return None
    m = next((m for m in found if m["which"].strip()), found[-1])
    inside = [i for i, w in enumerate(reading.words) if w.start < m.end() and m.start() < w.end]
    if not inside:
        return None
    which = " ".join(w for w in m["which"].split() if w.lower() not in FUNCTION_WORDS and w.lower() not in _FRAME)
    return _Place(first=inside[0], last=inside[-1] + 1, which=which, noun=m["noun"])


def _notes(place: _Place, reading: Reading, matcher: Matcher) -> tuple[tuple[Target, ...], str]:
    words = f"{place.which} {place.noun}".strip()
    if not place.which and place.noun.lower() in _ANY_NOTE:
        return (), ""
    entries = _entries(place, words, reading, matcher)
    if not entries:
        return (), words
    return (
        Target(
            words=words,
            label=entries[0].concept.label if len(entries) == 1 else words,
            kinds=("document", "report"),
            keys=tuple(dict.fromkeys(e.key for e in entries)),
        ),
    ), ""


def _entries(place: _Place, words: str, reading: Reading, matcher: Matcher) -> tuple[CatalogueEntry, ...]:
    """The kinds of note: by the lexicon's names for them and the words of their labels, else by site and modality."""
    classes = [(e.kind, e.id) for e in matcher.lexicon.lookup(words, ("document",))]
    wanted = [w.text for w in words_of(place.which)]
    named = [e for e in matcher.catalogue.of("document", "report") if wanted and _is_called(e, wanted)]
    found = {(e.kind, e.key): e for e in (*matcher.entries_of(classes, ("document", "report")), *named)}
    if found:
        return tuple(found.values())
    inside = [m for m in reading.mentions if place.first <= m.first and m.last <= place.last]
    meant = [target_of(group, (), "find", matcher) for group in joined(inside)]
    keys = {k for t in meant for k in t.keys}
    return tuple(e for e in matcher.catalogue.of("document", "report") if e.key in keys)


_STEM = 4
"""Letters by which words are of one family: nursing and nurse, abdominal and abdomen, operative and operation."""


def _is_called(entry: CatalogueEntry, wanted: Sequence[str]) -> bool:
    own = {w.text for label in (entry.concept.label, *entry.labels) for w in words_of(label)}
    return all(
        w in own or any(len(w) > _STEM and len(x) > _STEM and x[:_STEM] == w[:_STEM] for x in own) for w in wanted
    )


def _loose(reading: Reading, mentions: Sequence[Mention], place: _Place | None) -> Iterator[Target]:
    """Runs of other words, as they are typed: what no name accounts for is searched for word by word."""
    free = [i for i in range(len(reading.words)) if _is_topic(i, reading, mentions, place)]
    runs: list[list[int]] = []
    for i in free:
        if runs and i - runs[-1][-1] <= 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    for run in runs:
        words = reading.text[reading.words[run[0]].start : reading.words[run[-1]].end].strip(' ?.,;:!"')
        yield Target(words=words, label=words)


def _is_topic(i: int, reading: Reading, mentions: Sequence[Mention], place: _Place | None) -> bool:
    word = reading.words[i]
    if any(m.first <= i < m.last for m in mentions) or reading.in_time(word):
        return False
    if place and place.first <= i < place.last:
        return False
    return word.text not in FUNCTION_WORDS and word.text not in _FRAME
