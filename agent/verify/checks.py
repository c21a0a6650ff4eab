"""Whether one fact bears what one statement tells of it: date, standing, status, interpretation, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from agent.verify.chart import texts_of
from agent.verify.datings import Dating
from agent.verify.statements import Statement
from agent.verify.told import Day, Number, normal, numbers_in
from agent.verify.values import Match, fits, number_fits, pair_fits, unit_spelling
from fhir_tools import dates, medications
from fhir_tools.types import Components, Fact, Interval, Missing, Quantity, Standing

__all__ = [
    "ENDED",
    "STANDING_WORDS",
    "dated",
    "day_fits",
    "has_status",
    "interpreted",
    "is_negative",
    "number_match",
    "stands",
]

STANDING_WORDS: dict[str, Standing] = {
    "error": "error",
    "refuted": "refuted",
    "planned": "planned",
    "cancelled": "cancelled",
    "not-done": "not-done",
    "unconfirmed": "unconfirmed",
}
ENDED = frozenset(("ended", "resolved", "inactive", "remission", "completed", "cancelled", "on-hold"))
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


# Dates.


def _starts(fact: Fact) -> Iterator[Interval]:
    if fact.when:
        yield fact.when
    for key in ("onset", "recorded"):
        if isinstance(fact.details.get(key), Interval):
            yield fact.details[key]
    if isinstance(fact.value, Interval):
        yield fact.value


def _ends(fact: Fact) -> Iterator[date]:
    if (
        fact.when
        and fact.when.high
        and fact.kind in ("encounter", "medication", "procedure", "careplan", "goal", "device")
    ):
        last = dates.last_day(fact.when)
        # the day of an order is not the end of it; only a period has an end of its own
        if last and (fact.kind == "encounter" or last != fact.when.day):
            yield last
    for key in ("abatement", "ends"):
        value = fact.details.get(key)
        if isinstance(value, Interval):
            last = (dates.last_day(value) if key == "ends" else value.day) or value.day
            if last:
                yield last
    for text in _ISO.findall(str(fact.details.get("taking", ""))):
        yield date.fromisoformat(text)
    if isinstance(fact.value, Interval) and fact.concept.label == "deceased" and fact.value.day:
        yield fact.value.day


def day_fits(day: Day, interval: Interval) -> bool:
    """Whether a told date is the interval's start, told no more precisely than it is recorded."""
    start = interval.day
    if start is None:
        return False
    written = interval.text.count("-") if re.fullmatch(r"\d{4}(-\d\d){0,2}", interval.text) else 2
    if (day.day and written < 2) or (day.month and written < 1):
        return False
    if day.clock and (
        interval.precision != "time"
        or not interval.low
        or (interval.low.hour, interval.low.minute) != (day.clock.hour, day.clock.minute)
    ):
        return False
    told = ((day.year, start.year), (day.month, start.month), (day.day, start.day))
    return all(a is None or a == b for a, b in told)


def _is_day(day: Day, on: date) -> bool:
    return all(a is None or a == b for a, b in ((day.year, on.year), (day.month, on.month), (day.day, on.day)))


def dated(fact: Fact, dating: Dating) -> bool:
    """Whether the told date is one of the fact's own: a start, or an end where it is told as one."""
    first, last = dating.days[0], dating.days[-1]
    if len(dating.days) == 2:
        return any(day_fits(first, i) for i in _starts(fact)) and any(_is_day(last, e) for e in _ends(fact))
    if dating.ending or dating.relation == "until":
        return any(_is_day(first, e) for e in _ends(fact))
    return any(day_fits(first, i) for i in _starts(fact))


# Standing and status.


def is_negative(fact: Fact) -> bool:
    """Whether the fact is an explicit negative record: refuted, not done, "no known …", False, or a missing value."""
    denied = fact.details.get("negation") == "yes" or fact.value is False or isinstance(fact.value, Missing)
    return fact.standing in ("refuted", "not-done") or denied


def stands(fact: Fact, statement: Statement) -> bool:
    """Whether a fact may be told this way: what did not happen only as that, and what did not as its opposite."""
    told = {STANDING_WORDS[w] for w in statement.statuses if w in STANDING_WORDS}
    if told:
        return fact.standing in told or (fact.standing == "fact" and _own_word(fact, statement))
    if fact.standing == "fact":
        return True
    return statement.denied and fact.standing in ("refuted", "not-done")


def _own_word(fact: Fact, statement: Statement) -> bool:
    return "cancelled" in statement.statuses and fact.status == "cancelled"


_STATUS: dict[str, tuple[str, ...]] = {
    "active": ("active", "recurrence", "relapse", "in-progress", "intended", "arrived", "onleave", "current"),
    "ended": ("stopped", "completed", "ended", "cancelled", "resolved", "inactive", "remission", "finished"),
    "on-hold": ("on-hold", "suspended", "onleave"),
    "inactive": ("inactive", "resolved", "remission"),
    "remission": ("remission",),
    "resolved": ("resolved",),
    "completed": ("completed", "finished"),
    "preliminary": ("preliminary", "partial"),
    "final": ("final", "amended", "corrected"),
    "amended": ("amended", "corrected", "appended"),
}


