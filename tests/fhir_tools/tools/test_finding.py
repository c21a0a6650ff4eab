"""`find` and `list_concepts`: the card of what is meant, the choices of several, the proof of none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from agent.chart import Chart
from fhir_tools.types import KINDS
from tests.agent.asking import Failing, allergy, condition, made_up, opened, order, result, store_of, visit
from tests.fhir_tools.tools.benches import refused, run, text

A1C = "4548-4"


@pytest.mark.parametrize(
    ("who", "arguments", "shown"),
    [
        ("m", {"what": "hemoglobin a1c"}, "latest [1] 2026-04-06 7.2 %"),
        ("m", {"what": "A1C"}, "Hemoglobin A1c (LOINC 4548-4), 60 results"),
        ("m", {"what": "4548-4"}, "Hemoglobin A1c (LOINC 4548-4), 60 results"),
        ("m", {"what": "a1c", "until": "2010-12-31"}, "until 2010-12-31"),
        ("m", {"what": "metformin"}, "3 orders; not taking now"),
        ("m", {"what": "hemoglobn a1c"}, "Hemoglobin A1c"),
        ("m", {"what": "blood pressure"}, "mean systolic"),
        ("m", {"what": "chest x-ray", "kind": "report"}, "Chest X-ray, 2 views (LOINC 36643-5), report, 2 records"),
        ("m", {"kind": "condition"}, "Chronic kidney disease, stage 4 2024-02-12, active"),
        ("m", {"what": "problems"}, "conditions: 11"),
        ("m", {"kind": "encounter", "since": "2024-01-01"}, "encounters, since 2024-01-01: 9"),
        ("r", {"what": "anticoagulant"}, "anticoagulant, medication, 3 orders; taking now"),
        ("r", {"what": "pulmonary embolism"}, "no valid record, only these"),
        ("r", {"what": "stroke", "kind": "family"}, "mother, onset 77 years"),
        ("l", {"what": "peanut", "kind": "allergy"}, "Anaphylaxis"),
        ("l", {"what": "smoking status"}, "Never smoker"),
    ],
)
def test_a_concept_is_found_as_the_chart_has_it(
    charts: dict[str, Chart], who: str, arguments: dict[str, str], shown: str
) -> None:
    found = run(charts[who], "find", **arguments)
    assert shown in text(found)
    assert found.complete and not found.absent


def test_several_words_bring_a_card_each(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find", what="potassium, creatinine; metformin")
    assert [c.kind for c in found.cards] == ["measurement", "measurement", "medication"]


def test_every_result_of_a_window_is_listed_where_all_are_asked_for(charts: dict[str, Chart]) -> None:
    [card] = run(charts["m"], "find", what="a1c", since="2025-01-01", until="2025-12-31", how="all").cards
    [each] = [line for line in card.lines if line.startswith("each: ")]
    assert each.count("|") == 3 and "2025-09-08 7.4 %" in card.text and "2025-05-27 7.5 %" in each


def test_what_is_first_in_the_chart_comes_first_where_the_first_are_asked_for(charts: dict[str, Chart]) -> None:
    [card] = run(charts["m"], "find", kind="immunization", how="first").cards
    days = [line.split()[-1] for line in card.lines if line.startswith("[1]")]
    newest = run(charts["m"], "find", kind="immunization").cards[0]
    assert days and card.lines[0] != newest.lines[0]


def test_the_facts_of_a_card_are_all_there_are_whatever_the_window(charts: dict[str, Chart]) -> None:
    """What is told as the first or the only one is held against the chart, not against a window that a model chose."""
    [card] = run(charts["m"], "find", what="a1c", since="2026-01-01").cards
    assert len(card.facts) == 60 and card.window == "since 2026-01-01"
    assert "1 result" in card.title


def test_what_is_not_there_comes_with_the_searches_that_show_it(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find", what="ferritin")
    [absent] = found.absent
    assert (absent.label, absent.kinds, absent.complete) == ("Ferritin", ("measurement",), True)
    assert [m.id for m in found.search_marks] == list(absent.searched)
    assert all(m.search is not None and m.search in found.searched for m in found.search_marks)


def test_what_is_in_no_window_is_told_with_the_latest_there_is(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find", what="troponin", until="2020-01-01")
    assert found.absent[0].window == "until 2020-01-01"
    assert [c.role for c in found.cards] == ["also"]


def test_words_that_nobody_knows_are_no_absence(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find", what="zorblax syndrome")
    assert not found.absent and not found.search_marks and "no known term" in found.lines[0]


def test_closest_labels_are_told_where_nothing_is_found(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("zorblax antibody titer", "2024-01-02", 3.0))
    found = run(chart, "find", what="zorblax antibody screen")
    assert "zorblax antibody titer" in found.lines[0]


def test_several_things_under_one_name_are_choices_and_each_can_be_asked_for(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Zorblax titer fasting", "2024-01-02", 5.0, code="90001-1"),
        result("Zorblax titer random", "2024-01-03", 8.0, code="90002-2"),
    )
    found = run(chart, "find", what="zorblax titer")
    assert not found.cards and found.lines[1:] == ("Zorblax titer fasting", "Zorblax titer random")
    assert "latest [1] 2024-01-03 8" in text(run(chart, "find", what=found.lines[2]))


def test_choices_of_one_label_are_told_apart_by_their_codes(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Zorblax titer", "2024-01-02", 5.0, code="90001-1"),
        result("Zorblax titer", "2024-01-03", 8.0, code="90002-2"),
    )
    found = run(chart, "find", what="zorblax titer")
    assert found.lines[1:] == ("Zorblax titer (90001-1)", "Zorblax titer (90002-2)")
    assert "2024-01-02 5" in text(run(chart, "find", what="90001-1"))


def test_a_wrong_kind_is_told_where_the_chart_has_it(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find", what="diabetes", kind="medication")
    assert not found.absent and found.lines[0] == "Diabetes is not in the chart as medication"
    assert "as condition too" in found.lines[1]


def test_a_denial_stands_beside_the_absence_of_an_allergy(charts: dict[str, Chart]) -> None:
    found = run(charts["r"], "find", what="penicillin", kind="allergy")
    assert found.absent and [c.role for c in found.cards] == ["also"] and "No known allergies" in text(found)


def test_refuted_records_are_told_apart(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("Gout", "2020-01-02"), condition("Gout attack", "2021", verified="refuted"))
    assert [c.role for c in run(chart, "find", what="gout").cards] == ["subject"]
    [refuted] = run(chart, "find", what="gout attack").cards
    assert "no valid record" in refuted.title


def test_nothing_after_today_is_shown(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path, result("Hemoglobin A1c", "2024-05-01", 7.0, code=A1C), result("Hemoglobin A1c", "2024-07-01", 9.0)
    )
    assert chart.as_of == date(2024, 6, 1) and "9" not in run(chart, "find", what="a1c").cards[0].lines[0].split("|")[0]


def test_a_search_that_is_cut_short_makes_it_incomplete(tmp_path: Path) -> None:
    store = store_of(tmp_path, order("Metformin 500 MG", "2024-01-02"), result("Hemoglobin A1c", "2024-05-01", 7.0))
    found = run(opened(Failing(store, ("MedicationRequest",))), "find", what="metformin")
    assert not found.complete and any("503" in (row.error or "") for row in found.searched)
    assert not found.absent or not found.absent[0].complete


def test_a_lazy_chart_grows_by_what_is_asked_for(tmp_path: Path) -> None:
    store = store_of(tmp_path, order("Metformin 500 MG", "2024-01-02"), visit("Check", "2024-01-02", "2024-01-02"))
    from tests.agent.faulty import Plain

    source = Plain(store)
    chart = opened(source, lazy=True)
    assert chart.waiting
    source.asked.clear()
    assert "Metformin" in text(run(chart, "find", what="metformin"))
    assert not any(asked.startswith("Encounter") for asked in source.asked)
    assert run(chart, "find", what="ferritin").absent[0].complete


def test_concepts_are_listed_by_how_often_they_are(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "list_concepts", kind="medication")
    assert found.lines[0] == "medication concepts in the chart: 14"
    assert "Losartan 100 MG Oral Tablet (52175): 3, 2011-10-11 to 2026-01-12" in found.lines
    assert not found.cards


def test_concepts_are_narrowed_by_words(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "list_concepts", kind="measurement", words="cholesterol")
    assert len(found.lines) == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["latest", "first", "all"])
def test_every_kind_of_every_demo_chart_is_short_and_the_same_twice(
    charts: dict[str, Chart], kind: str, how: str
) -> None:
    for chart in charts.values():
        found = run(chart, "find", kind=kind, how=how)
        assert found == run(chart, "find", kind=kind, how=how)
        assert found.cards or found.absent
        assert all(len(card.text) <= 1500 for card in found.cards)
        assert sum(map(len, run(chart, "list_concepts", kind=kind).lines)) <= 1500


def test_a_flood_of_long_labels_stays_short(tmp_path: Path) -> None:
    chart = made_up(tmp_path, *(condition(f"Zorblax {'very ' * 400}{n}", "2020-01-02", id=f"c{n}") for n in range(40)))
    found = run(chart, "find", kind="condition", how="all")
    assert len(found.cards[0].text) <= 1500 and "more lines" in found.cards[0].lines[-1]
    shown = {m.id for m in found.cards[0].marks}
    assert all(f"[{mark}]" in found.cards[0].text for mark in shown)
    assert len("".join(run(chart, "list_concepts", kind="condition").lines)) <= 1500


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "give what"),
        ({"what": "?!"}, "give the name of a concept"),
        ({"what": 5}, "what: it should be a valid string"),
        ({"what": "x" * 121}, "at most 120 characters"),
        ({"what": "a1c", "kind": "lab"}, "kind: "),
        ({"what": "a1c", "since": "2024"}, "YYYY-MM-DD"),
        ({"what": "a1c", "since": "2024-02-30"}, "YYYY-MM-DD"),
        ({"what": "a1c", "since": "2024-02-02", "until": "2024-01-01"}, "since is after until"),
        ({"what": "a1c", "since": "2999-01-01"}, "after today"),
        ({"what": "a1c", "patient": "demo-robert-keller"}, "give only these arguments"),
        ({"what": "a1c", "how": "newest"}, "'latest', 'first' or 'all'"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(charts: dict[str, Chart], arguments: dict[str, str], told: str) -> None:
    message = refused(charts["m"], "find", **arguments)
    assert told in message and len(message) < 310 and "robert" not in message


def test_null_and_empty_arguments_count_as_not_given(charts: dict[str, Chart]) -> None:
    assert run(charts["m"], "find", what="a1c", kind=None, since="", until=None).cards


def test_an_allergy_to_a_class_of_drugs_is_found_by_its_member(tmp_path: Path) -> None:
    chart = made_up(tmp_path, allergy("Penicillin"))
    assert run(chart, "find", what="penicillin", kind="allergy").cards
