"""What a drug's records are told to be: ordered, given, dispensed or stated. One card holds all four."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.verify.words import RECORD_ROLES
from fhir_tools.types import Fact

__all__ = ["has_role", "roles_told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    roles: frozenset[str]
    start: int
    end: int


_JOINED = re.compile(r"\s*(?:or|and|,|/)\s*")
_COUNTED = re.compile(r"\s*(?:more |other |further |\x01+s? |of )*")


def roles_told(masked: str, span: tuple[int, int], at: int, *, counted_to: int | None = None) -> frozenset[str]:
    """The roles that what stands at `at` is told of: by the verb before it, else by the one behind.

    `counted_to` is the end of a number that counts: "3 orders" is told by its own noun. Empty where no role is told.
    """
    told = _joined(masked, _cues(masked, span))
    if counted_to is not None:
        own = [t for t in told if t.start >= counted_to and _COUNTED.fullmatch(masked[counted_to : t.start])]
        if own:
            return own[0].roles
    before = [t for t in told if t.start < at]
    after = [t for t in told if t.start >= at]
    return before[-1].roles if before else after[0].roles if after else frozenset()


def _cues(masked: str, span: tuple[int, int]) -> list[_Told]:
    found = [
        _Told(roles=frozenset((role,)), start=m.start(), end=m.end())
        for role, pattern in RECORD_ROLES.items()
        for m in pattern.finditer(masked, *span)
    ]
    return sorted(found, key=lambda t: t.start)


def _joined(masked: str, cues: list[_Told]) -> list[_Told]:
    """`given or dispensed` tells of both."""
    out: list[_Told] = []
    for cue in cues:
        if out and _JOINED.fullmatch(masked[out[-1].end : cue.start]):
            out[-1] = _Told(roles=out[-1].roles | cue.roles, start=out[-1].start, end=cue.end)
        else:
            out.append(cue)
    return out


def has_role(fact: Fact, roles: frozenset[str]) -> bool:
    """Whether a fact may be told this way; only a drug's records have roles."""
    if fact.kind != "medication" or not roles:
        return True
    details: Mapping[str, object] = fact.details
    return details.get("role") is None or details["role"] in roles
