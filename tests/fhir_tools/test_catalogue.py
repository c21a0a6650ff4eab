"""The catalogue: counts by standing, dates, what lies after as_of, and how it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_tools import demo
from fhir_tools.catalogue import (
    Catalogue,
    Focused,
    from_rows,
    group_rows,
    joined,
    of_person,
    read_catalogue,
    read_focused,
)
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.focus import focus_on
from fhir_tools.following import named, read_drugs
from fhir_tools.lexicon import lexicon
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.scope import Scoped
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Coding, Fetched, Query, Reference, SearchResult

AS_OF = date(2020, 6, 30)
ME = Reference(type="Patient", id="me")
LOINC = "http://loinc.org"


def hemoglobin(
    number: int, when: str | None, status: str = "final", text: str = "Hemoglobin", *more: str
) -> dict[str, Any]:
    codings = [{"system": LOINC, "code": "718-7"}, *({"system": "urn:site", "code": c} for c in more)]
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": status,
        "subject": {"reference": "Patient/me"},
        "code": {"text": text, "coding": codings},
        **({"effectiveDateTime": when} if when else {}),
    }


def condition(number: int, verification: str, when: Any = "2015") -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "subject": {"reference": "Patient/me"},
        "code": {"text": "Asthma"},
        "verificationStatus": {"coding": [{"code": verification}]},
        "onsetPeriod": when if isinstance(when, dict) else {"start": when},
    }


CHART = (
    {"resourceType": "Patient", "id": "me", "birthDate": "1950"},
    hemoglobin(1, "2018-03"),
    hemoglobin(2, "2019-05-06T08:00:00Z", "preliminary", "Hb", "HGB"),
    hemoglobin(3, "2010-01-01", "entered-in-error"),
    hemoglobin(4, "2020-06-30T23:00:00Z"),
    hemoglobin(5, "2020-07-01"),
    hemoglobin(6, None),
    condition(1, "refuted"),
    condition(2, "unconfirmed", "2016-02"),
)


def grouped(*resources: Mapping[str, Any], as_of: date = AS_OF) -> Catalogue:
    return from_rows(group_rows((f for r in resources for f in facts_of(r)), as_of))


def test_counts_are_by_standing_and_dates_are_of_facts() -> None:
    entry = grouped(*CHART).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert entry.counts == {"fact": 4, "error": 1}
    assert entry.count == 4
    assert (entry.first, entry.last) == ("2018-03", "2020-06-30")
    assert entry.types == ("Observation",)


def test_the_commonest_label_and_every_code_are_kept() -> None:
    entry = grouped(*CHART).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert (entry.concept.label, entry.labels) == ("Hemoglobin", ("Hemoglobin", "Hb"))
    assert [c.code for c in entry.concept.codings] == ["718-7", "HGB"]
    assert entry.concept.codings[0] == Coding(system=LOINC, code="718-7")


@pytest.mark.parametrize(
    ("as_of", "count", "last"),
    [
        (date(2017, 12, 31), 1, None),
        (date(2018, 3, 1), 2, "2018-03"),
        (date(2019, 5, 5), 2, "2018-03"),
        (date(2019, 5, 6), 3, "2019-05-06"),
        (date(2020, 7, 1), 5, "2020-07-01"),
    ],
)
def test_what_is_dated_after_as_of_is_not_in_it(as_of: date, count: int, last: str | None) -> None:
    entry = grouped(*CHART, as_of=as_of).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert (entry.count, entry.last) == (count, last), "an undated result stays"


def test_concepts_without_a_fact_can_be_told_as_what_they_are() -> None:
    entry = grouped(*CHART).get("condition", "text|asthma")
    assert entry is not None
    assert (entry.count, entry.first, entry.last) == (0, None, None)
    assert entry.counts == {"refuted": 1, "unconfirmed": 1}


def test_a_start_that_is_open_gives_no_first_date() -> None:
    entry = grouped(condition(1, "confirmed", {"end": "2018"}), condition(2, "confirmed", "2019")).of("condition")[0]
    assert (entry.count, entry.first, entry.last) == (2, "2019", "2019")


def test_kinds_are_kept_apart() -> None:
    catalogue = grouped(*CHART)
    assert {e.kind for e in catalogue.entries} == {"patient", "measurement", "condition"}
    assert [e.concept.label for e in catalogue.of("condition", "family")] == ["Asthma"]
    assert catalogue.get("condition", f"{LOINC}|718-7") is None


class Plain:
    """A source without the catalogue operation, which tells what it was asked."""

    def __init__(self, *resources: Mapping[str, Any], offered: Any = None, fault: str = "") -> None:
        self.resources, self.offered, self.fault = resources, offered, fault
        self.asked: list[str] = []

    async def capabilities(self) -> Mapping[str, Any]:
        return {"operations": None, "search": self.offered}

    async def search(self, query: Query) -> SearchResult:
        self.asked.append(str(query))
        told = dict(query.params)
        kept = {*told["_elements"].split(","), "resourceType", "id"} if "_elements" in told else None
        ids = told["_id"].split(",") if "_id" in told else None
        found = tuple(
            {k: v for k, v in r.items() if kept is None or k in kept}
            for r in self.resources
            if r["resourceType"] == query.type and (ids is None or r["id"] in ids)
        )
        cut = query.type == self.fault
        return SearchResult(query=query, matches=found, complete=not cut, error="time-out" if cut else None)

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        raise AssertionError("the catalogue reads by searching")

    async def fetch(self, url: str) -> Fetched:
        raise AssertionError("the source does not offer the operation")


async def test_a_source_without_the_operation_is_searched_kind_by_kind() -> None:
    source = Plain(*CHART)
    catalogue = await read_catalogue(source, ME, AS_OF)  # type: ignore[arg-type]
    person = of_person(CHART[0], AS_OF)
    assert joined(person, catalogue).entries == grouped(*CHART).entries
    assert sum(q.startswith("Observation?patient=Patient/me&_elements=") for q in source.asked) == 1, (
        "two kinds, one type"
    )
    assert len(source.asked) == len(catalogue.searched) == 19
    assert all(s.complete for s in catalogue.searched)


async def test_types_that_are_not_offered_are_not_searched_and_faults_are_told() -> None:
    source = Plain(*CHART, offered={"Patient": [], "Observation": []}, fault="Observation")
    catalogue = await read_catalogue(source, ME, AS_OF)  # type: ignore[arg-type]
    assert [(s.query.split("?")[0], s.complete, s.error) for s in catalogue.searched] == [
        ("Observation", False, "time-out"),
    ]
    assert [s.error for s in catalogue.unread("social", "condition")] == ["time-out"]
    assert catalogue.unread("condition") == ()
    assert "Condition" in catalogue.missing and "Observation" not in catalogue.missing


async def test_the_store_and_the_searches_give_the_same_catalogue() -> None:
    async with LocalStore(":memory:") as store:
        with store.transaction():
            for resource in CHART:
                store.put(resource)
        scope = Scoped(store, ME)
        told = await read_catalogue(scope, ME, AS_OF)
        assert CATALOGUE_OPERATION in (await store.capabilities())["operations"]
        searched = await read_catalogue(scope, ME, AS_OF, merged=True)
    assert joined(of_person(CHART[0], AS_OF), searched).entries == told.entries
    assert searched.searched and not told.searched


def test_rows_survive_json() -> None:
    rows = group_rows((f for r in CHART for f in facts_of(r)), AS_OF)
    assert from_rows(orjson.loads(orjson.dumps(rows))) == from_rows(rows)


# Resources that are cut to what the catalogue needs.

SUBJECT = {"subject": {"reference": "Patient/me"}}
DRUG = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "860975", "display": "Metformin"}]}
AWKWARD: tuple[dict[str, Any], ...] = (
    {"resourceType": "DocumentReference", "id": "d1", "status": "current", **SUBJECT, "date": "2019",
     "content": [{"attachment": {"title": "Letter", "data": "AAAA"}}]},
    {"resourceType": "DocumentReference", "id": "d2", "status": "current", **SUBJECT, "docStatus": "entered-in-error",
     "type": {"text": "Note"}, "content": [{"attachment": {"title": "Other", "data": "AAAA"}}]},
    {"resourceType": "ImagingStudy", "id": "i1", "status": "available", **SUBJECT, "started": "2019-02-03",
     "series": [{"modality": {"code": "CT"}, "bodySite": {"display": "Chest"}}]},
    {"resourceType": "ImagingStudy", "id": "i2", "status": "cancelled", **SUBJECT, "description": "Knee",
     "series": [{"modality": {"code": "CT"}}]},
    {"resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order", **SUBJECT,
     "medicationReference": {"reference": "#a"},
     "contained": [{"resourceType": "Medication", "id": "a", "code": DRUG}]},
    {"resourceType": "MedicationStatement", "id": "m2", "status": "intended", **SUBJECT, "effectivePeriod":
     {"start": "2018"}, "medicationCodeableConcept": DRUG},
    {"resourceType": "Goal", "id": "g1", "lifecycleStatus": "proposed", **SUBJECT, "description": {"text": "Walk"},
     "startDate": "2019-09-09"},
    {"resourceType": "ServiceRequest", "id": "s1", "status": "active", "doNotPerform": True, **SUBJECT,
     "code": {"text": "MRI"}, "occurrencePeriod": {"start": "2019-01-01"}},
    {"resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/me"},
     "onsetDateTime": "2001",
     "reaction": [{"substance": {"text": "Latex"}, "manifestation": [{"text": "Rash"}]}]},
    {"resourceType": "Observation", "id": "o9", "status": "final", **SUBJECT,
     "effectiveInstant": "2019-01-01T00:00:00Z",
     "code": {"text": "BP"}, "component": [{"code": {"text": "Systolic"}, "valueQuantity": {"value": 1}}]},
    {"resourceType": "Observation", "id": "o10", "status": "final", **SUBJECT, "valueString": "no code at all"},
    {"resourceType": "FamilyMemberHistory", "id": "f1", "status": "completed", "patient": {"reference": "Patient/me"},
     "relationship": {"text": "mother"}, "condition": [{"code": {"text": "Asthma"}, "onsetAge": {"value": 3}}]},
)  # fmt: skip


async def test_the_cut_resources_make_the_same_catalogue() -> None:
    source = Plain(*CHART, *AWKWARD)
    catalogue = joined(of_person(CHART[0], AS_OF), await read_catalogue(source, ME, AS_OF))  # type: ignore[arg-type]
    assert catalogue.entries == grouped(*CHART, *AWKWARD).entries
    again = [q for q in source.asked if "_id=" in q]
    assert {q.rpartition("_id=")[2] for q in again} == {"d1", "i1", "o10"}, (
        "the body of a document that has a type stays"
    )


async def test_a_contained_drug_that_the_cut_loses_is_asked_for_again() -> None:
    class Losing(Plain):
        async def search(self, query: Query) -> SearchResult:
            result = await super().search(query)
            cut = "_elements" in dict(query.params)
            kept = [{k: v for k, v in r.items() if k != "contained" or not cut} for r in result.matches]
            return replace(result, matches=tuple(kept))

    catalogue = await read_catalogue(Losing(*AWKWARD), ME, AS_OF)  # type: ignore[arg-type]
    assert catalogue.of("medication") == grouped(*AWKWARD).of("medication")
    assert catalogue.linked == {"MedicationRequest"}


async def test_a_second_look_that_fails_is_told() -> None:
    class Failing(Plain):
        async def search(self, query: Query) -> SearchResult:
            result = await super().search(query)
            return replace(result, matches=(), complete=False, error="503") if "_id" in dict(query.params) else result

    catalogue = await read_catalogue(Failing(*AWKWARD), ME, AS_OF)  # type: ignore[arg-type]
    assert {s.query.partition("?")[0] for s in catalogue.unread()} == {
        "DocumentReference",
        "ImagingStudy",
        "Observation",
    }


async def _both(store: LocalStore, patient: Reference, as_of: date) -> tuple[Catalogue, Catalogue, Catalogue]:
    """The store's own catalogue, the one by searches of cut resources, and the one from whole resources."""
    scope = Scoped(store, patient)
    own = await read_catalogue(scope, patient, as_of)
    person = of_person(await scope.read(patient), as_of)
    cut = joined(person, await read_catalogue(scope, patient, as_of, merged=True))
    types = dict.fromkeys(t for of in KIND_TYPES.values() for t in of if t != "Patient")
    whole = [r for t in types for r in (await scope.search(Query(type=t))).matches]
    facts = [f for r in whole for f in facts_of(r)]
    drugs = await read_drugs(scope, facts, ())
    return own, cut, joined(person, from_rows(group_rows((named(f, drugs) for f in facts), as_of)))


