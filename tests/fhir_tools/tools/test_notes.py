"""`find_notes` and `read_document`: quotes with exact spans and how each is meant; long texts by parts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from agent.chart import Chart
from fhir_tools.tools.notes import PART, parts_of
from tests.agent.asking import made_up, result
from tests.fhir_tools.tools.benches import bench_of, note, refused, run, text

BODY = """Chief complaint: knee pain.

Assessment: Gout flare. No fever. Possible pneumonia.

Family history: Mother had stroke."""


def test_quotes_have_their_span_and_how_they_are_meant(tmp_path: Path) -> None:
    chart = made_up(tmp_path, note("n1", "2024-01-02", BODY))
    found = run(chart, "find_notes", words="fever, pneumonia, stroke, gout")
    [card] = found.cards
    assert '"No fever." (negated)' in card.text and "(uncertain)" in card.text and "(family)" in card.text
    for mark in card.marks:
        assert mark.span is not None
        assert BODY[mark.span.start : mark.span.end] == mark.span.quote


def test_a_section_narrows_the_quotes(tmp_path: Path) -> None:
    chart = made_up(tmp_path, note("n1", "2024-01-02", BODY))
    assert run(chart, "find_notes", words="gout", section="assessment").cards
    found = run(chart, "find_notes", words="gout", section="family")
    assert not found.absent and 'under "family"' in found.lines[0]


def test_a_window_and_today_bound_the_notes(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        note("n1", "2020-01-02", "He fell in the garden."),
        note("n2", "2024-01-02", "He fell at home."),
        note("n3", "2025-01-02", "He fell tomorrow."),
    )
    assert [m.fact.reference.id for m in run(chart, "find_notes", words="fell").cards[0].marks if m.fact] == [
        "n2",
        "n1",
    ]
    assert "garden" in text(run(chart, "find_notes", words="fell", until="2020-12-31"))


def test_words_that_stand_apart_in_a_sentence_are_found_where_no_phrase_is(tmp_path: Path) -> None:
    chart = made_up(tmp_path, note("n1", "2024-01-02", "He fell on the stairs. He has stairs at home."))
    [mark] = run(chart, "find_notes", words="stairs fell").cards[0].marks
    assert mark.span is not None and mark.span.quote == "He fell on the stairs."


def test_a_text_that_several_records_hold_is_quoted_once(tmp_path: Path) -> None:
    chart = made_up(tmp_path, note("n1", "2024-01-02", BODY), note("n2", "2024-01-02", BODY))
    assert len(run(chart, "find_notes", words="gout").cards[0].marks) == 1


def test_many_long_sentences_stay_short(tmp_path: Path) -> None:
    bodies = [f"{'Long words about it ' * 40} gout {n} {'and more of them ' * 40}." for n in range(20)]
    chart = made_up(tmp_path, *(note(f"n{n}", "2024-01-02", body) for n, body in enumerate(bodies)))
    [card] = run(chart, "find_notes", words="gout").cards
    assert len(card.text) <= 1500 and "20 sentences of 20 documents" in card.title


def test_what_no_note_holds_is_absent_from_notes_and_reports(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "find_notes", words="kangaroo")
    assert found.absent[0].kinds == ("document", "report") and found.absent[0].complete


def test_an_unreadable_note_makes_an_absence_incomplete(tmp_path: Path) -> None:
    attachment = {"contentType": "text/plain", "data": "%%%"}
    broken = {**note("n1", "2024-01-02", "x"), "content": [{"attachment": attachment}]}
    found = run(made_up(tmp_path, broken), "find_notes", words="gout")
    assert not found.absent[0].complete and "could not be read" in found.warnings[0]


def test_a_note_that_cannot_be_fetched_is_a_search_that_is_not_complete(tmp_path: Path) -> None:
    lost = {**note("n1", "2024-01-02", "x"), "content": [{"attachment": {"url": "Binary/none"}}]}
    found = run(made_up(tmp_path, lost), "find_notes", words="gout")
    assert not found.complete and not found.absent[0].complete


def test_a_document_is_read_by_reference_and_by_mark(charts: dict[str, Chart]) -> None:
    bench = bench_of(charts["m"])
    [card] = run(bench, "find_notes", words="cough").cards
    [mark] = card.marks
    by_mark = run(bench, "read_document", record=f"[{mark.id}]")
    assert mark.fact is not None
    assert by_mark == run(bench, "read_document", record=str(mark.fact.reference))
    assert "Fever and cough for three days" in text(by_mark)


def test_the_parts_of_a_long_document_are_all_of_it(tmp_path: Path) -> None:
    body = "\n".join(f"Line {n} tells of day {n} and of nothing else." for n in range(200)) + "x" * 3000
    chart = made_up(tmp_path, note("n1", "2024-01-02", body))
    first = run(chart, "read_document", record="DocumentReference/n1")
    number = int(first.cards[0].title.split(" of ")[1].split(",")[0])
    told = ""
    for part in range(1, number + 1):
        [card] = run(chart, "read_document", record="DocumentReference/n1", part=part).cards
        [mark] = card.marks
        assert mark.span is not None and len(card.text) <= 1500
        assert body[mark.span.start : mark.span.end] == mark.span.quote
        told += mark.span.quote
    assert "".join(told.split()) == "".join(body.split())
    assert f"has {number} parts" in refused(chart, "read_document", record="DocumentReference/n1", part=number + 1)


@pytest.mark.parametrize("text_", ["", " \n ", "x" * (PART * 3 + 1), "A. " * 2000, "\n".join(["word"] * 900)])
def test_parts_are_bounded_and_in_order(text_: str) -> None:
    parts = parts_of(text_)
    assert all(0 < end - start <= PART for start, end in parts)
    assert all(a[1] <= b[0] for a, b in pairwise(parts))
    assert "".join("".join(text_[a:b] for a, b in parts).split()) == "".join(text_.split())


def test_what_is_no_document_is_refused(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Hemoglobin A1c", "2024-05-01", 7.0))
    assert "no document" in refused(chart, "read_document", record="Observation/o-hemoglobin-a1c-2024-05-01")


def test_a_document_without_text_says_so(tmp_path: Path) -> None:
    empty = {**note("n1", "2024-01-02", ""), "content": [{"attachment": {"contentType": "text/plain"}}]}
    found = run(made_up(tmp_path, empty), "read_document", record="DocumentReference/n1")
    assert not found.cards and "no text" in found.lines[0]


def test_images_are_not_available_and_say_where_to_look(charts: dict[str, Chart]) -> None:
    bench = bench_of(charts["m"])
    run(bench, "find", kind="imaging")
    assert "not available" in refused(bench, "look_at_image", record="1", question="any nodule?")
