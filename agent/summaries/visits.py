"""What is new since the last visit. The last visit is the last finished encounter before the most recent one.

New is what is clinically dated after that visit ended, up to as_of, the most recent encounter with it: results,
orders, conditions that began or ended, procedures, reports, vaccines. A stop without a date cannot be placed in time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from agent.summaries import lines, sections
from agent.summaries.lines import line
from agent.summaries.plots import plot_of
from agent.summaries.reading import Reader
from agent.summaries.sections import absent, by_concept, listed
from agent.summaries.types import Drafted, Note, Sketch
from fhir_tools import wording
from fhir_tools.cards import event_card, measurement_card
from fhir_tools.records import usable
from fhir_tools.types import Fact, Interval, Kind, Query

__all__ = ["since_last_visit"]

_VISITS = 60
_RESULTS = 400
_TYPES: tuple[tuple[Kind, str, str], ...] = (
    ("procedure", "Procedure", "New procedures"),
    ("imaging", "ImagingStudy", "New imaging"),
    ("report", "DiagnosticReport", "New reports"),
    ("immunization", "Immunization", "New immunizations"),
)


async def since_last_visit(reader: Reader) -> tuple[Sketch, ...]:
    """The two visits that mark the time, and what is new after the earlier one."""
    query = reader.newest("Encounter", _VISITS)
    visits = await reader.reasoned(usable(await reader.read("encounter", query)))
    dated = tuple(f for f in visits if f.when and f.when.low)
    if not dated:
        return (Sketch(title="Visits", notes=(absent(reader, "Encounters", query),)),)
    latest = dated[-1]
    before = _last_finished(dated)
    head = _visits(reader, latest, before, sections.cut(reader, "Encounters", query))
    if before is None or before.when is None:
        return (head,)
    after = before.when.high or before.when.low
    day = before.when.day
    assert after is not None and day is not None  # noqa: S101  `dated` holds only encounters with a start
    made = [head, *await _encounters(reader, dated, after), await _results(reader, after, day)]
    made += [*await _conditions(reader, after), *await _orders(reader, after, day)]
    for kind, type_, title in _TYPES:
        found = await _new(reader, kind, reader.newest(type_, _RESULTS, since=day), after)
        made += [listed(reader, title, by_concept(found))] if found else []
    told = tuple(s for s in made if s.lines or s.notes)
    return told if any(s.lines for s in made[1:]) else (*told, _nothing(reader, day))


def _last_finished(visits: tuple[Fact, ...]) -> Fact | None:
    latest = visits[-1]
    start = latest.when.low if latest.when else None
    done = [f for f in visits[:-1] if f.status == "finished" and f.when and f.when.low and start and f.when.low < start]
    return done[-1] if done else None


def _visits(reader: Reader, latest: Fact, before: Fact | None, notes: tuple[Note, ...]) -> Sketch:
    told = [latest] if before is None else [latest, before]
    card = event_card(
        reader.marks,
        tuple(reversed(told)),
        title="Encounters, newest",
        window="newest encounters",
        names=("visit", "encounter"),
    )
    words = ("Most recent", "Before it")
    drafted = tuple(line(card, f"{word}: {lines.sentence(f)}", f) for word, f in zip(words, told, strict=False))
    how = (
        f"Only one visit is documented up to {reader.chart.as_of}, so there is nothing to compare it with."
        if before is None
        else "Below is what is dated after the end of the earlier visit. A stop without a date cannot be placed."
    )
    return Sketch(title="Visits", lines=drafted, notes=(Note(text=how), *notes), cards=(card,))


def _nothing(reader: Reader, day: date) -> Sketch:
    types = (
        "Observation",
        "Condition",
        "MedicationRequest",
        "Procedure",
        "DiagnosticReport",
        "Immunization",
        "ImagingStudy",
    )
    rows = [s for s in reader.searched.values() if s.query.split("?")[0] in types]
    marks = tuple(reader.marks.searched(s).id for s in rows)
    told = (
        "Nothing new is documented"
        if all(s.complete for s in rows)
        else "Nothing new was found, but a search was cut short,"
    )
    return Sketch(title="New", notes=(Note(text=f"{told} after {day.isoformat()}.", marks=marks),))


def _after(when: Interval | None, moment: datetime) -> bool:
    return bool(when and when.low and when.low >= moment)


async def _new(reader: Reader, kind: Kind, query: Query, after: datetime) -> tuple[Fact, ...]:
    return tuple(f for f in usable(await reader.read(kind, query)) if _after(f.when, after))


async def _encounters(reader: Reader, visits: tuple[Fact, ...], after: datetime) -> tuple[Sketch, ...]:
    new = tuple(f for f in visits[:-1] if _after(f.when, after))
    return (listed(reader, "Other encounters in between", tuple((f,) for f in reversed(new))),) if new else ()


async def _results(reader: Reader, after: datetime, day: date) -> Sketch:
    """Each measurement taken since, its newest value, with how often it was taken."""
    query = reader.newest("Observation", _RESULTS, since=day)
    found = await _new(reader, "measurement", query, after)
    drafted: list[Drafted] = []
    cards = []
    for group in by_concept(found):
        card = measurement_card(reader.marks, group, window=f"after {day.isoformat()}", each=len(group) <= 12)
        text, used = lines.measured(group)
        made = line(card, text, *used)
        cards.append(card)
        drafted.append(replace(made, plot=plot_of(group), flagged=bool(lines.flag_of(used[-1]))))
    notes = sections.cut(reader, "Results", query)
    if reader.found(query) > _RESULTS:
        notes = (*notes, Note(text=f"Only the newest {_RESULTS} of {reader.found(query)} results were read."))
    flagged = sorted(drafted, key=lambda d: not d.flagged)
    return Sketch(
        title="New results",
        lines=tuple(flagged[:60]),
        cards=tuple(cards),
        notes=notes,
        hidden=max(0, len(flagged) - 60),
    )


async def _conditions(reader: Reader, after: datetime) -> tuple[Sketch, ...]:
    _, facts = await sections.conditions(reader)
    began = [f for f in usable(facts) if _after(f.when, after) or _after(f.details.get("recorded"), after)]
    ended = [f for f in usable(facts) if f not in began and _ended(reader, f, after)]
    titled = (("New problems", began), ("Problems that ended", ended))
    return tuple(listed(reader, title, by_concept(group)) for title, group in titled if group)


def _ended(reader: Reader, fact: Fact, after: datetime) -> bool:
    end = fact.details.get("abatement") or fact.details.get("ends")
    return isinstance(end, Interval) and _after(end, after) and bool(end.low and end.low < reader.end)


async def _orders(reader: Reader, after: datetime, day: date) -> tuple[Sketch, ...]:
    orders = await _new(reader, "medication", reader.newest("MedicationRequest", _RESULTS, since=day), after)
    new = await reader.reasoned(await reader.judged(orders))
    _, every = await sections.drugs(reader, only_active=False)
    known = {wording.label(f.concept).lower() for f in usable(every) if not _after(f.when, after)}
    started = [f for f in new if wording.label(f.concept).lower() not in known]
    again = [f for f in new if wording.label(f.concept).lower() in known]
    over = [f for f in usable(every) if f not in new and _over(reader, f, after)]
    titled = (
        ("Medications started", started),
        ("Medications ordered again", again),
        ("Medication courses that ended", over),
    )
    return tuple(listed(reader, title, by_concept(group)) for title, group in titled if group)


def _over(reader: Reader, fact: Fact, after: datetime) -> bool:
    end = fact.details.get("ends")
    return isinstance(end, Interval) and bool(end.high and after <= end.high < reader.end)
