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
from agent.understand.targets import measured
from fhir_tools.types import Kind

__all__ = ["NOUNS", "passed_over"]

Fits = Callable[[Ask], bool]

_KIND_NOUNS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("meds?, medications?, medicines?, drugs?, pills?", ("medication", "allergy")),
    ("devices?, implants?", ("device",)),
    ("allerg*, intoleran*", ("allergy",)),
    ("vaccines?, vaccinations?, vaccinated, immuni[sz]ations?, immuni[sz]ed", ("immunization",)),
    ("surger*, operations?, procedures?", ("procedure", "imaging")),
)
"""Nouns of a part of the chart, with the kinds that an answer to them is of; beside a thing named they say which."""
NOUNS = any_of(
    *(words(nouns) for nouns, _ in _KIND_NOUNS),
    words("problems?, conditions?, diagnoses, labs?, bloods?, vitals?, imaging, scans?, visits?, admissions?, notes?"),
)
"""Nouns that say what a question is about without naming one thing."""


def _of(kinds: tuple[Kind, ...]) -> Fits:
    return lambda ask: bool({*kinds, "family"} & {*(ask.kinds if ask.targets else ask.kinds[:1])})


def _in(*kinds: Kind) -> Fits:
    return lambda ask: ask.kinds[:1] in tuple((kind,) for kind in kinds)


def _does(*ops: Op) -> Fits:
    return lambda ask: ask.op in ops


def _never(ask: Ask) -> bool:
    return False


def _compares(ask: Ask) -> bool:
    return ask.op in ("change", "compare", "trend", "range", "highest", "lowest", "mean") or bool(ask.judged)


def _reads(ask: Ask) -> bool:
    return not ask.targets or ask.kinds[:1] in (("report",), ("document",), ("measurement",))


def _of_a_stay(ask: Ask) -> bool:
    return ask.kinds[:1] == ("encounter",) or ask.op == "order"


def _treats(ask: Ask) -> bool:
    return ask.kinds[:1] != ("condition",) or not ask.targets


def _stopped(ask: Ask) -> bool:
    """An order has no day on which it was stopped: of a time no list of what was stopped can be told."""
    return ask.kinds[:1] != ("medication",) or bool(ask.targets) or not (ask.window or ask.anchor)


def _grades(ask: Ask) -> bool:
    """Whether "normal" is told by a flag or a report; which result was the first abnormal one no card says."""
    if measured(ask.targets):
        return ask.expects == "bool" or bool(ask.judged) or ask.op in ("abnormal", "latest")
    return not ask.targets or ask.kinds[:1] in (("report",), ("document",), ("imaging",), ("social",), ("condition",))


def _amounts(ask: Ask) -> bool:
    """Whether there is an amount to tell: of a disease or an event there is none."""
    return ask.kinds[:1] not in (("condition",), ("encounter",), ("allergy",), ("report",))


def _lives(ask: Ask) -> bool:
    return bool(ask.attribute) or ask.op == "age_at" or (ask.kinds[:1] != ("family",) and not ask.relative)


