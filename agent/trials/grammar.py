"""A statement → its check, by rules. Nothing is guessed away: words that nothing explains become doubts of the check,
names that the lexicon lacks are kept as written, and a statement in which nothing was found needs a reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.trials import atoms
from agent.trials.amounts import levelled
from agent.trials.checks import MANY, Age, All, Any_, AtLeast, NoChart, Not, Reader, Record, Sex, walk
from agent.trials.lexing import lex
from agent.trials.names import meanings
from agent.trials.periods import COUNTS, times
from agent.trials.pieces import Atom
from agent.trials.rewording import labelled
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
        after = re.split(r"[.;]", head[found.end() :])[0]
        after = after if times(levelled(after)) else ""  # "… apply:", "… is true:" say nothing of the items
        before = re.sub(
            r"\b(?:including|such\s+as|have|has|meet|meets|meeting|must)\s*$", "", head[: found.start()]
        ).strip()
        return (before if _ENDS_OPEN.search(before) else ""), after.strip(" ,")
    return (head, "") if _ENDS_OPEN.search(head) else ("", "")


_FOLLOWING = r"(?:the\s+)?(?:following|these)(?:\s+[a-z]+){0,3}?"
_SOME_OF = re.compile(
    r"\b(?:(?:at\s+least|≥|>=)\s*)?(?P<n>one|two|three|four|five|[1-5]|any|either|all|both)(?:\s*\(\d\))?(?:\s+or\s+more)?"
    rf"\s+(?:of(?:\s+{_FOLLOWING})?|{_FOLLOWING})\s*:\s*",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\W*any\s+(?:other\s+)?(?:[a-z-]+\s+){0,3}?(?:conditions?|diseases?|disorders?|illness(?:es)?|findings?|reasons?|factors?)\s+(?:outside|other\s+than|apart\s+from|not\s+(?:related|listed|mentioned))\b",
    re.IGNORECASE,
)
"""Everything but something: no list of names says what that is."""
_LISTED = re.compile(r"\s*[,;](?!\d)\s*(?:(?:and/or|and|or)\s+)?(?![^()]*\))|\s+(?:and/or|and|or)\s+(?![^()]*\))")
_NOT_BOTH = re.compile(r",?\s*\bbut\s+not\s+both\b", re.IGNORECASE)
_IF = re.compile(
    r"\W*(?:(?P<if>if|when|unless)|(?:for|in|among)\s+(?:(?:the|those|all|any)\s+)*(?:[a-z-]+\s+){0,2}?(?:patients?|subjects?|participants?|individuals?|those|wom[ae]n|m[ae]n)\b)",
    re.IGNORECASE,
)
_IF_BEHIND = re.compile(r",?\s+\bif\s+", re.IGNORECASE)
_EXCLUDED = re.compile(
    r"\b(?:(?:will|must|should|shall|can|may)\s*(?:not\s+)?be|are|is)\s+(?:also\s+)?(?:excluded|ineligible|(?:not\s+)?eligible)\b"
    r"(?:\s+(?:from|for)\s+(?:the\s+|this\s+)?(?:study|trial|participation|enrol+ment|inclusion))?(?:\s+if\b)?",
    re.IGNORECASE,
)
"""What a reason to exclude says of itself: "patients with gout will be excluded"."""
_DECIDES = re.compile(r"\b(?:excluded|ineligible|eligible|included)\b", re.IGNORECASE)
_SEXES = (re.compile(r"\b(?:m[ae]n|males?)\b", re.IGNORECASE), re.compile(r"\b(?:wom[ae]n|females?)\b", re.IGNORECASE))
_OF_SEX = re.compile(
    r"\W*(?:all\s+|any\s+)?(?:(?P<female>wom[ae]n|females?)|m[ae]n|males?)\b(?P<asked>(?=.*\b(?:must|should|agrees?|willing|required)\b))?"
    r"(?=.*(?:child-?\s?bearing|contracept|pregnan|breast-?\s?feed|lactat|menopaus|steril|sperm))",
    re.IGNORECASE,
)


def read_check(text: str, section: Section) -> Any:
    """The check of one statement's text. What is asked only of some ("if on a statin, …") is met by all others."""
    if len(text) > _LONGEST:
        return Reader(why=_short(text))
    label, text = labelled(text)
    if label:
        return _under_label(label, read_check(text, section), text)
    if _OPEN.match(text):
        return Reader(why=_short(text))
    text = _EXCLUDED.sub(" ", text).strip() or text if section == "exclusion" else text
    if some := _some_of(text, section):
        return some
    if _NOT_BOTH.search(text):
        either = read_check(_NOT_BOTH.sub(" ", text), section)
        return All(of=(either, Not(of=All(of=either.of)))) if isinstance(either, Any_) else Reader(why=_short(text))
    found = _condition(text, section)
    if found is None:
        return _plainly(text, section)
    one, other = found
    others = one.of if isinstance(one, Not) else Not(of=one)
    return Any_(of=(others, other)) if section == "inclusion" else All(of=(one, other))


