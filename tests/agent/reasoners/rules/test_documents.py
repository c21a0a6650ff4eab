"""What rules quote from notes."""

from __future__ import annotations

import pytest

from agent.chart import Chart
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
