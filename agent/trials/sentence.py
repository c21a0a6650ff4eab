"""A text of a criterion without a condition → its check: segments, atoms, one check; nothing of it is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from agent.trials import atoms
from agent.trials.checks import Age, All, Any_, Concept, NoChart, Not, Reader, Record, Sex, walk
from agent.trials.joining import joined, merged, share
from agent.trials.lexing import Token, lex
from agent.trials.names import meanings
from agent.trials.pieces import Atom
from agent.trials.segments import Segment, segments
from agent.trials.types import Section
from agent.trials.vocabulary import NO_CHART, PEOPLE

__all__ = ["LEAD", "plainly", "short", "understood"]

LEAD = re.compile(
    rf"^\W*(?:(?:the|all|any|eligible|potential|adult)?\s*{PEOPLE}\s+(?:(?:who|that|must|should|shall|will|may|has|have|is|are|be|with)\b\s*)*|"
    r"(?:must|should|has|have|is|are|be\s+an?|be|with|who|presence\s+of)\b\s+)+",
    re.IGNORECASE,
)
"""How a criterion speaks of whom it is before it says what: "patients must have"."""


def plainly(text: str, section: Section) -> Any:
    """The check of a text without a condition."""
    bare = LEAD.sub("", text, count=1)
    bare = bare if re.search("[A-Za-z]", bare) else text
    read, tokens = lex(bare)
    start = NO_CHART.search(read)
    if start and not any(
        t.end <= start.start() or (t.kind == "latest" and t.start <= start.start())
        for t in tokens
        if t.kind not in ("cue", "sex", "adult")
    ):
        return NoChart(ask=short(text))
    pieces = segments(read, tokens, section)
    made = _Assembly(read, section).check(pieces)
    if made is None:
        return Reader(why=short(text))
    lost = [t for t in tokens if t.kind in ("limit", "age", "time") and not _holds(made, t, read)]
    if not lost:
        return made
    if any(s.joint == "or" for s in pieces):
        return Reader(why=short(text))
    return All(of=(made, Reader(why=short(" … ".join(read[t.start : t.end].strip() for t in lost)))))


def _holds(check: Any, token: Token, text: str) -> bool:
    """Whether a check holds a number or a time of the text, as such or in the words that it leaves to a reader."""
    leaves = tuple(walk(check))
    said = " ".join(w for leaf in leaves for w in _words(leaf))
    if text[token.start : token.end].strip() in said or any(isinstance(leaf, Reader) for leaf in leaves):
        return True
    if token.kind == "time":
        when = token.value.lasting or token.value.period
        return str(when) in said or any(when in _times(leaf) for leaf in leaves)
    held = {(x.sign, x.value) for leaf in leaves for x in getattr(leaf, "limits", ())}
    counted = {n for leaf in leaves if isinstance(leaf, Record) for n in (leaf.least - 1, leaf.least)}
    return all((x.sign, x.value) in held or (x.value in counted and not x.unit) for x in token.value.limits)


def _words(leaf: Any) -> Iterator[str]:
    """What a leaf says in the criterion's own words."""
    yield from getattr(leaf, "doubts", ())
    yield from (getattr(leaf, "why", ""), getattr(leaf, "ask", ""))
    yield from (c.name for c in getattr(leaf, "of", ()) if isinstance(c, Concept))


def _times(leaf: Any) -> Iterator[Any]:
    """The times of a leaf; that of what must not be for so long is a period."""
    period, lasting = getattr(leaf, "period", None), getattr(leaf, "lasting", None)
    yield from (period, lasting)
    if period is not None:
        yield from (period.within, period.before)


def short(text: str) -> str:
    """A text as a reader is told it, cut where it is long."""
    text = text.strip() or "…"
    return text if len(text) <= 200 else f"{text[:199]}…"


_ANEW = re.compile(r"[,;:]\s?(?:or|either)\b|\beither\b", re.IGNORECASE)


class _Assembly:
    """Segments → atoms → one check."""

    def __init__(self, text: str, section: Section) -> None:
        self._text, self._section = text, section

    def check(self, pieces: Sequence[Segment]) -> Any:
        """The check, or None where nothing was found."""
        cut = next((i for i, s in enumerate(pieces) if s.role == "unless"), len(pieces))
        main = self._main(pieces[:cut])
        if main is None or cut == len(pieces):
            return main
        rest = [_standing(s) for s in pieces[cut:]]
        rest[0].joint = ""
        other = self._main(rest)
        if other is None or not all(understood(leaf) for leaf in walk(other)):
            other = Reader(why=f"unless {self._text[rest[0].start :].strip()}"[:200])
        if self._section == "inclusion":
            return Any_(of=(main, other))
        return All(of=(main, Not(of=other)))

    def _main(self, pieces: Sequence[Segment]) -> Any:
        found = atoms.read(self._text, pieces)
        share(found)
        if self._is_of_age(found):
            found[1].joint = ""
            return merged(All, found[0].check, joined(found[1:]))
        return joined(found)

    def _is_of_age(self, found: Sequence[Atom]) -> bool:
        """Whether an age in front is of all that follows: "over 50 and with gout or asthma"; ", or" begins anew."""
        people = [isinstance(a.check, Age | Sex) for a in found]
        return (
            len(found) > 2
            and isinstance(found[0].check, Age)
            and found[1].joint == "and"
            and not (found[0].negated or any(people[1:]) or _ANEW.search(self._text))
        )


def understood(leaf: Any) -> bool:
    """Whether rules know what a leaf asks."""
    return not isinstance(leaf, Reader | NoChart) and not (
        isinstance(leaf, Record) and not meanings(leaf.of[0].name, leaf.kind)
    )


def _standing(segment: Segment) -> Segment:
    """The segment as the beginning of a statement of its own."""
    return replace(segment, role="")
