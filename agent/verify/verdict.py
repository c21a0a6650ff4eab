"""What came of a claim, and of each statement of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.types import Claim, Support
from agent.verify.facts import Fault
from agent.verify.pools import Ids

__all__ = ["Held", "Verdict", "unheld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A claim with the marks that hold it and how, or the fault.

    `value` is what the claim tells as data, where its reasoner did not say so.
    """

    claim: Claim
    support: Support = "direct"
    fault: Fault | None = None
    value: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What bears one statement: any one of `ids`, or any one of `marks`, or all of `together`."""

    ids: Ids = frozenset()
    marks: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    fault: Fault | None = None


def unheld(kind: str, reason: str) -> Held:
    """A statement that nothing bears, and why."""
    return Held(fault=Fault(kind=kind, reason=reason))
