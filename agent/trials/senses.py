"""What a piece of a criterion is beside what its names say: a plan, a report's finding, a reason against a drug, any
vaccine, the same once more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.trials.checks import Any_, Concept, Measurement, Reader, Record
from agent.trials.lexing import Token
from agent.trials.names import ANY_VACCINE, meanings
from agent.trials.pieces import Atom
from agent.trials.segments import Segment
from fhir_tools import units

__all__ = [
    "are_results", "are_same", "contraindicated", "degree_of", "is_other", "is_plan", "is_restated", "is_result",
    "is_vaccination", "reported", "unnamed", "vaccinated",
]  # fmt: skip

_NUMBERS = re.compile(r"(?:[<>≤≥=~≈]|\d+(?:[.,]\d+)*|\b(?:and|to)\b|\s|[–-])++(?=[A-Za-z%°µμ])", re.IGNORECASE)


def is_other(check: Any, stem: Record, piece: Segment) -> bool:
    """Whether an example is a record of another kind, and one that rules know; of a drug a word must say its use."""
    return (
        isinstance(check, Record)
        and check.kind != stem.kind
        and (check.kind != "medication" or (piece.own and bool(piece.then or piece.kind)))
        and bool(meanings(check.of[0].name, check.kind))
    )


_PLAN = re.compile(
    r"\b(?:plan(?:s|ning|ned)?\s+(?:to|on)|planning\b(?!\s+visit)|intend(?:s|ing)?\s+to|intention\s+to|wish(?:es|ing)?\s+to|desire\s+to|wants?\s+to|expect(?:s|ing|ed)?\s+to|planned(?!\s+by)|scheduled\s+(?:for|to)|unwilling(?:ness)?|willing(?:ness)?|refus(?:es?|al|ing)|agree(?:s|ment|ing)?\s+to|(?:un|in)?ab(?:le|ility)\s+to|partners?)\b",
    re.IGNORECASE,
)


def is_plan(text: str, piece: Segment) -> bool:
    """Whether what is named is only intended: "women who plan to become pregnant"."""
    found = _PLAN.search(text, piece.start, piece.end)
    return found is not None and all(t.start > found.start() for t in piece.of("name", "limit", "age", "smoking"))


_SHOWN = re.compile(r"\b(?:abnormal(?:it(?:y|ies)|ly)?|findings?|changes|show(?:s|n|ing))\b", re.IGNORECASE)


def reported(check: Any, piece: Segment, text: str) -> Any:
    """A finding on an image or a tracing stands in its report, which no rule reads: "abnormal chest x-ray"."""
    if not isinstance(check, Record) or check.kind not in ("imaging", "procedure"):
        return check
    found = _SHOWN.search(text, piece.start, piece.end) or (check.kind == "imaging" and piece.of("finding"))
    return Reader(why=text[piece.start : piece.end].strip(" ,;.")[:200]) if found else check


_AGAINST = re.compile(r"\bcontraindications?\b", re.IGNORECASE)
_WORSE = re.compile(r"\banaphyla\w+", re.IGNORECASE)


def contraindicated(check: Any, piece: Segment, text: str) -> Any:
    """An allergy is one of many reasons against a drug; anaphylaxis is more than an allergy."""
    if piece.kind != "allergy" or not isinstance(check, Record):
        return check
    if _AGAINST.search(text, piece.start, piece.end):
        why = Reader(why=text[piece.start : piece.end].strip(" ,;.")[:200])
        return Any_(of=(check, why)) if check.kind == "allergy" else why
    if worse := _WORSE.search(text, piece.start, piece.end):
        return check.model_copy(update={"doubts": (*check.doubts, worse[0])})
    return check


def is_vaccination(piece: Segment) -> bool:
    """Whether a cue says that something is given to immunize."""
    return any(t.value.kind == "immunization" for t in piece.of("cue"))


def vaccinated(text: str, piece: Segment, checks: list[Any]) -> list[Any]:
    """A vaccine that is not named is any: "receipt of a live vaccine" with a doubt of what lives."""
    if not is_vaccination(piece) or piece.of("name", "limit") or piece.kind not in ("immunization", "medication"):
        return checks
    if any(not isinstance(c, Record) or meanings(c.of[0].name, c.kind) for c in checks):
        return checks
    words = tuple(text[t.start : t.end][:200] for t in piece.of("word"))
    return [Record(kind="immunization", of=(Concept(name=ANY_VACCINE),), doubts=words)]


def are_same(check: Record, names: Sequence[Concept]) -> bool:
    """Whether names mean what a check is of, or something that it is a kind of."""
    known = [e for c in check.of for e in meanings(c.name, check.kind)]
    wider = {e.id for e in known} | {p for e in known for p in e.parents}
    return all({e.id for e in meanings(n.name, check.kind)} & wider for n in names)


def is_restated(inside: str) -> bool:
    """Whether it is a result once more in another unit, or the unit alone: "(53 and 86 mmol/mol)", "(mEq/L)"."""
    unit = _NUMBERS.sub("", inside).replace(" or ", "/").strip()
    return bool(unit) and units.canonical(unit, None) is not None


def is_result(check: Any) -> bool:
    """Whether it is a comparison of something that the lexicon knows as a result."""
    return isinstance(check, Measurement) and all(meanings(c.name, "measurement") for c in check.of)


_DEGREE = re.compile(
    r"(?:clinically\s+)?(?:uncontrolled|untreated|poorly controlled|severe|unstable|symptomatic|refractory"
    r"|decompensated|significant|advanced|moderate severe|active|chronic)",
    re.IGNORECASE,
)


def degree_of(text: str, piece: Segment, check: Any) -> str:
    """A degree in front of the name of a condition, as a doubt of it."""
    doubts = check.doubts if isinstance(check, Record) and check.kind == "condition" else ()
    found = [d for d in doubts if _DEGREE.fullmatch(d)]
    names = piece.of("name")
    until = names[0].start if names else piece.end  # "severe renal or hepatic impairment" has its name behind
    return found[0] if found and found[0] in text[piece.start : until] else ""


def unnamed(text: str, tokens: Sequence[Token]) -> str:
    """The text without its names and times."""
    for token in tokens:
        if token.kind in ("name", "time", "stages"):
            text = text[: token.start] + " " * (token.end - token.start) + text[token.end :]
    return text


def are_results(inner: Sequence[Atom], sexes: tuple[type, ...]) -> bool:
    """Whether they are comparisons of results, each for its sex where that may be."""
    return any(is_result(a.check) for a in inner) and all(
        is_result(a.check) or isinstance(a.check, sexes) for a in inner
    )