def _plain(catalogue: Catalogue) -> list[Any]:
    """The entries but for the order in which types and codings were met."""
    return [(replace(e, types=tuple(sorted(e.types)), concept=replace(e.concept, codings=())),
             {(c.system, c.code) for c in e.concept.codings}) for e in catalogue.entries]  # fmt: skip


async def test_the_demo_charts_make_the_same_catalogue_cut_or_whole() -> None:
    async with LocalStore(":memory:") as store:
        assert not load(demo.paths(), store).errors
        for id_ in demo.patients():
            own, cut, whole = await _both(store, Reference(type="Patient", id=id_), demo.AS_OF)
            assert cut.entries == whole.entries
            assert _plain(cut) == _plain(own)


@pytest.mark.slow
@pytest.mark.shared
async def test_the_evaluation_charts_make_the_same_catalogue_cut_or_whole(shared: Path) -> None:
    for path in sorted(shared.glob("*/charts/*.json.gz")):  # noqa: ASYNC240
        async with LocalStore(":memory:") as store:
            assert not load([path], store).errors
            own, cut, whole = await _both(store, Reference(type="Patient", id=path.name[:-8]), date(2026, 1, 1))
            assert cut.entries == whole.entries
            assert _plain(cut) == _plain(own)


# What the call answers.


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"[]", b"<html></html>", b'[["condition","k"',
        b'[["condition","k",[],[],{"fact":[1,null,null]},["Condition"]]]',
        b'[["condition","k",["Gout"],[["s",1,null]],{"fact":[1,null,null]},["Condition"]]]',
        b'[["condition","k",["Gout"],[],{"fact":[1,null]},["Condition"]]]',
        b'[["weather","k",["Rain"],[],{"fact":[1,null,null]},["Condition"]]]',
        b'[["condition","k",["Gout"],[],{"told":[1,null,null]},["Condition"]]]',
        b'["sixchr"]',
    ],
)  # fmt: skip
async def test_a_catalogue_that_is_none_is_searched_for_instead(body: bytes) -> None:
    class Spoilt(Plain):
        async def capabilities(self) -> Mapping[str, Any]:
            return {"operations": [CATALOGUE_OPERATION], "search": None}

        async def fetch(self, url: str) -> Fetched:
            return Fetched(content_type="application/json", body=body)

    catalogue = await read_catalogue(Spoilt(*CHART), ME, AS_OF)
    assert joined(of_person(CHART[0], AS_OF), catalogue).entries == grouped(*CHART).entries


