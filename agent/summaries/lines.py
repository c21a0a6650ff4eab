"""Facts → sentences for clinicians, in the chart's own words; every one is verified after."""

from __future__ import annotations

from agent.summaries.types import Drafted
from agent.types import Claim
from fhir_tools import wording
from fhir_tools.cards.events import names
from fhir_tools.types import Card, Concept, Fact, Interval, Missing, Quantity

__all__ = ["flag_of", "line", "marks_of", "measured", "on", "sentence", "shown_dose"]

_CLASSES = {
    "AMB": "ambulatory", "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "EMER": "emergency",
    "HH": "home health", "VR": "virtual", "OBSENC": "observation", "SS": "short stay",
}  # fmt: skip
_FLAGS = {"h": "high", "hh": "critical high", "l": "low", "ll": "critical low", "a": "abnormal", "aa": "critical"}
_DONE = {"immunization": "given", "procedure": "performed"}


def on(when: Interval | None) -> str:
    """` on 2019-03-02`, ` in 2019` for a coarser date, ` (undated)` without one."""
    if not when or not when.text:
        return " (undated)"
    return f" {'on' if when.precision in ('day', 'time') else 'in'} {when.text}"


def marks_of(card: Card, *facts: Fact) -> tuple[str, ...]:
    """The ids of the facts' own marks in the card."""
    ids = {(m.fact.reference, m.fact.path): m.id for m in card.marks if m.fact}
    return tuple(dict.fromkeys(ids[key] for f in facts if (key := (f.reference, f.path)) in ids))


def line(card: Card, text: str, *facts: Fact) -> Drafted:
    """A line about facts of a card, with their marks."""
    marks = marks_of(card, *facts)
    bare = (
        Claim(text=_bare(facts[0]), marks=marks[:1]) if facts and facts[0].kind in ("allergy", "medication") else None
    )
    return Drafted(claim=Claim(text=text, marks=marks), shorter=bare)


def _bare(fact: Fact) -> str:
    return f"{_name(fact)} is recorded{on(fact.when) if fact.when else ''}."


def sentence(fact: Fact) -> str:
    """One record in a sentence, by what kind it is."""
    match fact.kind:
        case "condition":
            return _condition(fact)
        case "medication":
            return _medication(fact)
        case "allergy":
            return _allergy(fact)
        case "encounter":
            return _encounter(fact)
        case "family":
            return _family(fact)
        case "report":
            told = wording.value_text(fact)
            return f"{_name(fact)} was reported{on(fact.when)}{f': {told}' if told else ''}".rstrip(".") + "."
        case "imaging":
            made = fact.details.get("made", "")
            extra = f" ({made})" if made and made.lower() not in _name(fact).lower() else ""
            return f"{_name(fact)}{extra} was taken{on(fact.when)}."
        case "measurement" | "social":
            return f"{_name(fact)} was {_result(fact)}."
    reasons = names(fact.details.get("reason"))
    why = f" for {reasons}" if reasons and fact.kind == "procedure" else ""
    return f"{_name(fact)} was {_DONE.get(fact.kind, 'recorded')}{on(fact.when)}{why}."


def measured(facts: tuple[Fact, ...]) -> tuple[str, tuple[Fact, ...]]:
    """The newest result with the one before it, and the facts told. `facts` are oldest first, at least one."""
    told = tuple(f for f in facts if f.value is not None and not isinstance(f.value, Missing))
    if not told:
        return f"{_name(facts[-1])} has no value{on(facts[-1].when)}.", facts[-1:]
    latest = told[-1]
    text = f"{_name(latest)} was {_result(latest)}"
    if len(told) == 1:
        return f"{text}.", told[-1:]
    return f"{text}; previous {wording.value_text(told[-2])}{on(told[-2].when)}.", told[-2:]


def flag_of(fact: Fact) -> str:
    """`high`, `low`, `abnormal` … by the result's own interpretation; empty where it has none or is normal."""
    text = str(fact.details.get("interpretation", "")).strip().lower()
    flag = _FLAGS.get(text, text)
    return "" if flag in ("n", "normal", "") else flag


def shown_dose(fact: Fact) -> str:
    """The dosage as the chart has it, else the dose alone."""
    dose = fact.details.get("dose")
    return str(fact.details.get("dosage") or (wording.quantity_text(dose) if isinstance(dose, Quantity) else ""))


def _name(fact: Fact) -> str:
    return wording.label(fact.concept)


def _result(fact: Fact) -> str:
    flag = flag_of(fact)
    status = f" ({fact.status})" if fact.status not in ("final", "amended", "corrected", "") else ""
    return f"{wording.value_text(fact)}{f' ({flag})' if flag else ''}{on(fact.when)}{status}"


def _condition(fact: Fact) -> str:
    d = fact.details
    status = d.get("clinical") or ""
    word = "recorded" if d.get("when_from") == "recorded" else "since"
    since = f", {word} {fact.when.text}" if fact.when and fact.when.text else ""
    end = d.get("abatement")
    until = f", until {end.text}" if isinstance(end, Interval) else ""
    severity = f" ({d['severity']})" if d.get("severity") else ""
    return f"{_name(fact)}{severity} is recorded{f' as {status}' if status else ''}{since}{until}."


def _medication(fact: Fact) -> str:
    d = fact.details
    statement = d.get("role") == "statement"
    dose, reasons = shown_dose(fact), names(d.get("reason"))
    route = str(d.get("route", ""))
    extra = ", ".join(x for x in (dose, "" if route.lower() in dose.lower() else route) if x)
    why = f" for {reasons}" if reasons else ""
    if d.get("taking") == "taking":
        word = "reported as taken" if statement else "listed active"
    else:
        word = str(d.get("taking") or fact.status or "recorded")
    dated = f"{'stated' if statement else 'ordered'}{on(fact.when)}"
    told = f"{f' ({extra})' if extra else ''}{why}."
    if d.get("taking") == "taking":
        return f"{_name(fact)} is {word}, {dated}{told}"
    return f"{_name(fact)}, {dated}, is {word}{told}"


def _allergy(fact: Fact) -> str:
    d = fact.details
    if d.get("negation"):
        return f"{_name(fact)}, recorded{on(fact.when)}."
    parts = [
        d.get("clinical", ""),
        f"criticality {d['criticality']}" if d.get("criticality") else "",
        f"reaction {d['reaction']}" if d.get("reaction") else "",
    ]
    told = ", ".join(p for p in parts if p)
    return f"{_name(fact)} is recorded{f' ({told})' if told else ''}{on(fact.when) if fact.when else ''}."


def _encounter(fact: Fact) -> str:
    d = fact.details
    kind = _CLASSES.get(str(d.get("class")), "")
    reasons = names(d.get("reason"))
    told = [kind if kind.lower() not in _name(fact).lower() else "", f"for {reasons}" if reasons else ""]
    extra = ", ".join(t for t in told if t)
    return f"{_name(fact)}{f' ({extra})' if extra else ''}, {wording.period_text(fact.when)}."


def _family(fact: Fact) -> str:
    relation = fact.details.get("relationship")
    who = relation.label if isinstance(relation, Concept) else "relative"
    onset = fact.details.get("onset")
    known = isinstance(onset, str) and onset and "unknown" not in onset
    return f"{who.capitalize()}: {_name(fact)}{f' (onset {onset})' if known else ''}."
