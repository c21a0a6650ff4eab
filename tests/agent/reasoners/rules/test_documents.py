"""What rules quote from notes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.chart import Chart
from agent.types import Draft
from agent.verify import verify
from tests.agent.asking import ask

ROWS = (
    ("m", "what do the notes say about hypoglycemia?", "No hypoglycemia", "negated"),
    ("r", "what does the discharge summary say about naproxen", "naproxen", ""),
    ("l", "search notes for latex", "Latex", ""),
)


@pytest.mark.parametrize(("who", "question", "quote", "asserted"), ROWS)
def test_a_sentence_is_quoted_with_how_it_is_meant(
    who: str, question: str, quote: str, asserted: str, charts: dict[str, Chart]
) -> None:
    done = ask(charts[who], question)
    assert done.draft.claims
    assert quote in done.draft.claims[0].text
    assert asserted in done.draft.claims[0].text
    spans = [m.span for card in done.evidence.cards for m in card.marks]
    assert all(s and s.quote for s in spans)


def test_notes_that_do_not_hold_it_are_named(charts: dict[str, Chart]) -> None:
    done = ask(charts["m"], "do the notes mention seizures?")
    assert done.answer.status == "not_found"
    assert "not documented in notes" in done.text


def test_documents_are_listed(charts: dict[str, Chart]) -> None:
    told = ask(charts["r"], "discharge summary").text
    assert "2025-03-15" in told
    assert "2022-09-12" in told


@pytest.mark.parametrize(("who", "question", "quote", "asserted"), ROWS)
def test_the_quote_survives_the_check(
    who: str, question: str, quote: str, asserted: str, charts: dict[str, Chart]
) -> None:
    done = ask(charts[who], question)
    assert (done.answer.status, done.answer.removed) == ("answered", [])
    assert quote in done.text
    assert {c.support for c in done.answer.claims} == {"document"}


def test_a_quote_told_the_other_way_is_removed(charts: dict[str, Chart]) -> None:
    done = ask(charts["m"], "any notes about chest pain")
    denied = next(c for c in done.draft.claims if "(negated)" in c.text)
    swapped = replace(denied, text=denied.text.replace("(negated)", "(uncertain)"))
    told = verify(done.ask, Draft(claims=(denied, swapped)), done.evidence)
    assert [c.text for c in told.claims] == [denied.text]
    assert [r.kind for r in told.removed] == ["quote"]


def test_only_the_newest_note_is_quoted_when_that_is_asked(charts: dict[str, Chart]) -> None:
    every = ask(charts["l"], "do the progress notes mention wheezing?")
    last = ask(charts["l"], "does the last progress note mention wheezing?")
    assert "2024-04-08" in every.draft.claims[0].text
    assert not any("2024-04-08" in claim.text for claim in last.draft.claims)
