"""Questions over many patients: words → typed checks, all of which must hold; words not understood are refused.

"How many patients with diabetes have an HbA1c above 9 in the last year?" is two checks. The grammar of trial criteria
reads each part, so a cohort's question and a criterion mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from agent.errors import UserError
from agent.trials.checks import Age, All, Any_, AtLeast, Measurement, Not, Pregnancy, Record, Sex, Smoking, walk
from agent.trials.grammar import read_check
from agent.trials.judging.finding import label_of
from fhir_tools.units import show

__all__ = ["Question", "say", "understand"]

_HEAD = re.compile(
    r"\s*(?:(?P<count>how\s+many|count|number\s+of|what\s+number\s+of)|(?P<list>list|show|find|which|who|give\s+me|name))"
    r"\s*(?:me\s+)?(?:all\s+|of\s+|the\s+|our\s+)*\s*",
    re.IGNORECASE,
)
_PEOPLE = re.compile(r"(?:patients?|people|persons?|everyone|adults?(?=\s+with))\b\s*", re.IGNORECASE)
_SEXES = re.compile(r"(?P<female>wom[ae]n|females?|girls?)|(?P<male>m[ae]n|males?|boys?)", re.IGNORECASE)
_SPLIT = re.compile(
    r"\s*(?:,\s*)?(?<!\bnot )(?<!\bnever )\b(?:and\s+|but\s+)?(?:(?:who|that|whose)\s+)?"
    r"(?=(?:who|whose|that|have|has|had|with|without|on|take|takes|"
    r"taking|not|never|aged|older|younger|over\s+\d|under\s+\d|are|is)\b)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:who|that|whose|have|has|had|are|is|were|been|and|but|with|an?|the|there)\s+)+", re.IGNORECASE
)
_AGE = re.compile(r"(over|under)\s+(\d+)(?:\s+years?(?:\s+old)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`want` is a count or a list; `checks` are the parts as understood, each with the words it was read from."""

    text: str
    want: Literal["count", "list"]
    checks: tuple[tuple[str, Any], ...]

    @property
    def check(self) -> Any:
        """All parts as one check."""
        parts = tuple(c for _, c in self.checks)
        return parts[0] if len(parts) == 1 else All(of=parts)

    @property
    def told(self) -> tuple[str, ...]:
        """How each part was understood, in a line each."""
        return tuple(say(check) for _, check in self.checks)


def understand(text: str) -> Question:
    """The question's checks. Raises UserError that names the words which nothing explains."""
    head = _HEAD.match(text)
    if not head:
        raise UserError("a question to a cohort begins with 'how many', 'count', 'list', 'which' or 'show'")
    rest = text[head.end() :].strip().rstrip("?.! ")
    checks: list[tuple[str, Any]] = []
    sex = _SEXES.match(rest)
    if sex:
        checks.append((sex[0], Sex(of=("female",) if sex["female"] else ("male",))))
        rest = rest[sex.end() :].strip()
    rest = _PEOPLE.sub("", rest, count=1) if _PEOPLE.match(rest) else rest
    checks += [(part, _read(part)) for part in _parts(rest)]
    if not checks:
        raise UserError("the question asks for nothing that could be checked, such as 'with diabetes' or 'on warfarin'")
    return Question(text=text, want="count" if head["count"] else "list", checks=tuple(checks))


def _parts(rest: str) -> Iterator[str]:
    for part in _SPLIT.split(rest):
        bare = _LEAD.sub("", part.strip(" ,"), count=1) if _LEAD.match(part.strip(" ,")) else part.strip(" ,")
        if bare.strip() and bare.strip().lower() not in (
            "have",
            "has",
            "had",
            "are",
            "is",
            "who",
            "with",
            "and",
            "there",
        ):
            yield bare.strip()


def _read(part: str) -> Any:
    age = _AGE.fullmatch(part)
    words = f"age {age[1]} {age[2]}" if age else part
    check = read_check(words, "inclusion")
    for leaf in walk(check):
        if leaf.type in ("reader", "no chart"):
            raise UserError(
                f"{part!r} is not understood; say a diagnosis, drug, result with a limit, age, sex or visit"
            )
        if getattr(leaf, "doubts", ()):
            raise UserError(
                f"of {part!r} the words {', '.join(map(repr, leaf.doubts))} are not understood; leave them out"
            )
    return check


def say(check: Any) -> str:
    """A check in words, as a reader of the answer is told what was counted."""
    match check:
        case Not():
            return f"not ({say(check.of)})"
        case All():
            return " and ".join(f"({say(c)})" for c in check.of)
        case Any_():
            return " or ".join(f"({say(c)})" for c in check.of)
        case AtLeast():
            return f"at least {check.number} of: " + "; ".join(map(say, check.of))
        case Age():
            return "age " + _limits(check)
        case Sex():
            return f"recorded sex {' or '.join(check.of)}"
        case Smoking():
            return f"{' or '.join(check.of)} smoker"
        case Pregnancy():
            return "pregnant"
        case Measurement():
            return f"{check.which} result of {label_of(check.of)}{_time(check)} is {check.finding or _limits(check)}"
        case Record():
            state = f"{check.state} " if check.state else ""
            apart = f" apart from {label_of(check.apart)}" if check.apart else ""
            lasting = f", for at least {check.lasting}" if check.lasting else ""
            return f"{state}{check.kind}: {label_of(check.of)}{apart}{_time(check)}{lasting}"
    return str(check.type)


def _limits(check: Any) -> str:
    return " and ".join(f"{limit.sign} {limit.value:.12g} {show(limit.unit)}".strip() for limit in check.limits)


def _time(check: Any) -> str:
    return f" ({check.period})" if check.period else ""
