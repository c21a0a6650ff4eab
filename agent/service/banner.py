"""Who the patient is, as stands above everything else: identity, age and allergies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from agent.chart import Chart
from agent.errors import SourceError
from agent.patients import person_of
from agent.summaries.reading import Reader
from fhir_tools import dates, wording
from fhir_tools.facts import facts_of
from fhir_tools.types import Fact, Interval

__all__ = ["AllergiesOut", "AllergyOut", "BannerOut", "IdentifierOut", "banner"]


class IdentifierOut(BaseModel):
    """A number that the patient is known by; `label` is the record's own word for it, empty where it has none."""

    label: str = Field(examples=["Medical record number"])
    value: str = Field(examples=["D-10031"])


class AllergyOut(BaseModel):
    """One allergy, or the explicit statement that there is none."""

    text: str = Field(examples=["Penicillin V"])
    detail: str = Field(examples=["Hives and facial swelling; criticality high; 1994"])
    reference: str = Field(examples=["AllergyIntolerance/santos-allergy-penicillin-v"])


class AllergiesOut(BaseModel):
    """`none_known` only where a record says so; `not_read` where they could not all be read and none was seen."""

    state: Literal["listed", "none_known", "not_recorded", "not_read"]
    items: list[AllergyOut]
    complete: bool = Field(description="False where there may be more than are listed.")


class BannerOut(BaseModel):
    """The patient. `age` is told as at the bedside; `deceased` is a date, or true where none is given."""

    id: str = Field(examples=["demo-maria-santos"])
    name: str = Field(examples=["Maria Santos"])
    birth_date: str | None = Field(examples=["1957-08-14"])
    age: str | None = Field(examples=["68 years"])
    sex: str | None = Field(examples=["female"])
    deceased: bool | str
    identifiers: list[IdentifierOut]
    allergies: AllergiesOut
    as_of: date
    warnings: list[str]


async def banner(chart: Chart) -> BannerOut:
    """The banner of an open chart. A fault in reading allergies is told in it."""
    person = person_of(chart.person)
    facts = {f.concept.label: f.value for f in facts_of(chart.person)}
    died = facts.get("deceased")
    born = facts.get("date of birth")
    allergies, faults = await _allergies(chart)
    return BannerOut(
        id=chart.patient.id,
        name=str(facts.get("name") or person.name),
        birth_date=person.birth_date,
        age=_age(born, died, chart.as_of) if isinstance(born, Interval) else None,
        sex=person.sex,
        deceased=died.text if isinstance(died, Interval) else died is True,
        identifiers=list(_identifiers(chart.person)),
        allergies=allergies,
        as_of=chart.as_of,
        warnings=[*chart.warnings, *(row.error or "cut short" for row in chart.unread), *faults],
    )


def _age(born: Interval, died: object, as_of: date) -> str | None:
    """None for the dead, whose age tells nothing now, and for a birth after the day that counts as today."""
    if isinstance(died, Interval) or died is True:
        return None
    try:
        return dates.age_text(born, as_of)
    except ValueError:
        return None


def _identifiers(person: Mapping[str, Any]) -> Iterator[IdentifierOut]:
    listed = person.get("identifier")
    for item in listed if isinstance(listed, list) else ():
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, str) and value.strip() and item.get("use") != "old":
            yield IdentifierOut(label=_label(item.get("type")), value=value.strip())


def _label(type_: object) -> str:
    """The record's word for a kind of number (R4 Identifier.type)."""
    if not isinstance(type_, dict):
        return ""
    codings = [c for c in type_.get("coding") or () if isinstance(c, dict)]
    words = (type_.get("text"), *(c.get("display") for c in codings), *(c.get("code") for c in codings))
    return next((w for w in words if isinstance(w, str) and w.strip()), "")


async def _allergies(chart: Chart) -> tuple[AllergiesOut, tuple[str, ...]]:
    """What is recorded, and why it may not be all."""
    reader = Reader(chart)
    query = reader.query("AllergyIntolerance")
    try:
        facts = await reader.read("allergy", query)
        faults = reader.faults(query)
    except SourceError as error:
        facts, faults = (), (str(error),)
    # One that waits for confirmation is told as such: to leave it out is the greater harm.
    current = [f for f in facts if f.standing in ("fact", "unconfirmed") and f.status not in ("inactive", "resolved")]
    real = [f for f in current if not f.details.get("negation")]
    denied = [f for f in current if f.details.get("negation") and f.standing == "fact"]
    told = real or ([] if faults else denied)
    state: Literal["listed", "none_known", "not_recorded", "not_read"] = (
        "listed" if real else "not_read" if faults else "none_known" if denied else "not_recorded"
    )
    items = [_allergy(chart, f) for f in sorted(told, key=_by_danger)]
    return AllergiesOut(state=state, items=items, complete=not faults), faults


def _by_danger(fact: Fact) -> tuple[bool, str]:
    return fact.details.get("criticality") != "high", wording.label(fact.concept).lower()


def _allergy(chart: Chart, fact: Fact) -> AllergyOut:
    d = fact.details
    critical = f"criticality {d['criticality']}" if d.get("criticality") else ""
    unsure = "unconfirmed" if fact.standing == "unconfirmed" else ""
    since = fact.when.text if fact.when else ""
    detail = "; ".join(filter(None, (unsure, d.get("reaction", ""), critical, since)))
    return AllergyOut(text=wording.label(fact.concept), detail=detail, reference=chart.locate(fact.reference))
