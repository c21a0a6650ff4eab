"""How the dates of a claim are told: on, since, until, a range of two, as the end of something."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from agent.verify.told import Day
from agent.verify.words import ENDING

__all__ = ["CLAUSE", "Dating", "Relation", "datings"]

Relation = Literal["on", "since", "after", "before", "until", "range"]

CLAUSE = re.compile(r"[;\n]|[.!?](?=\s|$)|(?<=\x03):(?=\s)|,?\s(?:but|whereas|while|although|however)\s")
"""Where one clause ends and the next begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """One date, or two of a range, with how it is related; `ending` when it is told as the end of something."""

    days: tuple[Day, ...]
    relation: Relation = "on"
    ending: bool = False

    @property
    def start(self) -> int:
        return self.days[0].start

    @property
    def end(self) -> int:
        return self.days[-1].end


_RELATIONS: tuple[tuple[Relation, re.Pattern[str]], ...] = (
    ("range", re.compile(r"\b(?:between|from|during)\s*$")),
    ("since", re.compile(r"\b(?:since|from|starting)(?: the)?\s*$")),
    ("after", re.compile(r"\b(?:after|following)\s*$")),
    ("before", re.compile(r"\b(?:before|prior to)\s*$")),
    ("until", re.compile(r"\b(?:until|till|through|up to|to|by)\s*$")),
)
_AS_RECORDED = re.compile(
    r"\b(?:recorded|listed|documented|noted) (?:(?:as )?(?:\w+[ -]?){1,2}|\([^()]*\))(?=\s*(?:on\s*|\(\s*)$)"
)
_BEGINNING = re.compile(
    r"\b(?:order(?:ed)?|record(?:ed)?|listed|started|onset|diagnos\w+|documented|prescribed|authored|given|since|dated|admitted)\b|[\x02\x03]"
)
_TO = re.compile(r"\s*(?:to|-|through|until|till)\s*$")
_AND = re.compile(r"\s*and\s*$")


def datings(masked: str, days: list[Day]) -> list[Dating]:
    """The dates of a claim with how each is told; two of a range are one."""
    out: list[Dating] = []
    for day in days:
        before = masked[out[-1].end : day.start] if out else ""
        opened = out and _relation(masked, out[-1].start) in ("range", "since")
        if out and len(out[-1].days) == 1 and (_TO.fullmatch(before) or (opened and _AND.fullmatch(before))):
            out[-1] = Dating(days=(*out[-1].days, day), relation="range")
            continue
        relation = _relation(masked, day.start)
        out.append(
            Dating(
                days=(day,), relation="since" if relation == "range" else relation, ending=_ending(masked, day.start)
            )
        )
    return [replace(d, relation="on") if d.relation == "since" and _during(masked, d.start) else d for d in out]


def _during(masked: str, start: int) -> bool:
    return bool(re.search(r"\bduring\s*$|\bfrom\s*$", masked[:start])) and not re.search(r"\bsince\s*$", masked[:start])


def _relation(masked: str, start: int) -> Relation:
    before = masked[max(0, start - 20) : start]
    return next((r for r, pattern in _RELATIONS if pattern.search(before)), "on")


def _ending(masked: str, start: int) -> bool:
    """Whether the date is told as an end: the nearest verb before it ends something, and no record is named."""
    before = masked[:start]
    clause = before[max((m.end() for m in CLAUSE.finditer(before)), default=0) :]
    clause = _AS_RECORDED.sub(" recorded ", clause)
    last = max((m.end() for m in ENDING.finditer(clause)), default=-1)
    return last > max((m.end() for m in _BEGINNING.finditer(clause)), default=-1)