_THE = r"(?:(?:the|his|her|their|a|an|any|this|that|starting|last|first|being|having|getting|on) )*"
_WHO = r"(?:he|she|they|the patient|pt|patient|m\d)"
_WORDS: tuple[tuple[str, Fits], ...] = (
    *((f"(?:{'|'.join(nouns.split(', '))})(?! m\\d)", _of(kinds)) for nouns, kinds in _KIND_NOUNS),
    ("chang*, unchanged, stable, steady, differ*, better, worse, improv*, worsen*, recover*", _compares),
    ("trend*, rising, falling, climbing, increas*, decreas*, drop*, fell, declin*, dipped, rose, spik*", _compares),
    ("(?:going|gone|go|went|come|came|back) (?:back )?(?:up|down)", _compares),
    ("why, what for, for what, how come", _does("reason", "describe")),
    ("how long(?! ago| since)", _does("duration", "age", "age_at", "interval")),
    ("how many (?:days|nights|weeks|hours)(?! ago)", _does("duration", "interval")),
    ("how many (?:units|bags|tablets|pills|puffs)", _does("dose")),
    ("how often, how frequently, how many times", _does("count", "count_by_year", "dose")),
    ("(?:once|twice|three times|four times) (?:a day|daily)", _does("dose")),
    ("average, averaged, mean", _does("mean")),
    ("live[sd]? with", _never),
    ("finish*", _does("ended")),
    ("pending, outstanding", lambda ask: ask.kinds[:1] != ("measurement",)),
    ("home", lambda ask: not measured(ask.targets)),
    ("normal, abnormal*", _grades),
    ("(?:first|last|latest) (?:ab)?normal", lambda ask: not ask.targets),
    ("new", lambda ask: bool(ask.targets or ask.window or ask.anchor)),
    ("who, whom, whose", _in("family", "patient")),
    ("gp, pcp, family doctor, general practitioner", _in("patient")),
    ("alive, dead, deceased, die[sd]?, death, how old", _lives),
    ("expired", _in("patient")),
    ("stopped, discontinued", _stopped),
    ("treated, treating, treatments?, managed", _treats),
    ("complete[d]?, fully", lambda ask: ask.kinds[:1] != ("immunization",)),
    ("pass(?:ed)?(?! away), fail(?:ed)?, enough, allowed, okay to, ok to, fine to", _never),
    ("still have (?:his|her|their)", _in("medication", "allergy", "measurement")),
    ("(?:make|brand|model|manufacturer)(?= (?:is|of|was))", _never),
    ("(?:on|taking|takes?) (?:any |some )?(?:meds?|drugs?|medications?)", _in("medication")),
    (r"m\d (?:checks?|check ?ups?|follow ?ups?|appointments?|clinics?)", _in("encounter", "measurement")),
    (r"m\d (?:results?|findings?)", _reads),
    ("(?:and|vs|versus) (?:now|today), now (?:and|vs|versus)", _never),
    ("work(?:s|ing)?(?= ?$), helping, effective, tolerat*, trying, whole time, all along", _never),
    ("matter, usual*, again, alone, together", _never),
    ("go(?:ing|es)? (?:ok|okay|well|fine|badly|wrong), went (?:ok|well|badly|wrong)", lambda ask: bool(ask.judged)),
    ("back(?= ?$)", lambda ask: ask.kinds[:1] != ("condition",)),
    ("turned down, (?:say|says|said) no to", _never),
    ("that time(?= ?$)", _never),
    ("how much", _amounts),
    (r"on (?:the |a )?m\d (?:waiting )?lists?", _never),
)
_PATTERNS: tuple[tuple[str, Fits], ...] = (
    # a time that no event was found for, and one that points back to another
    (rf"\b(?:before|after|since|prior to|during|until|following) {_THE}m\d", _of_a_stay),
    (r"\bthen(?= ?$)|\b(?:after|afterwards?)(?= ?$)|\band before(?= ?$)", lambda ask: bool(ask.anchor)),
    (r"\bbefore(?= ?$)", lambda ask: bool(ask.anchor) or ask.op in ("compare", "change", "previous")),
    (
        r"\b(?:than|compared (?:to|with)) (?:it was |they were |in |the )*t\d(?! m\d)",
        lambda ask: bool(ask.against or ask.anchor) or ask.op not in ("change", "compare", "latest"),
    ),
    (r"\b(?:at|on|since|before|after|from) (?:the )?(?:diagnosis|onset)\b(?! of)", lambda ask: bool(ask.anchor)),
    (r"\bt\d(?! t\d)\b(?=.*\bt\d\b)", lambda ask: bool(ask.anchor or ask.against) or ask.kinds[:1] == ("patient",)),
    (rf"(?<!come )(?<!came )(?<!taken )\boff {_THE}m\d|\b(?:was|is|were|been) {_THE}m\d off\b", _never),
    (r"\b(?:he|she|they|patient|pt|is|was|were|are|been) taking\b", _in("medication", "immunization", "social")),
    # whether a thing is to be given
    (rf"^(?:and |so |but )*(?:can|could|may|might) {_WHO}\b", _never),
    (rf"\b(?:does|do|did|will) {_WHO} (?:still |now |really |ever |actually )?need\b", _never),
    # the same words about another thing than the one named
    (r"\b(?:seen|see|saw) (?:\w+ )?for\b", _in("encounter")),
    (r"(?<=what )(?:did|does|do) .* (?:show|find|reveal)\b", _reads),
)
_PASSED = tuple((re.compile(words(w)), fits) for w, fits in _WORDS) + tuple((re.compile(p), f) for p, f in _PATTERNS)
"""Words that say what is asked, with the questions whose answer takes them up."""


def passed_over(ask: Ask, s: str) -> tuple[str, ...]:
    """The words that this answer would not take up; `s` is the skeleton that the cues were read from."""
    if ask.op == "find":
        return ()
    found = [pattern for pattern, fits in _PASSED if pattern.search(s) and not fits(ask)]
    told = cautions.HARMLESS.sub(" ", s) if found else s
    return tuple(m.group() for pattern in found if (m := pattern.search(told)))
