"""One patient held against one trial: a verdict for every statement, and what follows for the patient."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

from agent.chart import Chart
from agent.render import citation
from agent.trials.judging import Finder, Told, judge
from agent.trials.types import Criterion, Outcome, Screened, Verdict
from agent.types import Citation, SearchedOut, Usage
from fhir_tools import wording
from fhir_tools.errors import SourceError
from fhir_tools.facts import facts_of
from fhir_tools.types import Fact, Interval, Mark

__all__ = ["Reads", "outcome", "screen", "verdict_of"]

Reads = Callable[[Criterion, Told, Finder], Awaitable[tuple[Told, Usage, str]]]
"""A reader for what rules leave open: the statement, what rules know, the chart; gives what it found and its name."""


async def screen(
    trial: str, criteria: Sequence[Criterion], chart: Chart, reads: Reads | None = None, before: Screened | None = None
) -> Screened:
    """The patient's verdicts and what they come to. A fault of the source makes a verdict `unknown`, never a guess.

    `before` is the screening by the same checks and reader before this one: where the chart says the same of a
    statement, what a reader said then is not asked again.
    """
    known = {v.number: v for v in before.verdicts if v.by != "rules"} if before else {}
    verdicts, usage = [], Usage()
    for criterion in criteria:
        verdict, used = await _verdict(criterion, chart, reads, known.get(criterion.statement.number))
        verdicts.append(verdict)
        usage = Usage(**{k: v + getattr(used, k) for k, v in usage.model_dump().items()})
    result, why, open_ = outcome(verdicts, _died(chart))
    return Screened(
        trial=trial,
        patient=str(chart.patient),
        name=next((wording.value_text(f) for f in facts_of(chart.person) if f.path == "Patient.name"), ""),
        as_of=chart.as_of.isoformat(),
        outcome=result,
        why=why,
        open=open_,
        verdicts=tuple(verdicts),
        usage=usage,
        warnings=chart.warnings,
    )


async def _verdict(
    criterion: Criterion, chart: Chart, reads: Reads | None, earlier: Verdict | None
) -> tuple[Verdict, Usage]:
    finder = Finder(chart)
    try:
        told = await judge(criterion.check, finder)
        if told.word == "unknown" and told.asks and reads is not None:
            if earlier is not None and earlier.read and earlier.read == _digest(told.facts):
                return earlier, Usage()
            told, usage, by = await reads(criterion, told, finder)
            return verdict_of(criterion, told, finder, by), usage
    except SourceError as error:
        why = f"the chart could not be read: {error}"
        told = Told(word="unknown", reason=why, missing="a source that answers")
    return verdict_of(criterion, told, finder), Usage()


def _capital(text: str) -> str:
    """The text with a capital in front, unless its first word has one within: eGFR, pH."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def verdict_of(criterion: Criterion, told: Told, finder: Finder, by: str = "rules") -> Verdict:
    """What is known of a statement, as the public verdict: marks numbered in the order met, searches as proof."""
    s = criterion.statement
    return Verdict(
        number=s.number,
        section=s.section,
        text=s.text,
        verdict=told.word,
        reason=f"{_capital(told.reason)}.",
        missing=told.missing,
        documented=told.documented,
        citations=tuple(_citations(told.marks, finder.chart)),
        searched=tuple(
            SearchedOut(query=r.query, found=r.found, complete=r.complete, error=r.error)
            for r in finder.gather.searched.values()
        ),
        read=_digest(told.facts),
        until=told.until.isoformat() if told.until else None,
        by=by,
    )


def _citations(marks: Iterable[Mark], chart: Chart) -> Iterable[Citation]:
    counts: dict[str, int] = {}
    for mark in marks:
        prefix = mark.id.rstrip("0123456789")
        counts[prefix] = counts.get(prefix, 0) + 1
        told = citation(mark).model_copy(update={"mark": f"{prefix}{counts[prefix]}"})
        yield told.model_copy(update={"reference": chart.locate(mark.fact.reference)}) if mark.fact else told


def _digest(facts: Iterable[Fact]) -> str:
    """What the chart said, so that a change of it shows: places, values, times, statuses."""
    said = sorted(
        {
            f"{f.reference} {f.path} {f.concept.key} {f.standing} {f.status} {f.value!r} {f.when!r} {f.details!r}"
            for f in facts
        }
    )
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16] if said else ""


def _died(chart: Chart) -> str:
    """When the patient died, by the day that counts as today; empty where no death is recorded."""
    fact = next((f for f in facts_of(chart.person) if f.concept.label == "deceased"), None)
    if fact is None or fact.value in (None, False):
        return ""
    when = fact.value if isinstance(fact.value, Interval) else None
    if when and when.day and when.day > chart.as_of:
        return ""
    return f"died {wording.day_text(when)}" if when else "is recorded as dead"


def outcome(verdicts: Sequence[Verdict], died: str = "") -> tuple[Outcome, str, tuple[int, ...]]:
    """What the verdicts come to, the reason for an exclusion, and the numbers of the statements that stay open.

    Excluded: an inclusion that is not met, or an exclusion that is. Eligible only where every statement is settled by
    something that the chart documents; what rests on an absence is open, like what is unknown.
    """
    failed = [v for v in verdicts if v.verdict == ("not_met" if v.section == "inclusion" else "met")]
    if died or failed:
        first = sorted(failed, key=lambda v: not v.documented)
        why = f"{_said(first[0])}" if first else ""
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return "excluded", died or f"{why}{more}", ()
    open_ = tuple(v.number for v in verdicts if v.verdict == "unknown" or not v.documented)
    return ("possibly eligible" if open_ else "eligible"), "", open_


def _said(verdict: Verdict) -> str:
    which = "inclusion not met" if verdict.section == "inclusion" else "exclusion met"
    return f"{which}: {verdict.text}. {verdict.reason}"