# The results that may be one analyte.

CREATININE = ("2160-0", "Creatinine")


def lab(number: int, code: str | None, text: str, system: str = LOINC, **more: Any) -> dict[str, Any]:
    coding = {"coding": [{"system": system, "code": code}]} if code else {}
    return {"resourceType": "Observation", "id": f"l{number}", "status": "final",
            "subject": {"reference": "Patient/me"}, "effectiveDateTime": "2019-03-04", "code": {**coding, "text": text},
            "category": [{"coding": [{"code": "laboratory"}]}], **more}  # fmt: skip


RESULTS = (
    lab(1, *CREATININE),
    lab(2, "2951-2", "Sodium"),
    lab(3, "CREA", "Creatinine (site)", "urn:site"),
    lab(4, None, "creatinine, sent out"),
    lab(5, "99999-9", "Something rare"),
    lab(6, "9318-7", "Albumin/Creatinine"),
    lab(7, "24321-2", "Panel", component=[{"code": {"coding": [{"system": LOINC, "code": "2160-0"}]}}]),
    lab(8, "718-7", "Hemoglobin", component=[{"code": {"text": "odd"}}]),
    {"resourceType": "Observation", "id": "l9", "status": "final", "subject": {"reference": "Patient/me"}},
)


class Means(Scoped):
    """A server that means something else by one parameter than R4 does."""

    reading: Any = None

    async def search(self, query: Query) -> SearchResult:
        return await super().search(self.reading(query) if self.reading else query)


