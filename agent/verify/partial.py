"""What may not be told while not everything was read: that something is not so, and that there is no more of it."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.verify.chart import Chart
from agent.verify.facts import Fault
from agent.verify.verdict import Verdict

__all__ = ["partly"]

_NO = re.compile(r"\s*no\b(?!\.)", re.IGNORECASE)
_WHY = "not everything was read, so what was not may say otherwise"


def partly(verdict: Verdict, chart: Chart) -> Verdict:
    """The verdict on a claim of a chart that was read in part: a "no" falls, whatever bears it."""
    claim = verdict.claim
    value = claim.value or {}
    denied = value.get("value") is False or bool(_NO.match(claim.text))
    facts = [f for m in claim.marks if m in chart.marks for f in chart.marks[m].facts]
    none_known = bool(facts) and all(f.details.get("negation") for f in facts)
    if verdict.fault is None and (denied or none_known):
        return replace(verdict, fault=Fault(kind="qualifier", reason=_WHY))
    return verdict