def has_status(fact: Fact, what: str) -> bool:
    """Whether a status word is true of a fact; words that are no status of a resource are true of any."""
    words = {fact.status, str(fact.details.get("clinical", "")), str(fact.details.get("verification", ""))}
    if what == "taking":
        return _taken(fact)
    if what == "current":
        return _taken(fact) if fact.kind == "medication" else _active(fact)
    if what == "active" and not words.intersection(_STATUS["active"]):
        return fact.kind in ("condition", "allergy") and _active(fact)
    if what == "ended" and fact.kind == "medication" and fact.details.get("taking"):
        return not medications.taken(fact) and fact.details["taking"] not in (
            "on hold",
            "status unknown",
            "given",
            "dispensed",
        )
    if what == "confirmed":
        return "confirmed" in words
    if what == "resolved" and fact.kind == "condition" and not fact.details.get("clinical"):
        return "resolved" in words or "abatement" in fact.details
    return what not in _STATUS or bool(words.intersection(_STATUS[what]))


def _taken(fact: Fact) -> bool:
    if "taking" in fact.details:
        return medications.taken(fact)
    return fact.kind == "medication" and fact.standing == "fact" and fact.status == "active"


def _active(fact: Fact) -> bool:
    clinical = fact.details.get("clinical") or fact.status
    return fact.standing == "fact" and (
        clinical in _STATUS["active"] or (not clinical and "abatement" not in fact.details)
    )


# Interpretation.

_FLAGS = {"h": "high", "hh": "critical", "l": "low", "ll": "critical", "n": "normal", "a": "abnormal", "aa": "critical"}
_BOUNDS = re.compile(
    r"(?P<low>-?\d+(?:\.\d+)?)\s*-\s*(?P<high>\d+(?:\.\d+)?)|(?P<sign>[<>]=?)\s*(?P<one>\d+(?:\.\d+)?)"
)


def interpreted(fact: Fact, what: str) -> bool:
    """Whether a result is high, low, normal … by its own interpretation, else by its own reference range."""
    denied = what.startswith("not ")
    what = what.removeprefix("not ")
    found = _interpretation(fact)
    if not found:
        return False
    true = what in found or (what == "abnormal" and bool(found & {"high", "low", "critical"}))
    return not true if denied else true


def _interpretation(fact: Fact) -> set[str]:
    text = str(fact.details.get("interpretation", "")).lower()
    if text:
        found = {_FLAGS.get(t, t) for t in re.findall(r"[a-z]+", text)}
        return {"high" if f in ("elevated", "above") else "low" if f == "below" else f for f in found}
    bounds = _BOUNDS.search(str(fact.details.get("range", "")))
    if not bounds or not isinstance(fact.value, Quantity):
        return set()
    value = fact.value.value
    if bounds["one"]:
        one = float(bounds["one"])
        over = value > one if bounds["sign"].startswith("<") else value < one
        return {("high" if bounds["sign"].startswith("<") else "low") if over else "normal"}
    return {"low" if value < float(bounds["low"]) else "high" if value > float(bounds["high"]) else "normal"}


# Numbers.


def number_match(told: Number, fact: Fact, shown: frozenset[str], *, ranges: bool = False) -> Match:
    """How a told number agrees with what the fact holds: its value, its parts, or a number in its told details."""
    if told.join == "/":
        found = pair_fits(told, fact, shown)
        return found if found != "no" else _in_texts(told, fact, ranges)
    if told.join:
        return _in_texts(told, fact, ranges)
    if isinstance(fact.value, Quantity):
        found = fits(told, fact.value, shown)
        if found != "no":
            return found
    if isinstance(fact.value, Components | Missing):
        return "no"
    return _in_texts(told, fact, ranges)


def _in_texts(told: Number, fact: Fact, ranges: bool) -> Match:
    keys = (
        ("range",)
        if ranges
        else ("dose", "dosage", "onset", "stage", "outcome", "title", "description", "series", "instances")
    )
    texts = [t for key in keys if key in fact.details for t in texts_of(fact.details[key])]
    if isinstance(fact.value, str) and not ranges:
        texts.append(fact.value)
    found: Match = "no"
    for text in texts:
        for number in numbers_in(normal(text), text, lambda u: False):
            same = number_fits(told, number.value) and (told.comparator or None) == (number.comparator or None)
            second = (told.second is None and number.second is None) or (
                told.second is not None and number.second is not None and number_fits(told.second, number.second.value)
            )
            if same and second:
                following = text[number.end :].split()[:1]
                written = number.unit or (following[0] if following else "")
                if told.unit is None or unit_spelling(told.unit).rstrip("s") == unit_spelling(written).strip(
                    ".,;)"
                ).rstrip("s"):
                    return "yes"
                found = "unit"
    return found
