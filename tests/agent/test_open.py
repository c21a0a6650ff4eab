"""Opening a chart: the patient, the scope, the catalogue."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from agent.chart import Chart
from fhir_tools.errors import ScopeError, UserError
from fhir_tools.types import Query, Reference
from tests.agent.asking import condition, opened, result, store_of


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
