"""A quote is told only as it stands in its document, at its offset, and as the document means it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.types import AGAINST, IN_NOTES, Ask, Claim, Draft, Evidence, Target, Verified
from agent.verify import verify
from fhir_tools import dates
from fhir_tools.cards import Marks
from fhir_tools.documents import Document, Scanned
from fhir_tools.types import Card, Concept, Fact, Reference, Span

TEXT = 'Family history:\nGout in his father.\nPlan: Gout began 3 days ago, he said "ouch" [2]. No gout in the knee.'
NOTE = Fact(
    kind="document", concept=Concept(label="Progress note"), reference=Reference(type="DocumentReference", id="n"),
    path="DocumentReference.type", when=dates.parse("2025-06-04"),
)  # fmt: skip
ASK = Ask(question="q", op="find", targets=(Target(words="gout", label="Gout", lexicon=(("condition", "gout"),)),))


def span_of(quote: str) -> Span:
    start = TEXT.index(quote)
    return Span(start=start, end=start + len(quote), quote=quote)


def checked(claim: str, span: Span, *, document: Document | None = None, title: str = IN_NOTES) -> Verified:
    marks = Marks()
    mark = marks.quote(document or Document(fact=NOTE, text=TEXT), span)
    card = Card(title=title, kind="document", lines=("x",), marks=(mark,), facts=(NOTE,))
    return verify(ASK, Draft(claims=(Claim(text=claim, marks=(mark.id,)),)), Evidence(cards=(card,)))


@pytest.mark.parametrize(
    ("quote", "told"),
    [
        ("Gout in his father.", " (family)"),
        ('Plan: Gout began 3 days ago, he said "ouch" [2].', " (that is 2025-06-01)"),
        ('Plan: Gout began 3 days ago, he said "ouch" [2].', ""),
        ("No gout in the knee.", " (negated)"),
    ],
)
def test_a_quote_told_as_the_document_means_it_is_kept(quote: str, told: str) -> None:
    result = checked(f'Progress note, 2025-06-04: "{quote}"{told}.', span_of(quote))
    assert (len(result.claims), result.supports, result.removed) == (1, ("document",), ())
    assert quote in result.claims[0].text


@pytest.mark.parametrize(
    ("quote", "told"),
    [
        ("Gout in his father.", ""),  # the heading above says whose it is
        ("Gout in his father.", " (negated)"),
        ("No gout in the knee.", ""),
        ("No gout in the knee.", " (uncertain)"),
        ("No gout in the knee.", " (negated; that is 2025-06-01)"),
        ('Plan: Gout began 3 days ago, he said "ouch" [2].', " (that is 2025-06-02)"),
        ('Plan: Gout began 3 days ago, he said "ouch" [2].', " (read by Tesseract)"),
    ],
)
def test_a_quote_told_otherwise_than_it_is_meant_is_removed(quote: str, told: str) -> None:
    result = checked(f'Progress note, 2025-06-04: "{quote}"{told}.', span_of(quote))
    assert result.claims == () and [r.kind for r in result.removed] == ["quote"]


def test_a_quote_that_does_not_stand_at_its_offset_is_removed() -> None:
    right = span_of("No gout in the knee.")
    claim = 'Progress note, 2025-06-04: "No gout in the knee." (negated).'
    assert checked(claim, right).claims
    assert checked(claim, replace(right, start=right.start - 1)).claims == ()
    other = Document(fact=NOTE, text=TEXT.replace("knee", "toe."))
    assert checked(claim, right, document=other).claims == ()


@pytest.mark.parametrize("lead", ["Progress note, 2025-06-05", "Discharge note, 2025-06-04"])
def test_a_quote_of_another_document_or_day_is_no_quotation(lead: str) -> None:
    assert checked(f'{lead}: "No gout in the knee." (negated).', span_of("No gout in the knee.")).claims == ()


def test_that_a_note_says_otherwise_is_told_only_of_what_was_held_against_the_record() -> None:
    quote = 'Plan: Gout began 3 days ago, he said "ouch" [2].'
    claim = f'Progress note, 2025-06-04, says otherwise: "{quote}".'
    assert checked(claim, span_of(quote), title=AGAINST).claims
    assert checked(claim, span_of(quote)).claims == ()


def test_what_was_read_by_ocr_may_be_told_as_that() -> None:
    quote = 'Plan: Gout began 3 days ago, he said "ouch" [2].'
    scanned = Document(fact=NOTE, text=TEXT, scanned=(Scanned(start=0, end=len(TEXT), by="Tesseract"),))
    claim = f'Progress note, 2025-06-04: "{quote}" (read by Tesseract).'
    assert checked(claim, span_of(quote), document=scanned).claims
