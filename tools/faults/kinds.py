"""The kinds of faults, and which of them a seed chooses for a run."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["ANSWERS", "ENTRIES", "KINDS", "PAGES", "STATEMENTS", "Fault", "draw"]

RETRY_AFTER = ("none", "seconds", "zero", "date", "past", "garbage", "huge")

ANSWERS: tuple[str, ...] = (
    *(f"{status}-{after}" for status in (429, 503) for after in RETRY_AFTER),
    "500", "502", "504", "500-html", "503-html", "200-html", "401", "403", "404", "410",
    "reset", "reset-in-body", "no-answer", "drip", "stall",
    "truncated-json", "short-body", "empty-body", "json-null", "json-list", "bad-utf8",
    "wrong-type", "no-type", "gzip-garbage", "gzip-truncated", "outcome-200", "other-resource",
    "redirect-same", "redirect-other", "redirect-loop",
)  # fmt: skip
"""In place of an answer, whatever it was of."""

PAGES: tuple[str, ...] = (
    "loop", "loop-two", "expired-link", "expired-once", "short-page", "empty-page", "outcome-error", "outcome-warning",
    "changed-total", "larger-total", "duplicates", "same-page-twice", "other-origin", "other-patient-link",
    "other-patient-entry", "other-patient-page", "cut", "bundle-no-type", "null-entries", "entry-without-resource",
)  # fmt: skip
"""Within a searchset, also one inside a batch-response."""

ENTRIES: tuple[str, ...] = ("entry-401", "entry-404", "entry-429", "entry-500", "entry-missing", "entries-swapped")
"""Of a batch-response."""

STATEMENTS: tuple[str, ...] = (
    "statement-lies", "statement-404", "statement-500", "statement-html", "statement-empty", "statement-minimal",
    "no-batch", "no-post",
)  # fmt: skip
"""Of the whole server, for as long as it lives."""

KINDS: tuple[str, ...] = (*ANSWERS, *PAGES, *ENTRIES, *STATEMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault from the `at`th occasion on (from 0), `times` times. An occasion is an answer that it could befall."""

    kind: str
    at: int = 0
    times: int = 1

    def __str__(self) -> str:
        return f"{self.kind}@{self.at}x{self.times}"


ALWAYS = 1_000_000


def draw(seed: int) -> tuple[Fault, ...]:
    """One to three faults of a seed. The first goes round all kinds, so that so many seeds meet each of them."""
    rng = random.Random(seed)
    kinds = [KINDS[seed % len(KINDS)], *rng.choices(KINDS, k=rng.choice((0, 0, 1, 2)))]
    return tuple(
        Fault(kind=kind, at=0 if kind in STATEMENTS else rng.choice((0, 0, 1, 1, 2, 3, 5, 8)), times=_times(kind, rng))
        for kind in dict.fromkeys(kinds)
    )


def _times(kind: str, rng: random.Random) -> int:
    return ALWAYS if kind in STATEMENTS else rng.choice((1, 1, 2, 4, ALWAYS))
