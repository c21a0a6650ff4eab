"""The grader of questions about notes: what is right, whose span is right, and what is told as a finding."""

from __future__ import annotations

from typing import Any

import pytest

from agent.types import Answer, Citation, ClaimOut, SpanOut
from benchmarks.bench_notes import grade, quotes_of


def answer(status: str = "answered", *quotes: tuple[str, str]) -> Answer:
    claims = [
        ClaimOut(text=f'Note, 2025-01-01: "{q}"{f" ({how})" if how else ""}.', marks=[str(n)], support="document")
        for n, (q, how) in enumerate(quotes)
    ]
    citations = [
        Citation(mark=str(n), reference="D/1", path="x", excerpt="", span=SpanOut(start=0, end=len(q), quote=q))
        for n, (q, _) in enumerate(quotes)
    ]
    return Answer.model_validate(
        {"question": "q", "patient": "Patient/p", "as_of": "2025-01-01", "status": status, "text": "", "claims": claims,
         "citations": citations, "reasoner": "rules"}
    )  # fmt: skip


def row(assertion: str | None, *phrases: str) -> dict[str, Any]:
    return {"id": "1", "expected": {"kind": "quote", "any": list(phrases), "assertion": assertion}}


ABSENT = {"id": "1", "expected": {"kind": "absent"}}


@pytest.mark.parametrize(
    ("asked", "given", "right", "told"),
    [
        (row("affirmed", "gout"), answer("answered", ("Has GOUT.", "")), True, False),
        (row("affirmed", "gout"), answer("answered", ("No gout.", "negated")), False, False),
        (row("negated", "gout"), answer("answered", ("No gout.", "negated")), True, False),
        (row("negated", "gout"), answer("answered", ("No gout.", "")), False, True),
        (row(None, "other"), answer("answered", ("Has gout.", "")), False, False),
        (row(None, "gout"), answer("refused"), False, False),
        (ABSENT, answer("not_found"), True, False),
        (ABSENT, answer("incomplete"), False, False),
    ],
)
def test_grades(asked: dict[str, Any], given: Answer, right: bool, told: bool) -> None:
    graded = grade(asked, given, stands=True)
    assert (graded.right, graded.told) == (right, told)


def test_a_span_is_right_when_it_stands_and_holds_the_phrase() -> None:
    given = answer("answered", ("Has gout.", ""))
    assert grade(row(None, "gout"), given, stands=True).cited
    assert not grade(row(None, "gout"), given, stands=False).cited
    assert not grade(row(None, "other"), given, stands=True).cited
    assert quotes_of(given) == [("Has gout.", "affirmed")]
