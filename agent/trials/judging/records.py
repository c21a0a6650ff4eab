"""Checks of what is recorded: conditions, drugs, allergies, procedures, vaccines, encounters, the family."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from agent.trials.checks import Concept as Named
from agent.trials.checks import Length, Period, Record
from agent.trials.judging.finding import Finder, Found, label_of
from agent.trials.judging.told import Told, doubted, unknown
from agent.trials.names import meanings
from fhir_tools import dates, medications, wording
from fhir_tools.conditions import ongoing
from fhir_tools.dates import Window
from fhir_tools.types import Concept, Fact, Interval, Mark

__all__ = ["ongoing_at", "record"]

_WHERE = {
    "condition": "conditions", "medication": "medications", "allergy": "allergies", "procedure": "procedures",
    "immunization": "immunizations", "encounter": "encounters", "family": "the family history", "device": "devices",
    "imaging": "imaging studies",
}  # fmt: skip
_STANDING = {
    "refuted": "is recorded as refuted", "unconfirmed": "is recorded only as unconfirmed", "planned": "is only planned",
    "cancelled": "was cancelled", "not-done": "was not done",
}  # fmt: skip
_SHOWN = 5
_CHRONIC = Length(count=3, unit="month")
_CAUSE = re.compile(r"(?:for|due to|because of)\s+(.+)", re.IGNORECASE)


async def record(check: Record, finder: Finder) -> Told:
    """Whether something of the kind is recorded, in the state and at the time that the check asks for."""
    found = await finder.find(check.kind, check.of, check.apart, history=check.state == "")
    if check.kind == "family" and check.relative:
        found = _of_relative(found, check.relative)
    if check.kind == "allergy" and (denied := await _denied(check, finder, found)):
        return denied
    if not found.facts and check.period and check.kind != "medication" and found.doubtful:
        past = _timed(check.period, finder, found.doubtful, found.doubtful, ends=check.kind == "encounter")
        if past.word == "not_met":  # whatever it was, it was at another time
            return doubted(check, past)
    if not found.facts:
        return doubted(check, _absent(check, finder, found))
    told = _drug(check, finder, found.facts) if check.kind == "medication" else _event(check, finder, found.facts)
    check = _without_course(check, finder, found.facts)
    if check.kind == "encounter" and told.word == "met" and (other := await _without_cause(check, finder)):
        return other
    return doubted(check, told)


def _without_course(check: Record, finder: Finder, facts: Sequence[Fact]) -> Record:
    """The check without "chronic" where what was found has gone on for long: more than three months, as in most
    definitions of a chronic disease (ICD-11 MG30 of chronic pain, KDIGO 2012 of kidney disease)."""
    if not any(d.lower() == "chronic" for d in check.doubts):
        return check
    bound = _CHRONIC.before(finder.as_of)
    lasts = medications.taken if check.kind == "medication" else lambda f: ongoing_at(f, finder)
    if not any(f.when and f.when.day and f.when.day <= bound and lasts(f) for f in facts):
        return check
    return check.model_copy(update={"doubts": tuple(d for d in check.doubts if d.lower() != "chronic")})


async def _without_cause(check: Record, finder: Finder) -> Told | None:
    """A stay for something that the chart does not hold at all was for something else; None where it holds it."""
    for cause in (m[1] for d in check.doubts if (m := _CAUSE.fullmatch(d))):
        asked = Record(kind="condition", of=(Named(name=cause),))
        if meanings(cause, "condition") and (told := await record(asked, finder)).word == "not_met":
            return told
    return None


def ongoing_at(fact: Fact, finder: Finder) -> bool:
    """Whether a condition goes on as of the day: one that ended later did then."""
    end = fact.details.get("abatement")
    if isinstance(end, Interval) and not finder.ended(end):
        return True
    return ongoing(fact)


def _absent(check: Record, finder: Finder, found: Found) -> Told:
    """Nothing usable: refuted where the chart says so, not documented where all was searched, else unknown."""
    name = label_of(check.of)
    if found.doubtful:
        fact = found.doubtful[-1]
        return unknown(
            f"{wording.label(fact.concept)} is recorded, and may or may not be {name}",
            f"whether it is {name}", marks=(finder.mark(fact),), facts=found.doubtful, asks=(check,),
        )  # fmt: skip
    if not found.known:
        return unknown(
            f"no rule knows {name!r}, and nothing in the chart is called so",
            f"a reader who looks for {name}",
            marks=found.marks,
            asks=(check,),
        )
    absent = found.absent
    if not found.whole or (absent and not absent.complete):
        return unknown(
            f"not all of the chart could be read for {name}", f"the rest of the {_WHERE[check.kind]}", marks=found.marks
        )
    if absent and absent.opaque:
        return unknown(
            f"{absent.opaque} uncoded entries could be {name}",
            "what the uncoded entries are",
            marks=found.marks,
            asks=(check,),
        )
    other = next((f for f in reversed(found.others) if f.standing in _STANDING), None)
    if other is not None:
        return Told(
            word="not_met", reason=f"{wording.label(other.concept)} {_STANDING[other.standing]}",
            marks=(finder.mark(other), *found.marks), documented=other.standing == "refuted", facts=found.others,
        )  # fmt: skip
    reason = f"{name} is not documented in {_WHERE[check.kind]}"
    return Told(word="not_met", reason=reason, marks=found.marks, documented=False, facts=found.others)


def _event(check: Record, finder: Finder, facts: Sequence[Fact]) -> Told:
    """Conditions and all else that happened; the state first, then the time."""
    fitting = [f for f in facts if _in_state(check, f, finder)]
    if not fitting:
        last = facts[-1]
        return Told(
            word="not_met",
            reason=f"{wording.label(last.concept)} of {wording.day_text(last.when)} is {_state_of(last)}, "
            f"not {check.state}",
            marks=_marks(finder, facts), facts=tuple(facts),
        )  # fmt: skip
    if check.least > 1:
        return _counted(check, finder, fitting, facts)
    if check.period is None:
        last = fitting[-1]
        return Told(word="met", reason=_said(last), marks=_marks(finder, fitting), facts=tuple(facts))
    return _timed(check.period, finder, fitting, facts, ends=check.kind == "encounter")


def _counted(check: Record, finder: Finder, fitting: Sequence[Fact], facts: Sequence[Fact]) -> Told:
    """Whether there are so many of them, on different days; those without an exact day may or may not be more."""
    window = check.period.window(finder.as_of) if check.period else Window(low=None, high=None, text="")
    ends = check.kind == "encounter"
    inside = [f for f in fitting if not check.period or _begins(f, window) or (ends and _over(f, window))]
    days = sorted({f.when.day for f in inside if f.when and f.when.day}, reverse=True)
    open_ = [f for f in fitting if f.when is None or f.when.day is None or f.when.precision in ("year", "month")]
    when = f" {check.period}" if check.period else ""
    reason = f"{len(days)} of {label_of(check.of)} recorded{when}, {check.least} asked for"
    if len(days) < check.least <= len(days) + len(open_):
        return unknown(reason, "the exact dates", marks=_marks(finder, open_), facts=tuple(facts))
    met = len(days) >= check.least
    until = check.period.within.after(days[check.least - 1]) if met and check.period and check.period.within else None
    return Told(
        word="met" if met else "not_met", reason=reason, marks=_marks(finder, inside or fitting), facts=tuple(facts),
        until=until,
    )  # fmt: skip


def _in_state(check: Record, fact: Fact, finder: Finder) -> bool:
    if check.kind == "condition" and check.state:
        return ongoing_at(fact, finder) == (check.state == "active")
    if check.kind == "allergy":
        return fact.status in ("active", "") and not fact.details.get("negation")
    return True


def _state_of(fact: Fact) -> str:
    return fact.status or ("over" if fact.details.get("abatement") else "without a status")


def _timed(
    period: Period, finder: Finder, fitting: Sequence[Fact], facts: Sequence[Fact], *, ends: bool = False
) -> Told:
    """Whether one of them begins (of stays: begins or ends) in the period. What is dated too coarsely is unknown."""
    window = period.window(finder.as_of)
    inside = [f for f in fitting if _begins(f, window) or (ends and _over(f, window))]
    if inside:
        return Told(
            word="met", reason=f"{_said(inside[-1])}, {period}", marks=_marks(finder, inside), facts=tuple(facts),
            until=_leaves(period, inside),
        )  # fmt: skip
    perhaps = [
        f
        for f in fitting
        if f.when is None or f.when.low is None or (f.when.precision in ("year", "month") and window.possible(f.when))
    ]
    if perhaps:
        return unknown(
            f"{wording.label(perhaps[-1].concept)} is dated {wording.day_text(perhaps[-1].when)}, "
            f"which may or may not be {period}",
            "its exact date", marks=_marks(finder, perhaps), facts=tuple(facts),
        )  # fmt: skip
    last = fitting[-1]
    return Told(
        word="not_met", reason=f"{_said(last)}, not {period}", marks=_marks(finder, fitting[-1:]), facts=tuple(facts),
        until=_enters(period, fitting, finder.as_of),
    )  # fmt: skip


def _begins(fact: Fact, window: Window) -> bool:
    return (
        fact.when is not None
        and window.starts_in(fact.when)
        and (fact.when.precision not in ("year", "month") or window.contains(fact.when))
    )


def _over(fact: Fact, window: Window) -> bool:
    """Whether a stay ended in the window, or goes on."""
    last = dates.last_day(fact.when) if fact.when and fact.when.high else None
    if last is None:
        return bool(fact.when and fact.when.low) and fact.status == "in-progress"
    return (window.low is None or last >= _day(window.low)) and (window.high is None or last < _day(window.high))


def _day(edge: date | datetime) -> date:
    return edge.date() if isinstance(edge, datetime) else edge


def _leaves(period: Period, inside: Sequence[Fact]) -> date | None:
    """The day on which the last of them is too long ago."""
    days = [f.when.day for f in inside if f.when and f.when.day]
    return period.within.after(max(days)) if period.within and days else None


def _enters(period: Period, fitting: Sequence[Fact], as_of: date) -> date | None:
    """The day on which one of them is long enough ago."""
    days = [f.when.day for f in fitting if f.when and f.when.day]
    turns = [t for d in days if period.before and (t := period.before.after(d) - timedelta(days=1)) > as_of]
    return min(turns, default=None)


def _drug(check: Record, finder: Finder, facts: Sequence[Fact]) -> Told:
    """A drug that is taken now, for so long, in a time, or was ever ordered."""
    taken = [f for f in facts if medications.taken(f)]
    until = min((d for f in taken if (d := _ends(f)) is not None), default=None)
    if check.lasting and taken:
        return _lasting(check, finder, taken, facts, until)
    if check.period:
        if check.period.within and taken:
            return Told(
                word="met", reason=_taking(taken[-1]), marks=_marks(finder, taken), facts=tuple(facts), until=until
            )
        return _timed(check.period, finder, facts, facts)
    if check.state == "current":
        if taken:
            return Told(
                word="met", reason=_taking(taken[-1]), marks=_marks(finder, taken), facts=tuple(facts), until=until
            )
        last = facts[-1]
        why = last.details.get("taking", last.status) or "not active"
        if all(f.details.get("taking") == "status unknown" for f in facts):
            return unknown(
                f"whether {wording.label(last.concept)} is taken is not recorded",
                "whether it is taken: ask the patient",
                marks=_marks(finder, facts),
                facts=tuple(facts),
            )
        return Told(
            word="not_met",
            reason=f"{wording.label(last.concept)}, last of {wording.day_text(last.when)}: {why}",
            marks=_marks(finder, facts[-1:]),
            facts=tuple(facts),
        )
    return Told(word="met", reason=_said(facts[-1]), marks=_marks(finder, taken or facts), facts=tuple(facts))


def _lasting(check: Record, finder: Finder, taken: Sequence[Fact], facts: Sequence[Fact], until: date | None) -> Told:
    assert check.lasting is not None  # noqa: S101  the caller asks
    bound = check.lasting.before(finder.as_of)
    days = [f.when.day for f in taken if f.when and f.when.day]
    if any(d <= bound for d in days):
        return Told(
            word="met",
            reason=f"{_taking(taken[0])}, at least {check.lasting}",
            marks=_marks(finder, taken),
            facts=tuple(facts),
            until=until,
        )
    before = [f for f in facts if f.when and f.when.day and f.when.day <= bound]
    if before or not days:
        return unknown(
            f"{_taking(taken[-1])}; whether without a break for {check.lasting} is not recorded",
            "whether it was taken without a break", marks=_marks(finder, (*before[-1:], *taken)), facts=tuple(facts),
        )  # fmt: skip
    turn = check.lasting.after(min(days)) - timedelta(days=1)
    return Told(
        word="not_met",
        reason=f"{_taking(taken[0])}, not yet {check.lasting}",
        marks=_marks(finder, taken),
        facts=tuple(facts),
        until=turn,
    )


def _ends(fact: Fact) -> date | None:
    """The day after the course or the prescription ends, where that is known."""
    ends = [
        dates.last_day(e) for key in ("ends", "valid") if isinstance(e := fact.details.get(key), Interval) and e.high
    ]
    return min((d + timedelta(days=1) for d in ends if d), default=None)


def _taking(fact: Fact) -> str:
    return f"{wording.label(fact.concept)} is active since {wording.day_text(fact.when)}"


def _said(fact: Fact) -> str:
    status = f" ({fact.status})" if fact.kind == "condition" and fact.status else ""
    verb = {"condition": "recorded", "medication": "ordered", "immunization": "given"}.get(fact.kind, "of")
    return f"{wording.label(fact.concept)}{status} {verb} {wording.day_text(fact.when)}"


def _marks(finder: Finder, facts: Sequence[Fact]) -> tuple[Mark, ...]:
    """Marks of the newest few, the newest first."""
    return tuple(finder.mark(f) for f in reversed(facts[-_SHOWN:]))


def _of_relative(found: Found, relative: str) -> Found:
    kept = tuple(
        f
        for f in found.facts
        if isinstance(r := f.details.get("relationship"), Concept) and relative.lower() in r.label.lower()
    )
    return Found(
        facts=kept, others=found.others, known=found.known, absent=found.absent, marks=found.marks, whole=found.whole
    )


async def _denied(check: Record, finder: Finder, found: Found) -> Told | None:
    """A "no known allergies" that holds now speaks of every allergy that is not recorded beside it."""
    if found.facts:
        return None
    every = await finder.gather.facts("allergy")
    none = [f for f in every if f.standing == "fact" and f.details.get("negation") and f.status in ("active", "")]
    general = [f for f in none if wording.label(f.concept).lower() in ("no known allergy", "no known allergies", "nka")]
    if not general:
        return None
    return Told(
        word="not_met",
        reason=f"{wording.label(general[-1].concept)} is recorded",
        marks=(finder.mark(general[-1]),),
        facts=tuple(general),
    )
