"""Facts → short sentences for the patient: everyday words first, the chart's own name beside them."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from agent.summaries.lines import flag_of, shown_dose
from fhir_tools import wording
from fhir_tools.types import Components, Concept, Fact, Interval

__all__ = ["CLOSING", "day", "lay", "named", "sentence"]

CLOSING = "If something here is new to you, looks wrong or worries you, ask your care team."

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_HARMLESS = re.compile(r"\b(?:essential|primary|unspecified|disorder)\b|\s*[\[(][^\])]*[\])]|,\s*unspecified")
_SPECIMEN = re.compile(r" in (?:serum|plasma|blood|urine|serum or plasma|arterial blood|venous blood|body fluid)\b.*$")
_UNITS = {"mm[Hg]": "mmHg", " Cel": " °C", "[degF]": "°F", "[in_i]": "in", "[lb_av]": "lb"}


@cache
def _words() -> dict[str, str]:
    rows = (files("agent.summaries") / "plain.tsv").read_text("utf-8").splitlines()[1:]
    return dict(row.split("\t", 1) for row in rows if row)


def lay(concept: Concept) -> str:
    """The everyday name of a concept whose label, bracketed parts aside, is a known term; else empty.

    Only a whole label is taken: "Screening for hypertension" is not high blood pressure.
    """
    whole = " ".join(wording.label(concept).lower().split())
    plain = " ".join(_HARMLESS.sub(" ", whole).split()).strip(" ,-")
    first = _SPECIMEN.sub("", plain)
    found = next((_words()[w] for w in (whole, plain, first) if w in _words()), "")
    return "" if found == whole else found


def named(fact: Fact) -> str:
    """`high blood pressure (Hypertension)`, or the chart's own name."""
    own, plain = wording.label(fact.concept), lay(fact.concept)
    return f"{plain} ({own})" if plain else own


def day(when: Interval | None) -> str:
    """`2 March 2019`, `March 2019`, `2019`: as precise as the chart."""
    text = wording.day_text(when)
    parts = text.split("-")
    if not all(p.isdigit() for p in parts) or len(parts) > 3:
        return text
    month = _MONTHS[int(parts[1]) - 1] if len(parts) > 1 else ""
    return " ".join(x for x in (str(int(parts[2])) if len(parts) > 2 else "", month, parts[0]) if x)


def _dated(when: Interval | None) -> str:
    """` on 2 March 2019`, ` in 2019`; nothing for what has no date."""
    if not when or not when.text:
        return ""
    return f" {'on' if when.text.count('-') == 2 else 'in'} {day(when)}"


def sentence(fact: Fact) -> str:
    """One record for the person it is about."""
    name = named(fact)
    match fact.kind:
        case "condition":
            word = "recorded" if fact.details.get("when_from") == "recorded" else "since"
            since = f", {word} {day(fact.when)}" if fact.when and fact.when.text else ""
            return f"{_capital(name)}{since}."
        case "medication":
            dose = shown_dose(fact)
            ordered = "noted" if fact.details.get("role") == "statement" else "ordered"
            return f"{_capital(name)}{f': {dose}' if dose else ''}, {ordered}{_dated(fact.when)}."
        case "allergy":
            reaction = fact.details.get("reaction")
            caused = f": it caused {reaction}" if reaction and not fact.details.get("negation") else ""
            return f"{_capital(name)}{caused}."
        case "measurement" | "social":
            return f"{_capital(name)} was {_value(fact)}{_flag(fact)}{_dated(fact.when)}."
        case "immunization":
            return f"{_capital(name)} was given{_dated(fact.when)}."
    return f"{_capital(name)}{_dated(fact.when)}."


def _value(fact: Fact) -> str:
    if isinstance(fact.value, Components) and not wording.is_blood_pressure(fact):
        return wording.value_text(fact)
    text = wording.value_text(fact)
    for code, everyday in _UNITS.items():
        text = text.replace(code, everyday)
    return text


def _flag(fact: Fact) -> str:
    flag = flag_of(fact)
    return f" ({flag})" if flag else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
