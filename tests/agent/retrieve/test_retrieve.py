"""The cards of a question, their windows and the proof of what is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.chart import Chart
from agent.retrieve import Gather, retrieve
from agent.types import Evidence
from agent.understand import understand
from fhir_tools import demo
from fhir_tools.conditions import ongoing
from fhir_tools.dates import Window, of_any
from fhir_tools.records import grouped, usable, within
from fhir_tools.types import Reference
from tests.agent.asking import Failing, condition, made_up, opened, order, result, store_of, visit


def evidence(question: str, chart: Chart) -> Evidence:
    return asyncio.run(retrieve(chart, understand(question, chart)))


def test_a_subject_has_one_card_with_all_its_facts(charts: dict[str, Chart]) -> None:
    (card,) = evidence("last A1c", charts["m"]).cards
    assert card.role == "subject"
    assert len(card.facts) == 60
    assert all(f.standing == "fact" for f in card.facts)


def test_a_panel_has_a_card_for_each_analyte(charts: dict[str, Chart]) -> None:
    cards = evidence("last lipid panel", charts["m"]).cards
    assert [c.kind for c in cards] == ["measurement"] * 4


def test_the_event_stands_apart_from_the_subject(charts: dict[str, Chart]) -> None:
    cards = evidence("lowest hemoglobin during the last admission", charts["r"]).cards
    assert [c.role for c in cards] == ["subject", "event"]
    assert "2025-03-10 to 2025-03-15" in cards[0].window


@pytest.mark.parametrize(
    ("question", "window"),
    [
        ("A1c since CKD stage 4", "since Chronic kidney disease, stage 4 (2024-02-12)"),
        ("A1c before CKD stage 4", "before Chronic kidney disease, stage 4 (2024-02-12)"),
        ("A1c after CKD stage 4", "after Chronic kidney disease, stage 4 (2024-02-12)"),
    ],
)
def test_an_event_makes_a_window(question: str, window: str, charts: dict[str, Chart]) -> None:
    (card,) = [c for c in evidence(question, charts["m"]).cards if c.role == "subject"]
    assert card.window == window


def test_without_its_event_a_question_has_no_subject_either(charts: dict[str, Chart]) -> None:
    found = evidence("A1c after semaglutide", charts["m"])
    assert found.cards == ()
    assert [a.label.lower() for a in found.absent] == ["semaglutide"]


def test_what_is_absent_comes_with_finished_searches(charts: dict[str, Chart]) -> None:
    found = evidence("on warfarin?", charts["m"])
    (absence,) = found.absent
    assert absence.complete
    assert {m.id for m in found.search_marks} >= set(absence.searched)
    assert {m.search.query.split("?")[0] for m in found.search_marks if m.search} == {
        "MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense",
    }  # fmt: skip


def test_a_lab_is_searched_by_its_codes(charts: dict[str, Chart]) -> None:
    (mark,) = evidence("last A1c", charts["r"]).search_marks
    assert mark.search is not None
    assert "combo-code=" in mark.search.query
    assert "4548-4" in mark.search.query


def test_a_cut_search_is_no_proof(tmp_path: Path) -> None:
    store = store_of(tmp_path, condition("Asthma", "2020"))
    found = evidence("does she have gout?", opened(Failing(store, ("Condition",))))
    assert not found.complete
    assert not found.absent[0].complete
    assert "503" in (found.searched[0].error or "")


def test_nothing_is_read_for_what_is_not_understood(charts: dict[str, Chart]) -> None:
    found = evidence("last xyzzy", charts["m"])
    assert (found.cards, found.searched, found.absent) == ((), (), ())


def test_refuted_records_stand_beside_real_ones(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path, condition("Asthma", "2010", id="c1"), condition("Asthma", "2020", verified="refuted", id="c2")
    )
    cards = evidence("does she have asthma?", chart).cards
    assert [(c.role, len(c.facts)) for c in cards] == [("subject", 1), ("also", 1)]


def test_a_visit_is_told_with_what_happened_in_it(charts: dict[str, Chart]) -> None:
    kinds = [c.kind for c in evidence("what happened during the last admission", charts["m"]).cards]
    assert kinds[0] == "encounter"
    assert {"condition", "medication", "imaging", "document"} <= set(kinds)


def test_marks_are_unique_over_the_cards(charts: dict[str, Chart]) -> None:
    marks = [m.id for c in evidence("last A1c, BP and weight", charts["m"]).cards for m in c.marks]
    assert len(marks) == len(set(marks))


def test_the_catalogue_line_counts_concepts_and_has_no_marks(charts: dict[str, Chart]) -> None:
    line = evidence("last A1c", charts["m"]).catalogue
    assert "condition 11" in line
    assert "[" not in line


# Facts.


def facts(chart: Chart, kind: str) -> tuple:  # type: ignore[type-arg]
    return asyncio.run(Gather(chart).facts(kind))  # type: ignore[arg-type]


def test_facts_after_as_of_are_left_out(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("Asthma", "2024-05-31"), condition("Gout", "2024-06-02"))
    assert [f.concept.label for f in facts(chart, "condition")] == ["Asthma"]


def test_only_facts_that_stand_are_usable(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("Asthma", "2020"), condition("Gout", "2021", verified="refuted"))
    assert [f.concept.label for f in usable(facts(chart, "condition"))] == ["Asthma"]


def test_undated_facts_are_in_no_window(tmp_path: Path) -> None:
    found = facts(made_up(tmp_path, condition("Asthma", ""), condition("Gout", "2021")), "condition")
    when = of_any("2021")
    assert when is not None
    window = Window(low=when.low, high=when.high, text="in 2021")
    assert [f.concept.label for f in within(found, window)] == ["Gout"]
    assert within(found, None) == found


def test_facts_are_grouped_by_what_they_are_about(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path, order("Aspirin", "2020-01-01"), order("Gabapentin", "2021-01-01"), order("Aspirin", "2022-01-01")
    )
    assert [len(g) for g in grouped(facts(chart, "medication"))] == [2, 1]


@pytest.mark.parametrize(
    ("clinical", "more", "active"),
    [
        ("active", {}, True),
        ("recurrence", {}, True),
        ("resolved", {}, False),
        ("remission", {}, False),
        ("active", {"abatementDateTime": "2021"}, False),
        ("", {}, True),
        ("", {"abatementDateTime": "2021"}, False),
    ],
)
def test_an_active_condition(clinical: str, more: dict[str, str], active: bool, tmp_path: Path) -> None:
    (fact,) = facts(made_up(tmp_path, condition("Asthma", "2020", clinical=clinical, **more)), "condition")
    assert ongoing(fact) == active


def test_a_search_is_sent_once_in_a_sitting(charts: dict[str, Chart]) -> None:
    chart = charts["m"]
    evidence("last A1c", chart)
    before = dict(chart.found)
    evidence("highest A1c", chart)
    assert dict(chart.found) == before


def test_facts_with_a_reason_elsewhere_name_it(charts: dict[str, Chart]) -> None:
    (card,) = evidence("what is atorvastatin for?", charts["m"]).cards
    assert "Mixed hyperlipidemia" in {r.label for f in card.facts for r in f.details["reason"]}


def test_an_encounter_that_is_open_goes_on(tmp_path: Path) -> None:
    stay = visit("Hospital admission", "2024-05-30T10:00:00Z", "", class_="IMP", status="in-progress")
    stay["period"] = {"start": "2024-05-30T10:00:00Z"}
    inside = result("Sodium", "2024-05-31T08:00:00Z", 139, unit="mmol/L", code="2951-2")
    found = evidence("sodium during the current admission", made_up(tmp_path, stay, inside))
    assert any(c.role == "subject" for c in found.cards)


def test_the_demo_is_whole(charts: dict[str, Chart]) -> None:
    assert {c.patient for c in charts.values()} == {Reference(type="Patient", id=p) for p in demo.patients()}
