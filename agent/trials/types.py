"""Records of trials: the protocol, its statements, each as a check; verdicts and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.types import Citation, SearchedOut, Usage

__all__ = ["Criterion", "Outcome", "Screened", "Section", "Statement", "Trial", "Verdict", "VerdictWord"]

Section = Literal["inclusion", "exclusion"]
VerdictWord = Literal["met", "not_met", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One criterion of a protocol: `source[start:end]` is where it stands, `text` the same without layout.

    `number` counts from 1, inclusion before exclusion, in the order written; 0 is of the registry's own fields (age,
    sex), which no text holds. `under` is the heading that it stands below. A list that is one requirement ("one of the
    following") is one statement: `parts` are its items, `needed` how many of them (0: all).
    """

    number: int
    section: Section
    text: str
    start: int = 0
    end: int = 0
    under: str = ""
    parts: tuple[str, ...] = ()
    needed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A protocol as far as it says who may take part. `source` is the text that statements are spans of."""

    id: str
    title: str
    source: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A statement and the check that stands for it (`agent.trials.checks.Check`); `by` says who wrote the check."""

    statement: Statement
    check: Any
    by: str = "rules"


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(_Out):
    """Whether one statement holds for one patient, about the statement itself: of an exclusion, `not_met` is good.

    `documented` is False where it rests on something that the chart does not hold; `missing` says what would settle an
    `unknown`. `read` is a digest of what the chart said, and `until` the first day on which time alone may change it.
    `by` is `rules`, or the model that read the chart for it.
    """

    number: int
    section: Section
    text: str
    verdict: VerdictWord
    reason: str
    missing: str = ""
    documented: bool = True
    citations: tuple[Citation, ...] = ()
    searched: tuple[SearchedOut, ...] = ()
    read: str = ""
    until: str | None = None
    by: str = "rules"


Outcome = Literal["eligible", "possibly eligible", "excluded"]


class Screened(_Out):
    """One patient held against one trial as of a day. `open` are the statements that somebody must still settle.

    `digest` is of the records that the trial's checks may look at (`agent.trials.population`), `later` whether
    some of the chart is (or may be) dated after `as_of`.
    """

    trial: str
    patient: str
    name: str = ""
    as_of: str
    outcome: Outcome
    why: str = ""
    open: tuple[int, ...] = ()
    verdicts: tuple[Verdict, ...]
    digest: str = ""
    later: bool = True
    usage: Usage = Field(default_factory=Usage)
    warnings: tuple[str, ...] = ()
