"""What the doctor found at a server: findings with their remedies, what each type can do, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

__all__ = ["AREAS", "Ability", "Area", "Finding", "Level", "Need", "Report", "Speed"]

Area = Literal["reach", "server", "auth", "capabilities", "claims", "questions", "speed"]
AREAS: tuple[Area, ...] = get_args(Area)

Level = Literal["good", "note", "poor", "bad"]
"""`note`: it works, and is worth knowing; `poor`: some answers will be incomplete; `bad`: the server cannot be used."""

Ability = Literal["server", "here", "no", ""]
"""Who filters: the server; chartline, over all that the patient has of the type; nobody. Empty: R4 has no parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. `remedy` says what would change it; nothing here is about the patient."""

    area: Area
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a type can do of what chartline uses. `abilities` by `patient`, `code`, `category`, `date`, `_elements`,
    `_include`. `reason` says why it cannot be searched; `scope` is the missing scope, `part` the granular ones that
    allow a part of it."""

    type: str
    abilities: Mapping[str, Ability] = field(default_factory=dict)
    reason: str = ""
    scope: str = ""
    part: str = ""

    @property
    def usable(self) -> bool:
        """Whether its resources can be had at all."""
        return not self.reason and not self.scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One page of a search by patient, median of `runs`: milliseconds and bytes, whole and cut by `_elements`.

    `found` is the number of matches on the page; the second pair is None where `_elements` was not tried.
    """

    type: str
    found: int
    runs: int
    milliseconds: float
    size: int
    cut_milliseconds: float | None = None
    cut_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was found at `base`, in `seconds`."""

    base: str
    findings: tuple[Finding, ...]
    needs: tuple[Need, ...] = ()
    speeds: tuple[Speed, ...] = ()
    seconds: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether the server can be used at all."""
        return not any(finding.level == "bad" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {"usable": self.usable, **asdict(self)}
