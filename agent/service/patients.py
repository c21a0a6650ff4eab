"""Who may be asked about: the patients, one of them as a banner, what its chart holds, and what can be asked of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.patients import Person, listed, shown
from agent.service.banner import BannerOut, banner
from agent.service.bound import AsOfQuery
from agent.service.parts import TheCaller, TheParts
from agent.service.suggesting import suggestions
from fhir_tools import wording
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.types import KINDS, Kind

__all__ = ["CatalogueOut", "ConceptOut", "KindOut", "PatientOut", "PatientsOut", "SuggestionsOut", "router"]

router = APIRouter(prefix="/v1/patients", tags=["patients"])

Id = Annotated[str, Path(max_length=80, examples=["demo-maria-santos"])]


class PatientOut(BaseModel):
    """A patient in a list. `resources` counts the chart, where the source can tell."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["demo-maria-santos"])
    name: str = Field(examples=["Maria Santos"])
    birth_date: str | None = Field(examples=["1957-08-14"])
    sex: str | None = Field(examples=["female"])
    resources: int | None = Field(examples=[1093])


class PatientsOut(BaseModel):
    """Patients; `complete` is false where there are, or may be, more."""

    patients: list[PatientOut]
    complete: bool


class ConceptOut(BaseModel):
    """A thing that the chart records: under which codes, how often, and from when to when (as the chart writes it)."""

    key: str = Field(examples=["http://loinc.org|4548-4"])
    label: str = Field(examples=["Hemoglobin A1c"])
    codes: list[str] = Field(examples=[["http://loinc.org|4548-4"]])
    count: int = Field(examples=[60])
    first: str | None = Field(examples=["2009-03-04"])
    last: str | None = Field(examples=["2026-04-06"])


class KindOut(BaseModel):
    """The concepts of one kind of record, by label."""

    kind: Kind
    label: str = Field(examples=["conditions"])
    concepts: list[ConceptOut]


class CatalogueOut(BaseModel):
    """What a chart holds as of a day; `complete` is false where part of it could not be read."""

    patient: str = Field(examples=["Patient/demo-maria-santos"])
    as_of: date
    kinds: list[KindOut]
    complete: bool


class SuggestionsOut(BaseModel):
    """Questions that can be asked of a chart."""

    suggestions: list[str] = Field(examples=[["Last Hemoglobin A1c?", "When did Essential hypertension begin?"]])


@router.get("", summary="Patients by part of a name, an id or a record number")
async def patients(
    caller: TheCaller,
    parts: TheParts,
    search: Annotated[str, Query(max_length=200, examples=["santos"])] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PatientsOut:
    """Those that the caller may choose among; the one patient of credentials that are for one."""
    found: list[Person]
    async with parts.desk.source(caller) as source:
        if caller.patient is not None:
            found, whole = await shown(source, caller.patient, search.strip()), True
        else:
            found, whole = await listed(source, search.strip())
    told = [PatientOut.model_validate(person) for person in found[:limit]]
    return PatientsOut(patients=told, complete=whole and len(told) == len(found))


@router.get("/{id}", summary="One patient: identity, age, allergies")
async def one(id: Id, caller: TheCaller, parts: TheParts, as_of: AsOfQuery = None) -> BannerOut:  # noqa: A002
    """The banner; allergies that could not be read are told as not read, never as none."""
    async with parts.desk.agent(caller, id, as_of) as agent:
        return await banner(await agent.chart(whole=False))


@router.get("/{id}/catalogue", summary="What the chart holds")
async def catalogue(id: Id, caller: TheCaller, parts: TheParts, as_of: AsOfQuery = None) -> CatalogueOut:  # noqa: A002
    """Every kind and concept of the chart, with how often and from when to when it is recorded."""
    async with parts.desk.agent(caller, id, as_of) as agent:
        chart = await agent.chart()
    held = chart.catalogue
    whole = not chart.unread and not held.unread()
    return CatalogueOut(patient=str(chart.patient), as_of=chart.as_of, kinds=_kinds(held.entries), complete=whole)


@router.get("/{id}/suggestions", summary="Questions that the chart can answer")
async def suggested(
    id: Id,  # noqa: A002
    caller: TheCaller,
    parts: TheParts,
    text: Annotated[str, Query(max_length=400, examples=["last hemo"])] = "",
    as_of: AsOfQuery = None,
) -> SuggestionsOut:
    """Such as complete the text; without one a choice from all over the chart."""
    async with parts.desk.agent(caller, id, as_of) as agent:
        return SuggestionsOut(suggestions=await suggestions(await agent.chart(), text))


def _kinds(entries: Iterable[CatalogueEntry]) -> list[KindOut]:
    groups: dict[Kind, list[ConceptOut]] = defaultdict(list)
    for entry in entries:
        if entry.count:
            groups[entry.kind].append(_concept(entry))
    return [
        KindOut(kind=k, label=wording.KIND_WORDS[k], concepts=sorted(groups[k], key=lambda c: c.label.lower()))
        for k in KINDS
        if k in groups
    ]


def _concept(entry: CatalogueEntry) -> ConceptOut:
    codes = [f"{c.system}|{c.code}" if c.system else c.code for c in entry.concept.codings]
    return ConceptOut(
        key=entry.key,
        label=wording.label(entry.concept),
        codes=codes,
        count=entry.count,
        first=entry.first,
        last=entry.last,
    )
