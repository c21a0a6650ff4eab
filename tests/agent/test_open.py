"""Opening a chart: the patient, the scope, the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.chart import RESULTS, Chart
from agent.open import grown, open_chart
from agent.retrieve import Gather
from fhir_tools.errors import ScopeError, SourceError, UserError
from fhir_tools.focus import focus_on
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Query, Reference
from tests.agent.asking import LOINC, ask, condition, opened, order, result, store_of
from tests.agent.faulty import Plain


def test_an_unknown_patient_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no patient 'nobody' here"):
        opened(store_of(tmp_path), "nobody")


def test_the_catalogue_is_of_the_day(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        result("Sodium", "2024-01-01", 139, unit="mmol/L", code="2951-2"),
        result("Potassium", "2024-03-01", 4, unit="mmol/L", code="2823-3"),
    )
    chart = opened(store, as_of=date(2024, 2, 1))
    assert [e.concept.label for e in chart.catalogue.of("measurement") if e.count] == ["Sodium"]
    assert chart.person["birthDate"] == "1960-05-01"


def test_no_other_patient_is_reached(charts: dict[str, Chart]) -> None:
    chart = charts["m"]
    with pytest.raises(ScopeError):
        asyncio.run(chart.source.read(Reference(type="Patient", id="demo-robert-keller")))
    with pytest.raises(ScopeError):
        asyncio.run(chart.search(Query(type="Condition", params=(("patient", "Patient/demo-robert-keller"),))))


def test_a_search_is_kept_only_when_it_was_complete(tmp_path: Path) -> None:
    from tests.agent.asking import Failing

    store = store_of(tmp_path, condition("Asthma", "2020"))
    query = Query(type="Condition", params=(("patient", "Patient/p"),))
    whole, cut = opened(store), opened(Failing(store, ("Condition",)))
    for chart in (whole, cut):
        asyncio.run(chart.search(query))
    assert str(query) in whole.found
    assert str(query) not in cut.found


# A patient whose record was merged into another.

REPLACED = {"link": [{"type": "replaced-by", "other": {"reference": "Patient/new"}}], "active": False}
NEW = {
    "resourceType": "Patient",
    "id": "new",
    "birthDate": "1961-01-01",
    "link": [{"type": "replaces", "other": {"reference": "Patient/p"}}],
}
LATER = {**condition("Gout", "2021"), "subject": {"reference": "Patient/new"}}


@pytest.mark.parametrize("searched", [False, True], ids=["store", "server"])
@pytest.mark.parametrize("patient", ["p", "new"])
def test_a_merged_patient_is_one_chart(tmp_path: Path, patient: str, searched: bool) -> None:
    store = store_of(tmp_path, NEW, LATER, condition("Asthma", "2020"), order("Aspirin", "2019-01-01"), **REPLACED)
    chart = opened(Plain(store) if searched else store, patient)
    assert {e.concept.label for e in chart.catalogue.of("condition", "medication")} == {"Gout", "Asthma", "Aspirin"}
    assert chart.person["birthDate"] == "1961-01-01", "of the record that holds now"
    done = ask(chart, "problem list")
    assert {c.reference for c in done.answer.citations} == {"Condition/c-gout", "Condition/c-asthma"}
    assert any("2 records are of this patient" in w for w in done.answer.warnings)


def test_a_record_that_says_it_was_merged_and_is_not_confirmed_adds_nothing(tmp_path: Path) -> None:
    stranger = {k: v for k, v in NEW.items() if k != "link"}
    chart = opened(store_of(tmp_path, stranger, LATER, condition("Asthma", "2020"), **REPLACED))
    assert [e.concept.label for e in chart.catalogue.of("condition")] == ["Asthma"]
    assert ask(chart, "problem list").answer.warnings


def test_a_merged_record_that_cannot_be_read_leaves_the_chart_incomplete(tmp_path: Path) -> None:
    class Faulty(Plain):
        async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
            if reference.id == "new":
                raise SourceError("the server answered 503 four times", status=503)
            return await super().read(reference, version)

    chart = opened(Faulty(store_of(tmp_path, NEW, LATER, condition("Asthma", "2020"), **REPLACED)))
    for question in ("problem list", "does she have gout?", "last HbA1c?"):
        done = ask(chart, question)
        assert done.answer.status == "incomplete", done.text
        assert "Patient (the server answered 503 four times)" in done.text


def test_an_id_that_the_server_redirects_opens_the_record_it_leads_to(tmp_path: Path) -> None:
    class Redirecting(Plain):
        async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
            return await super().read(
                Reference(type="Patient", id="p") if reference.id == "old" else reference, version
            )

    chart = opened(Redirecting(store_of(tmp_path, condition("Asthma", "2020"))), "old")
    assert chart.person["id"] == "p"
    assert ask(chart, "does she have asthma?").text.startswith("Yes")


def test_the_patient_and_the_catalogue_are_asked_for_at_once(tmp_path: Path) -> None:
    source = Plain(store_of(tmp_path, condition("Asthma", "2020")))
    opened(source)
    assert sum(q.startswith("Condition?") for q in source.asked) == 1
    assert not any(q.startswith("Patient?") for q in source.asked)


def test_a_patient_that_cannot_be_read_is_no_empty_chart(tmp_path: Path) -> None:
    class Faulty(Plain):
        async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
            raise SourceError("the server answered 503 four times", status=503)

    with pytest.raises(SourceError):
        opened(Faulty(store_of(tmp_path)))


async def test_a_chart_that_was_read_for_one_analyte_reads_a_list_of_all_anew(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        result("Creatinine", "2024-01-01", 1.1, unit="mg/dL", code="2160-0"),
        result("Sodium", "2024-03-01", 139, unit="mmol/L", code="2951-2"),
    )
    focus = focus_on(lexicon().lookup("creatinine", ("lab",))[0], "last creatinine")
    chart = await open_chart(
        Plain(store, excludes=True), Reference(type="Patient", id="p"), date(2024, 6, 1), lazy=True
    )
    chart = await grown(chart, RESULTS, focus)
    assert chart.focus == focus and chart.wider is not None and chart.wider.waiting >= RESULTS
    assert [e.concept.label for e in chart.catalogue.of("measurement")] == ["Creatinine"]
    gather = Gather(chart)
    assert len(await gather.facts("measurement", (f"{LOINC}|2160-0",))) == 1
    assert {f.concept.label for f in await gather.facts("measurement")} == {"Creatinine", "Sodium"}
