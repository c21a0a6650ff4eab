"""What a rule found: words that code put together from facts, and the resources behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from agent.service.cds.configuring import CardConfig
from agent.service.cds.markdown import escaped
from agent.service.cds.responses import Indicator
from fhir_tools import wording
from fhir_tools.types import Fact, Reference

__all__ = ["Finding", "ago", "dated", "listed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One card to be. `lines` are Markdown whose chart text is escaped; `evidence` are the resources that it cites.

    Two findings of one `key` say the same: the more urgent one is shown. `remove` is a draft that the reader may choose
    to take out; `question` is what the page is asked for the rest.
    """

    card: CardConfig
    indicator: Indicator
    summary: str
    lines: tuple[str, ...]
    evidence: tuple[Reference, ...] = ()
    key: tuple[str, ...] = ()
    remove: Reference | None = None
    question: str | None = None


def ago(day: date, today: date) -> str:
    """How long ago a day is: `today`, `12 days ago`, `5 months ago`."""
    days = (today - day).days
    if days < 1:
        return "today"
    if days < 62:
        return f"{days} day{'s' if days != 1 else ''} ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


def dated(fact: Fact, today: date) -> str:
    """` on 2026-05-01 (12 days ago)`; empty where the fact has no date."""
    when = fact.when
    if not when or not when.day:
        return ""
    told = wording.day_text(when)
    return f" on {told} ({ago(when.day, today)})" if when.precision in ("day", "time") else f" in {told}"


def listed(fact: Fact, today: date) -> str:
    """How the chart has a drug, escaped: `Metformin 500 MG, listed active, last ordered on …`; not "is taking"."""
    statement = fact.details.get("role") == "statement"
    word = "reported as taken, stated" if statement else "listed active, last ordered"
    setting = ", ".join(c for c in fact.details.get("category", ()) if c in ("inpatient", "outpatient", "community"))
    return f"{escaped(fact.concept.label)}, {word}{dated(fact, today)}{f', {setting}' if setting else ''}"