def _under_label(label: str, check: Any, text: str) -> Any:
    """The check of a labelled sentence. A label that names what the sentence does not is left to a reader."""
    said, again = (
        {(e.kind, e.id) for t in lex(part)[1] if t.kind == "name" for e in t.value} for part in (label, text)
    )
    return check if not said or said & again else All(of=(check, Reader(why=_short(label))))


def _some_of(text: str, section: Section) -> Any:
    """ "Two of the following: A, B or C" in one line; a time behind the last is of all. None for other texts."""
    found = _SOME_OF.search(text)
    colon = text.find(":")
    before = text[: found.start() if found else max(colon, 0)].strip()
    opens = bool(_ENDS_OPEN.search(before)) and section == "exclusion"
    if not (found or opens) or len(before.split()) > 6:
        return None
    rest = text[found.end() if found else colon + 1 :].strip(" .")
    when = times(levelled(rest))
    after = rest[when[-1].start :] if when and when[-1].end >= len(rest) else ""
    parts = [p.strip() for p in _LISTED.split(rest.removesuffix(after)) if p and p.strip()]
    if len(parts) < 2 or not all(re.match(r"[A-Za-z(]", p) for p in parts):
        return None
    lead = before if _ENDS_OPEN.search(before) else ""
    read = tuple(_plainly(f"{lead} {p} {after}".strip(), section) for p in parts)
    word = found["n"].lower() if found else "any"
    number = next((n for n, name in enumerate(COUNTS, 1) if word in (name, str(n))), 1)
    if word in ("all", "both"):
        return _grouped(All, read)
    if number == 1:
        return _grouped(Any_, read)
    return AtLeast(number=number, of=read) if len(read) <= MANY else Reader(why=_short(text))


def _condition(text: str, section: Section) -> tuple[Any, Any] | None:
    """Of whom something is asked, and what; None where it is asked of everybody, or where rules cannot tell of whom."""
    sex = _OF_SEX.match(text[:1000])
    if (
        sex
        and (section == "exclusion" or sex["asked"] is not None)
        and not _SEXES[not sex["female"]].search(text, sex.end())
    ):
        return Sex(of=("female" if sex["female"] else "male",)), _plainly(text[sex.end() :].strip(), section)
    said = re.search("[,:]", text) if (before := _IF.match(text)) else None
    if said and before:
        one, other, plainly = (
            text[before.end("if") if before["if"] else before.start() : said.start()],
            text[said.end() :],
            not before["if"],
        )
    elif (behind := _IF_BEHIND.search(text)) and not _DECIDES.search(text, 0, behind.start()):
        one, other, plainly = text[behind.end() :], text[: behind.start()], False
    else:
        return None
    told = _plainly(one, section)
    if not all(_understood(leaf) for leaf in walk(told)):
        if plainly:
            return None
        told = Reader(why=_short(one.strip()))
    if before and before["if"] and before["if"].lower() == "unless":
        told = Not(of=told)
    return (told, _plainly(other.strip(), section)) if len(other.split()) > 1 else None


def _plainly(text: str, section: Section) -> Any:
    """The check of a text without a condition."""
    bare = _LEAD.sub("", text, count=1)
    bare = bare if re.search("[A-Za-z]", bare) else text
    read, tokens = lex(bare)
    start = NO_CHART.search(read)
    if start and not any(
        t.end <= start.start() or (t.kind == "latest" and t.start <= start.start())
        for t in tokens
        if t.kind not in ("cue", "sex", "adult")
    ):
        return NoChart(ask=_short(text))
    pieces = segments(read, tokens, section)
    made = _Assembly(read, section).check(pieces)
    return made if made is not None else Reader(why=_short(text))


def _short(text: str) -> str:
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
        if other is None or not all(_understood(leaf) for leaf in walk(other)):
            other = Reader(why=f"unless {self._text[rest[0].start :].strip()}"[:200])
        if self._section == "inclusion":
            return Any_(of=(main, other))
        return All(of=(main, Not(of=other)))

    def _main(self, pieces: Sequence[Segment]) -> Any:
        found = atoms.read(self._text, pieces)
        _share_times(found)
        if self._is_of_age(found):
            found[1].joint = ""
            return _merged(All, found[0].check, _joined(found[1:]))
        return _joined(found)

    def _is_of_age(self, found: Sequence[Atom]) -> bool:
        """Whether an age in front is of all that follows: "over 50 and with gout or asthma"; ", or" begins anew."""
        people = [isinstance(a.check, Age | Sex) for a in found]
        return (
            len(found) > 2
            and isinstance(found[0].check, Age)
            and found[1].joint == "and"
            and not (found[0].negated or any(people[1:]) or _ANEW.search(self._text))
        )


def _understood(leaf: Any) -> bool:
    return not isinstance(leaf, Reader | NoChart) and not (
        isinstance(leaf, Record) and not meanings(leaf.of[0].name, leaf.kind)
    )


def _standing(segment: Segment) -> Segment:
    """The segment as the beginning of a statement of its own."""
    return replace(segment, role="")


def _share_times(found: list[Atom]) -> None:
    """A time behind a list of alternatives is of all of them; one before everything too."""
    for at, atom in enumerate(found):
        if atom.time is None or not isinstance(atom.check, Record) or atom.check.least > 1:
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
