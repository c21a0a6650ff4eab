"""A statement → its check, by rules. Nothing is guessed away: words that nothing explains become doubts of the check,
names that the lexicon lacks are kept as written, and a statement in which nothing was found needs a reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.trials import atoms
from agent.trials.checks import MANY, All, Any_, AtLeast, Measurement, NoChart, Not, Reader, Record, walk
from agent.trials.lexing import lex
from agent.trials.names import meanings
from agent.trials.pieces import Atom
from agent.trials.segments import Segment, segments
from agent.trials.types import Section, Statement
from agent.trials.vocabulary import NO_CHART

__all__ = ["compiled", "read_check"]

_LEAD = re.compile(
    r"^\W*(?:(?:the|all|any|eligible|potential|adult)?\s*(?:patients?|subjects?|participants?|individuals?|persons?|people|volunteers?|candidates?)\s+(?:(?:who|that|must|should|shall|will|may|has|have|is|are|be|with)\b\s*)*|"
    r"(?:must|should|has|have|is|are|be\s+an?|be|with|who|presence\s+of)\b\s+)+",
    re.IGNORECASE,
)
_OF_THE_FOLLOWING = re.compile(
    r"\b(?:(?:one|two|three|any|all|each|either|both|at\s+least\s+(?:one|two|three|\d)|one\s+or\s+more|\d\s+or\s+more|≥\s*\d|>=\s*\d)(?:\s*\(\d\))?(?:\s+of)?\s+)?(?:the\s+)?(?:following|below|these)\b"
    r"(?:\s+(?:criteria|conditions?|findings?|diseases?|medications?|drugs?|laboratory\s+\w+|abnormalities|values|events?|medical\s+conditions|characteristics|risk\s+factors|parameters))*\s*(?:are\s+met|apply|is\s+met|\(.*?\))?",
    re.IGNORECASE,
)
_ENDS_OPEN = re.compile(
    r"(?:history\s+of|allerg\w+\s+to|hypersensitivity\s+to|use\s+of|treatment\s+with|diagnosis\s+of|taking|with)\s*$",
    re.IGNORECASE,
)

_LONGEST = 2_000
"""Characters of a statement, and of its heading, that rules read: what is longer is no criterion. Their time grows with
the square of a statement's length, and so no more than with a protocol's own."""


def compiled(statement: Statement) -> Any:
    """The check of a statement. Parts of a list are read one by one, each with what the heading says of all."""
    if len(statement.under) > _LONGEST:
        return Reader(why=_short(statement.text))
    if not statement.parts:
        before, after = _context(statement.under)
        return read_check(f"{before} {statement.text} {after}".strip(), statement.section)
    before, after = _context(statement.under)
    parts = [read_check(f"{before} {part} {after}".strip(), statement.section) for part in statement.parts]
    if statement.needed in (0, 1):
        return _grouped(Any_ if statement.needed else All, tuple(parts))
    if len(parts) > MANY:
        return Reader(why=_short(statement.text))
    return AtLeast(number=statement.needed, of=tuple(parts))


def _context(head: str) -> tuple[str, str]:
    """What a heading says before and behind each of its items: "history of any of the following within 6 months:"."""
    head = head.rstrip(": ")
    found = _OF_THE_FOLLOWING.search(head)
    if found:
        before = re.sub(
            r"\b(?:including|such\s+as|have|has|meet|meets|meeting|must)\s*$", "", head[: found.start()]
        ).strip()
        return (before if _ENDS_OPEN.search(before) else ""), head[found.end() :].strip(" ,")
    return (head, "") if _ENDS_OPEN.search(head) else ("", "")


def read_check(text: str, section: Section) -> Any:
    """The check of one statement's text."""
    if len(text) > _LONGEST:
        return Reader(why=_short(text))
    bare = _LEAD.sub("", text, count=1) or text
    read, tokens = lex(bare)
    start = NO_CHART.search(read)
    if start and not any(
        t.end <= start.start() or (t.kind == "latest" and t.start <= start.start())
        for t in tokens
        if t.kind not in ("cue", "sex", "adult")
    ):
        return NoChart(ask=_short(text))
    pieces = segments(read, tokens, section)
    made = _Assembly(read).check(pieces)
    return made if made is not None else Reader(why=_short(text))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"


