"""Names of findings: what stands for the same thing in a reading and in a report, and how soon a reader should see it.

`urgency` follows the categories of the ACR Actionable Reporting Work Group (Larson et al. 2014, J Am Coll Radiol
11:552-558): 1 minutes, 2 hours, 3 days; 4 is none of them. Which finding is in which category, and the phrases by which
a report denies one without its name ("the lungs are clear"), were written by hand and had no clinician's review.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["UNKNOWN_URGENCY", "Term", "term_of", "terms"]

UNKNOWN_URGENCY = 3
"""Of a finding that the table does not know: it is seen before what is known to be able to wait."""

_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One finding: its names in lower case, and the phrases that deny it without naming it."""

    id: str
    label: str
    urgency: int
    names: tuple[str, ...]
    denied: tuple[str, ...] = ()

    @property
    def denials(self) -> re.Pattern[str] | None:
        """Any of the phrases that deny it; None where there are none."""
        return _any(self.denied) if self.denied else None


@cache
def _any(names: tuple[str, ...]) -> re.Pattern[str]:
    longest = sorted(names, key=len, reverse=True)
    words = "|".join(re.escape(name).replace(r"\ ", r"[\s-]+") for name in longest)
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)


@cache
def terms() -> tuple[Term, ...]:
    """Every finding of the table, the most urgent first."""
    rows = csv.DictReader(
        files(__package__ or "agent.vision").joinpath("findings.tsv").read_text("utf-8").splitlines(),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    return tuple(
        Term(
            id=row["id"],
            label=row["label"],
            urgency=int(row["urgency"]),
            names=_listed((row["id"], *row["terms"].split("|"))),
            denied=_listed(row["denied"].split("|")),
        )
        for row in rows
    )


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))


def term_of(name: str) -> Term:
    """The finding that a name means: by its whole, else by the longest known name in it; else a term of its own."""
    plain = _plain(name)
    best: tuple[int, Term] | None = None
    for term in terms():
        for known in map(_plain, term.names):
            if known == plain:
                return term
            if f" {known} " in f" {plain} " and (best is None or len(known) > best[0]):
                best = len(known), term
    if best:
        return best[1]
    text = " ".join(name.split())
    return Term(
        id=plain or "finding", label=text, urgency=UNKNOWN_URGENCY, names=(text.lower(),) if text else ("finding",)
    )


def _plain(name: str) -> str:
    return _PLAIN.sub(" ", name.lower()).strip()
