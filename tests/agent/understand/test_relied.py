"""Which kinds of record a question rests on, and which it needs of a chart that is read by and by."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.settings import Settings
from agent.understand import understand, wanted
from agent.wire import Agent
from fhir_tools.types import KINDS, Query, SearchResult
from tests.agent.asking import ask, condition, opened, order, result, store_of
from tests.agent.faulty import Plain

ALL = frozenset(KINDS) - {"patient"}


def relies(chart: Chart, question: str) -> set[str]:
    return set(understand(question, chart).relies)


def test_a_result_rests_on_the_results(charts: dict[str, Chart]) -> None:
    assert relies(charts["m"], "last A1c?") == {"measurement"}
    assert "immunization" not in relies(charts["m"], "is she on insulin?")
    assert relies(charts["m"], "problem list") == {"condition"}
    assert relies(charts["m"], "how old is she") == set()


@pytest.mark.parametrize(
    "question", ["xyzzy level?", "hello", "last hemglobin a1c", "does she have heart failure?", "birth control"]
)
def test_what_is_not_understood_as_it_stands_rests_on_everything(charts: dict[str, Chart], question: str) -> None:
    assert relies(charts["m"], question) >= ALL


def test_an_anchor_is_rested_on_as_well(charts: dict[str, Chart]) -> None:
    assert {"measurement", "encounter"} <= relies(charts["m"], "highest creatinine during the last admission")


CHART = (
    result("Hemoglobin A1c", "2024-01-01", 6.9, unit="%", code="4548-4"),
    condition("Asthma", "2020"),
    order("Metformin 500 MG Oral Tablet", "2023-01-01", code="860975"),
)


@pytest.mark.parametrize(
    ("question", "types"),
    [
        ("does she have asthma?", {"Condition"}),
        ("last HbA1c?", {"Observation", "DiagnosticReport", "Procedure"}),
        ("problem list", {"Condition"}),
        ("date of birth", set()),
    ],
)
def test_a_chart_is_read_as_far_as_the_question_needs(tmp_path: Path, question: str, types: set[str]) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    done = ask(opened(source, lazy=True), question)
    assert done.answer.status == "answered", done.text
    assert {q.partition("?")[0] for q in source.asked if "_elements=" in q} == types
    assert done.text == ask(opened(Plain(source.source)), question).text


@pytest.mark.parametrize("question", ["does she have gout?", "xyzzy?", "what do the notes say about asthma?"])
def test_what_is_not_where_it_should_be_is_looked_for_everywhere(tmp_path: Path, question: str) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    done = ask(opened(source, lazy=True), question)
    assert len({q.partition("?")[0] for q in source.asked if "_elements=" in q}) == 19
    assert done.text == ask(opened(Plain(source.source)), question).text


def test_nothing_more_is_wanted_of_a_whole_chart(charts: dict[str, Chart]) -> None:
    assert wanted(understand("xyzzy", charts["m"]), charts["m"]) == frozenset()


# One analyte, of a source that lets others be left out.

RESULTS = (
    *CHART,
    result("Creatinine", "2024-01-01", 1.1, unit="mg/dL", code="2160-0"),
    result("Creatinine", "2024-03-01", 1.2, unit="mg/dL", code="2160-0"),
    result("Sodium", "2024-03-01", 139, unit="mmol/L", code="2951-2"),
    result("Ferritin", "2024-03-02", 39, unit="ng/mL", code="2276-4"),
)


def lab_searches(source: Plain) -> list[str]:
    return [q.partition("&")[2] for q in source.asked if q.startswith("Observation?")]


def test_one_analyte_is_read_without_the_others(tmp_path: Path) -> None:
    source = Plain(store_of(tmp_path, *RESULTS), excludes=True)
    done = ask(opened(source, lazy=True), "last creatinine?")
    assert done.text == ask(opened(Plain(source.source)), "last creatinine?").text
    assert "1.2" in done.text
    assert {q.partition("?")[0] for q in source.asked} == {"Patient/p", "Observation"}
    names = [q.partition("=")[0] for q in lab_searches(source)]
    assert sorted(names) == ["_summary", "code", "code:not", "combo-code"], "what was found is not asked for again"
    assert "only those that may be" in done.evidence.catalogue


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("last sodium?", "answered"),
        ("last troponin?", "not_found"),
        ("last troponin I?", "not_found"),
        ("abnormal labs?", None),
        ("all labs", "answered"),
        ("last creatinine and sodium?", "answered"),
        ("creatinine on the day of the last ferritin?", None),
        ("last metabolic panel?", None),
        ("last xyzzy creatinine?", None),
        ("kidney stuff", None),
    ],
)
def test_the_answer_is_that_of_the_whole_chart(tmp_path: Path, question: str, status: str | None) -> None:
    source = Plain(store_of(tmp_path, *RESULTS), excludes=True)
    done, whole = ask(opened(source, lazy=True), question), ask(opened(Plain(source.source)), question)
    assert (done.answer.status, done.text, done.cited) == (whole.answer.status, whole.text, whole.cited)
    assert status in (None, done.answer.status), done.text


@pytest.mark.parametrize(
    "hidden",
    [
        result("Creatinine", "2024-05-01", 1.9, unit="mg/dL", code="KREA", system="urn:site"),
        result("Serum creatinine", "2024-05-01", 1.9, unit="mg/dL"),
        result("Creatinine [Mass/volume] in Blood", "2024-05-01", 1.9, unit="mg/dL", code="99999-1"),
    ],
)
def test_nothing_hides_under_another_code(tmp_path: Path, hidden: dict[str, Any]) -> None:
    source = Plain(store_of(tmp_path, *RESULTS, hidden), excludes=True)
    done = ask(opened(source, lazy=True), "last creatinine?")
    assert "1.9" in done.text, done.text
    assert done.text == ask(opened(Plain(source.source)), "last creatinine?").text


def test_a_source_that_leaves_out_too_much_is_read_whole(tmp_path: Path) -> None:
    class Wrong(Plain):
        async def search(self, query: Query) -> SearchResult:
            found = await super().search(query)
            return replace(found, matches=(), total=0) if "code:not" in str(query) else found

    source = Wrong(store_of(tmp_path, *RESULTS), excludes=True)
    chart = opened(source, lazy=True)
    assert ask(chart, "last creatinine?").text == ask(opened(Plain(source.source)), "last creatinine?").text
    assert any(q.startswith("_elements=") for q in lab_searches(source))


async def test_the_next_question_is_not_about_the_others_left_out(tmp_path: Path) -> None:
    source = Plain(store_of(tmp_path, *RESULTS), excludes=True)
    async with Agent(source, "p", as_of=date(2024, 6, 1), settings=Settings()) as agent:
        first = await agent.ask("last creatinine?")
        asked = len(source.asked)
        assert (await agent.ask("last creatinine?")).text == first.text
        assert "139" in (await agent.ask("last sodium?")).text
        labs = await agent.ask("all labs")
        assert all(name in labs.text for name in ("Sodium", "Ferritin", "Creatinine"))
        whole = len(source.asked)
        assert (await agent.ask("last creatinine?")).text == first.text
    assert not any("code:not" in q for q in source.asked[whole:]), "the whole chart is known by now"
    assert not any(q.startswith("Patient/") for q in source.asked[asked:])


def test_a_patient_is_read_once(tmp_path: Path) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    opened(source, lazy=True)
    assert source.asked == ["Patient/p"]
