"""What is left of a question that nothing accounts for: with any of it the question is refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from dateutil.relativedelta import relativedelta

from agent.chart import Chart
from agent.types import Op, Target
from agent.understand import cautions
from agent.understand.numerals import FEW, FIRST_FEW, LATE, THRESHOLD, ordinal
from agent.understand.reading import Reading, is_stay
from agent.understand.targets import NUMERIC, measured
from fhir_tools import dates
from fhir_tools.codes import Mention, words_of
from fhir_tools.lexicon.english import is_english

__all__ = ["unknown", "young"]

_LEVEL = r"(?:levels?|concentration|readings?|values?)\b"


def _levels(s: str, primary: Sequence[Mention], reading: Reading, targets: tuple[Target, ...]) -> tuple[str, ...]:
    """ "Oxygen level" asks for something measured: where the name is known for other things alone, it was not meant."""
    asked = any(re.search(rf"\bm{reading.mentions.index(m)} {_LEVEL}", s) for m in primary)
    return tuple(t.words for t in targets if asked and "measurement" not in t.kinds)


_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,/-]\d+)*(?!\w)")


def _taken(targets: Sequence[Target]) -> bool:
    """Whether drugs are asked about, whose strengths may be named."""
    return any("medication" in t.kinds for t in targets)


_AIM = re.compile(
    r"\b(?:targets?|goals?|discharge(?= m\d)|(?:sitting|standing)(?= m\d)"
    r"|(?:while|when|if)? ?(?:sitting|standing|seated|supine|lying)|(?:high|low|normal|elevated|raised)(?= (?:m\d|"
    r"results|values|readings))"
    r"|(?<=last )(?:high|low|normal)|(?<=ever been )(?:high|low|normal|elevated|raised))\b"
)
"""Beside a result: what it should be, the one at the end of a stay, in a posture, those of a kind; not what it is."""
_SOME = re.compile(r"\b(?:abnormal\w*|normal|(?<!how )(?:high|low)|elevated|raised|flagged|critical|out of range)\b")
"""Which of several results are meant."""
_HOW_IT_IS = re.compile(
    r"^how (?:was|were|is|are|did|does|do|severe|bad|well|serious|come)\b|\bm\d(?: \w+)? (?:treated|managed)$"
)
"""How somebody is with a disease or a drug, which no record of it tells."""


_YOUNG = re.compile(r"\b(?:(baby|infant|toddler|newborn)|(child|kid|boy|girl|teen\w*))(?:[’']?s)?\b", re.IGNORECASE)
_GROWN = 21
"""Years from which nobody is called a child."""


def young(question: str, chart: Chart) -> str:
    """The word for a child that a grown-up patient is called by: somebody else may be meant."""
    birth = dates.of_any(chart.person.get("birthDate"))
    found = _YOUNG.search(question)
    years = relativedelta(chart.as_of, birth.day).years if birth and birth.day else 0
    return (
        found.group()
        if found and re.search(rf"\b(?:this|the|our)(?: \w+)? {found.group()}", question) and years >= _GROWN
        else ""
    )


def unknown(
    reading: Reading, s: str, op: Op, primary: Sequence[Mention], targets: tuple[Target, ...]
) -> tuple[str, ...]:
    """Words that nothing accounts for: content words, vague times, words rules must not pass over, loose subjects."""
    vague = tuple(reading.text[t.start : t.end] for t in reading.times if t.window is None)
    unsafe = tuple(m.group() for m in cautions.UNSAFE.finditer(cautions.HARMLESS.sub(" ", reading.skeleton)))
    unsafe = tuple(u for u in unsafe if not (measured(targets) and u.startswith("starting m")))
    regions = tuple(
        t.words for t in targets if not t.keys and t.lexicon and all(kind == "body_site" for kind, _ in t.lexicon)
    )
    who = ("who",) if s.startswith("who ") and targets and targets[0].kinds[:1] != ("family",) else ()
    numbers = () if op == "find" or _taken(targets) else _NUMBER.findall(THRESHOLD.sub(" ", FEW.sub(" ", s)))
    loose = tuple(n for n in numbers if not (targets and all(n in _numbers_of(t) for t in targets)))
    aims = tuple(m.group() for m in _AIM.finditer(s)) if measured(targets) else ()
    few = tuple(m.group() for m in FIRST_FEW.finditer(s)) if op in NUMERIC or measured(targets) else ()
    counted = measured(targets) and op in ("count", "count_by_year", "mean")
    some = tuple(m.group() for m in _SOME.finditer(s)) if counted else ()
    state = tuple(m.group() for m in _HOW_IT_IS.finditer(s)) if targets and not measured(targets) else ()
    amounts = (op,) if targets and not measured(targets) and op in ("highest", "lowest", "mean", "range") else ()
    return (
        *reading.left,
        *vague,
        *unsafe,
        *regions,
        *who,
        *aims,
        *few,
        *some,
        *state,
        *amounts,
        *(() if ordinal(s) or op == "find" else (m.group() for m in LATE.finditer(s))),
        *loose,
        *_levels(s, primary, reading, targets),
        *_loose(reading, op, primary, targets),
    )


def _numbers_of(target: Target) -> set[str]:
    """The numbers of a concept's name: "stage 1", of a chart that has no other stage."""
    return {w.text for w in words_of(target.label)} if len(target.keys) == 1 else set()


_JOINT = re.compile(
    r"( (and|or|as well as|plus|with|the|any|his|her|their|also|amp|latest|last|most|recent|both|for|first|of))*"
)


def _loose(reading: Reading, op: Op, primary: Sequence[Mention], targets: tuple[Target, ...]) -> tuple[str, ...]:
    """Several subjects that the words do not put side by side: how they belong together was not understood."""
    if op == "find" or len(targets) < 2:
        return ()
    numbers = [reading.mentions.index(m) for m in primary]
    gaps = [re.search(rf"m{a}\b(.*?)m{b}\b", reading.skeleton) for a, b in itertools.pairwise(numbers)]
    side_by_side = all(g and _JOINT.fullmatch(g[1].rstrip()) for g in gaps)
    side_by_side = side_by_side and not any(map(_qualifies, itertools.pairwise(primary)))
    one_for_other = any(g and re.search(r"\bfor\b", g[1]) for g in gaps) and len({t.kinds[:1] for t in targets}) > 1
    side_by_side = side_by_side and not one_for_other
    stays = [m for m in primary if is_stay(m)]
    return () if side_by_side and not stays else tuple(t.words for t in targets[1:])


def _qualifies(pair: tuple[Mention, Mention]) -> bool:
    """Whether a word right after a name is no other name but says something of it: "cancer free"."""
    one, other = pair
    return one.last == other.first and not other.classes and is_english(other.words)