async def _focused(reading: Any = None, fault: str = "") -> Focused | None:
    focus = focus_on(lexicon().lookup("creatinine", ("lab",))[0], "latest creatinine")
    assert focus is not None
    async with LocalStore(":memory:") as store:
        with store.transaction():
            for resource in (*CHART[:1], *RESULTS):
                store.put(resource)
        source = Means(store, ME)
        source.reading = reading
        if fault:
            search = source.search

            async def failing(query: Query) -> SearchResult:
                found = await search(query)
                return replace(found, complete=False, error="503") if fault in str(query) else found

            source.search = failing  # type: ignore[method-assign]
        return await read_focused(source, ME, AS_OF, focus)


async def test_all_that_may_be_the_analyte_is_there_and_its_own_results_are_whole() -> None:
    found = await _focused()
    assert found is not None
    labels = {e.concept.label for e in found.catalogue.entries}
    assert labels == {
        "2160-0", "Creatinine (site)", "creatinine, sent out", "Something rare", "Albumin/Creatinine", "Panel",
        "unnamed Observation",
    }, "neither sodium nor hemoglobin"  # fmt: skip
    assert {r["id"] for r in found.own.matches} == {"l1", "l7"}
    assert any("code:not=" in s.query and "2951-2" in s.query for s in found.catalogue.searched), "what was left out"
    whole = grouped(*RESULTS)
    assert all(whole.get(e.kind, e.key) == e for e in found.catalogue.entries)


def _renamed(old: str, new: str | None) -> Any:
    def reading(query: Query) -> Query:
        pairs = ((new if n == old else n, v) for n, v in query.params if new or n != old)
        return replace(query, params=tuple((str(n), v) for n, v in pairs))

    return reading


@pytest.mark.parametrize("reading", [_renamed("code:not", "code"), _renamed("code:not", None), _renamed("code", None)])
async def test_a_server_that_means_something_else_is_found_out(reading: Any) -> None:
    assert await _focused(reading) is None


async def test_own_results_that_are_of_others_are_found_out() -> None:
    assert await _focused(_renamed("combo-code", None)) is None


@pytest.mark.parametrize("fault", ["combo-code", "code:not", "_summary=count", "&code="])
async def test_what_was_not_read_to_the_end_is_no_part(fault: str) -> None:
    assert await _focused(fault=fault) is None
