"""Words that are known by themselves and say what is asked, held against what the answer takes up.

A word of general English or a cue names nothing that could be unknown, so that it vanished where another word settled
the question: "implants" of "any implants that matter for MRI?", "stable" of "is the creatinine stable?". Each row says
which questions take its words up; of any other the words are left, and it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.types import Ask, Op
from agent.understand import cautions
from agent.understand.patterns import any_of, words
from fhir_tools.types import Kind

__all__ = ["NOUNS", "passed_over"]

Fits = Callable[[Ask], bool]

_KIND_NOUNS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("meds?, medications?, medicines?, drugs?, pills?", ("medication", "allergy")),
    ("devices?, implants?, implanted", ("device", "procedure")),
    ("allerg*, intoleran*", ("allergy",)),
    ("vaccines?, vaccinations?, immuni[sz]ations?", ("immunization",)),
    ("surger*, operations?, procedures?", ("procedure", "imaging")),
)
"""Nouns of a part of the chart, with the kinds that an answer to them is of; beside a thing named they say which."""
NOUNS = any_of(
    *(words(nouns) for nouns, _ in _KIND_NOUNS),
    words("problems?, conditions?, diagnoses, labs?, bloods?, vitals?, imaging, scans?, visits?, admissions?, notes?"),
)
"""Nouns that say what a question is about without naming one thing."""


def _of(kinds: tuple[Kind, ...]) -> Fits:
    return lambda ask: not ask.targets or bool({*kinds, "family"} & {*ask.kinds})


def _does(*ops: Op) -> Fits:
    return lambda ask: ask.op in ops


def _compares(ask: Ask) -> bool:
    return ask.op in ("change", "compare", "trend", "range", "highest", "lowest", "mean") or bool(ask.judged)


def _names(ask: Ask) -> bool:
    return ask.kinds[:1] in (("family",), ("patient",))


_ROWS: tuple[tuple[str, Fits], ...] = (
    *((nouns, _of(kinds)) for nouns, kinds in _KIND_NOUNS),
    ("chang*, unchanged, stable, steady, differ*, better, worse, improv*, worsen*, recover*", _compares),
    ("trend*, rising, falling, climbing, dropping, (?:going|gone) (?:up|down), increas*, decreas*", _compares),
    ("why, what for, for what, how come", _does("reason", "describe")),
    ("how long(?! ago| since)", _does("duration", "age", "age_at")),
    ("how often, how frequently, how many times", _does("count", "count_by_year", "dose")),
    ("average, averaged, mean", _does("mean")),
    ("who, whom, whose", _names),
    ("matter, usual*, again, yet, anymore, any more, alone, together, back on", lambda ask: False),
)
_PASSED = tuple((re.compile(words(listed)), fits) for listed, fits in _ROWS)
"""Words that say what is asked, with the questions whose answer takes them up."""


def passed_over(ask: Ask, s: str) -> tuple[str, ...]:
    """The words that this answer would not take up; `s` is the skeleton that the cues were read from."""
    if ask.op == "find":
        return ()
    told = cautions.HARMLESS.sub(" ", s)
    return tuple(m.group() for pattern, fits in _PASSED if (m := pattern.search(told)) and not fits(ask))
