"""Checks of the person: age, sex, smoking, pregnancy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from agent.trials.checks import Age, Concept, Length, Limit, Pregnancy, Record, Sex, Smoking
from agent.trials.judging.finding import Finder
from agent.trials.judging.records import ongoing_at, record
from agent.trials.judging.told import Told, unknown
from agent.trials.types import VerdictWord
from fhir_tools import compute, dates, wording
from fhir_tools.facts import facts_of
from fhir_tools.types import Concept as Coded
from fhir_tools.types import Fact, Interval

__all__ = ["TERM", "age", "keeps", "menopause", "pregnancy", "sex", "smoking", "status_of"]

TERM = 300
"""Days after its beginning for which a pregnancy can go on."""
_PREMATURE = 40
"""Years of age below which menopause is premature, and a diagnosis."""


def _person(finder: Finder, path: str) -> Fact | None:
    return next((f for f in facts_of(finder.chart.person) if f.path.startswith(f"Patient.{path}")), None)


def age(check: Age, finder: Finder) -> Told:
    """By the birth date: a limit of completed years is kept from one birthday to the day before another."""
    birth = _person(finder, "birthDate")
    if birth is None or not isinstance(birth.value, Interval) or birth.value.day is None:
        return unknown("no birth date is recorded", "the birth date")
    first, last = birth.value.day, dates.last_day(birth.value) or birth.value.day
    if first > finder.as_of:
        missing = "a birth date that is not after the day"
        return unknown(f"born {birth.value.text}, which is after {finder.as_of}", missing, facts=(birth,))
    held = {keeps(day, check.limits, finder.as_of) for day in (first, last)}
    told = compute.compute("age", (birth,), at=finder.as_of)
    mark = finder.gather.marks.computed(told, f"age {dates.age_text(birth.value, finder.as_of)} on {finder.as_of}")
    marks = (finder.mark(birth), mark)
    until = min(_turns(first, check.limits, finder.as_of), default=None)
    reason = f"{dates.age_text(birth.value, finder.as_of)} old on {finder.as_of}"
    if len(held) > 1:
        return unknown(
            f"born {birth.value.text}: the age may be on either side",
            "the full birth date",
            marks=marks,
            facts=(birth,),
        )
    return Told(word="met" if held == {True} else "not_met", reason=reason, marks=marks, facts=(birth,), until=until)


def keeps(birth: date, limits: Iterable[Limit], day: date) -> bool:
    """Whether the age on a day is within all of the limits."""
    return all(limit.holds(_lived(birth, day, limit.unit)) for limit in limits)


def _lived(birth: date, day: date, unit: str) -> int:
    """Completed years, months, weeks or days."""
    days = (day - birth).days
    match unit[:1].lower():
        case "d":
            return days
        case "w":
            return days // 7
        case "m":
            return (day.year - birth.year) * 12 + day.month - birth.month - (day.day < birth.day)
    return _whole_years(birth, day)


def _whole_years(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _turns(birth: date, limits: Iterable[Limit], day: date) -> Iterable[date]:
    """The coming days on which a limit begins or ends to be kept."""
    for limit in limits:
        unit = {"d": "day", "w": "week", "m": "month"}.get(limit.unit[:1].lower(), "year")
        for count in (limit.value, limit.value + 1):
            turn = dates.shift(birth, **{f"{unit}s": int(count)})
            if turn > day:
                yield turn


def sex(check: Sex, finder: Finder) -> Told:
    """By the administrative gender."""
    fact = _person(finder, "gender")
    if fact is None or fact.value not in ("female", "male", "other"):
        return unknown("no sex is recorded", "the sex")
    word: VerdictWord = "met" if fact.value in check.of else "not_met"
    if fact.value == "other":
        return unknown("the recorded gender is other", "the sex at birth", marks=(finder.mark(fact),), facts=(fact,))
    return Told(word=word, reason=f"recorded as {fact.value}", marks=(finder.mark(fact),), facts=(fact,))


_STATUS = (
    ("never", re.compile(r"\bnever\b|\bnon-?\s?smoker|does not smoke|no tobacco", re.IGNORECASE)),
    ("former", re.compile(r"\bformer|\bex-?\s?smoker|\bquit\b|\bpast\b|\bstopped\b", re.IGNORECASE)),
    ("current", re.compile(r"\bcurrent|\bevery day|\bsome days?|\bdaily\b"
                           r"|\b(?:light|heavy|moderate) (?:tobacco )?smoker|\bsmokes\b|^smoker\b", re.IGNORECASE)),
)  # fmt: skip


async def smoking(check: Smoking, finder: Finder) -> Told:
    """By the latest smoking status; without one, by an ongoing tobacco use disorder."""
    found = await finder.find("measurement", (Concept(name="smoking status"),))
    for fact in reversed(found.facts):
        if status := status_of(fact):
            word: VerdictWord = "met" if status in check.of else "not_met"
            day = wording.day_text(fact.when)
            return Told(word=word, reason=f"{status} smoker as of {day}", marks=(finder.mark(fact),), facts=(fact,))
    users = await finder.find("condition", (Concept(name="tobacco use disorder"),), history=False)
    active = [f for f in users.facts if ongoing_at(f, finder)]
    if active:
        word = "met" if "current" in check.of else "not_met"
        return Told(
            word=word,
            reason=f"{wording.label(active[-1].concept)} is active",
            marks=(finder.mark(active[-1]),),
            facts=tuple(active),
        )
    return unknown("no smoking status is recorded", "the smoking status: ask the patient", marks=found.marks)


def status_of(fact: Fact) -> str | None:
    """The smoking status that a fact tells, in the words of the checks; None where it tells none."""
    said = (
        wording.label(fact.value)
        if isinstance(fact.value, Coded)
        else fact.value
        if isinstance(fact.value, str)
        else ""
    )
    return next((status for status, pattern in _STATUS if pattern.search(said)), None)


async def pregnancy(check: Pregnancy, finder: Finder) -> Told:
    """By an ongoing pregnancy among the conditions, or the latest pregnancy status; a man is not pregnant."""
    gender = _person(finder, "gender")
    if gender is not None and gender.value == "male":
        return Told(word="not_met", reason="recorded as male", marks=(finder.mark(gender),), facts=(gender,))
    found = await finder.find("condition", (Concept(name="pregnancy"),), history=False)
    active = [f for f in found.facts if ongoing_at(f, finder)]
    if active:
        fact = active[-1]
        began = fact.when.day if fact.when else None
        if began and (finder.as_of - began).days > TERM:
            return unknown(
                f"{wording.label(fact.concept)} is still active since {wording.day_text(fact.when)}, "
                "longer than a pregnancy lasts",
                "whether the pregnancy has ended", marks=(finder.mark(fact),), facts=tuple(active),
            )  # fmt: skip
        until = Length(count=TERM + 1, unit="day").after(began) if began else None
        return Told(
            word="met",
            reason=f"{wording.label(fact.concept)} is active since {wording.day_text(fact.when)}",
            marks=(finder.mark(fact),),
            facts=tuple(active),
            until=until,
        )
    status = await finder.find("measurement", (Concept(name="pregnancy status"),))
    latest = next((f for f in reversed(status.facts) if f.value is not None), None)
    recent = latest is not None and latest.when and latest.when.day and (finder.as_of - latest.when.day).days <= TERM
    if latest is not None and recent:
        said = wording.value_text(latest).lower()
        word: VerdictWord = "not_met" if "not" in said or "no" in said.split() else "met"
        return Told(
            word=word,
            reason=f"pregnancy status {said} on {wording.day_text(latest.when)}",
            marks=(finder.mark(latest),),
            facts=(latest,),
        )
    if not (found.whole and status.whole):
        return unknown("not all of the chart could be read", "the rest of the chart", marks=found.marks)
    past = tuple(finder.mark(f) for f in found.facts[-1:])
    reason = "no pregnancy is documented now; the last one ended" if past else "pregnancy is not documented"
    return Told(word="not_met", reason=reason, marks=past or found.marks, documented=False, facts=found.facts)


async def menopause(check: Record, finder: Finder) -> Told:
    """An age's course and seldom a diagnosis: that a chart is silent says nothing of a woman who is old enough."""
    told = await record(check, finder)
    grown = Age(limits=(Limit(sign=">=", value=_PREMATURE, unit="years"),))
    may_be = (sex(Sex(of=("female",)), finder), age(grown, finder))
    if told.word != "not_met" or told.documented or any(t.word == "not_met" for t in may_be):
        return told
    return unknown(
        "menopause is not documented, and charts seldom say it", "whether she is past menopause",
        marks=told.marks, facts=tuple(f for t in may_be for f in t.facts), asks=(check,),
    )  # fmt: skip