class _Assembly:
    """Segments → atoms → one check."""

    def __init__(self, text: str) -> None:
        self._text = text

    def check(self, pieces: Sequence[Segment]) -> Any:
        """The check, or None where nothing was found."""
        cut = next((i for i, s in enumerate(pieces) if s.role == "unless"), len(pieces))
        main = self._main(pieces[:cut])
        if main is None or cut == len(pieces):
            return main
        rest = [_standing(s) for s in pieces[cut:]]
        rest[0].joint = ""
        other = self._main(rest)
        if other is None or not all(_understood(leaf) for leaf in walk(other)):
            return _doubted(main, f"unless {self._text[rest[0].start :].strip()}"[:200])
        return All(of=(main, Not(of=other)))

    def _main(self, pieces: Sequence[Segment]) -> Any:
        found = atoms.read(self._text, pieces)
        _share_times(found)
        return _joined(found)


def _understood(leaf: Any) -> bool:
    return not isinstance(leaf, Reader | NoChart) and not (
        isinstance(leaf, Record) and not meanings(leaf.of[0].name, leaf.kind)
    )


def _doubted(check: Any, words: str) -> Any:
    """The check with a doubt of its last part that can have one."""
    if isinstance(check, Record | Measurement):
        return check.model_copy(update={"doubts": (*check.doubts, words)})
    if isinstance(check, All | Any_):
        return check.model_copy(update={"of": (*check.of[:-1], _doubted(check.of[-1], words))})
    return All(of=(check, Reader(why=words)))


def _standing(segment: Segment) -> Segment:
    """The segment as the beginning of a statement of its own."""
    return replace(segment, role="")


def _share_times(found: list[Atom]) -> None:
    """A time behind a list of alternatives is of all of them; one before everything too."""
    for at, atom in enumerate(found):
        if atom.time is None or not isinstance(atom.check, Record):
            continue
        back = at
        while (
            back > 0
            and found[back].joint == "or"
            and found[back - 1].time is None
            and isinstance(found[back - 1].check, Record)
        ):
            back -= 1
            found[back].at(atom.time)


def _joined(found: Sequence[Atom]) -> Any:
    """The atoms as one check: "with" binds closest, then "and", then "or"; a negation covers its list."""
    terms = _negated(found)
    for joint, make in (("with", All), ("and", All), ("or", Any_)):
        out: list[tuple[str, Any]] = []
        for link, check in terms:
            if out and link == joint:
                out[-1] = (out[-1][0], _merged(make, out[-1][1], check))
            else:
                out.append((link, check))
        terms = out
    return terms[0][1] if terms else None


def _negated(found: Sequence[Atom]) -> list[tuple[str, Any]]:
    """(joint, check) with runs of negated atoms as one "none of these"."""
    out: list[tuple[str, Any]] = []
    run: list[Any] = []
    for at, atom in enumerate(found):
        if atom.negated and run and atom.joint in ("and", "or"):
            run.append(atom.check)
        elif atom.negated:
            run = [atom.check]
            out.append((atom.joint, None))
        else:
            run = []
            out.append((atom.joint, atom.check))
            continue
        if at + 1 == len(found) or not (found[at + 1].negated and found[at + 1].joint in ("and", "or")):
            out[-1] = (out[-1][0], Not(of=run[0] if len(run) == 1 else _grouped(Any_, tuple(run))))
            run = []
    return out


def _merged(make: Any, first: Any, second: Any) -> Any:
    """Two checks under one connector; like ones lie side by side instead of one in the other."""
    parts = first.of if isinstance(first, make) else (first,)
    parts += second.of if isinstance(second, make) else (second,)
    return _grouped(make, tuple(dict.fromkeys(parts)))


def _grouped(make: Any, parts: tuple[Any, ...]) -> Any:
    """All or any of the parts; where there are more than a check may have, they lie in groups."""
    while len(parts) > MANY:
        parts = tuple(make(of=parts[at : at + MANY]) for at in range(0, len(parts), MANY))
    return make(of=parts)
