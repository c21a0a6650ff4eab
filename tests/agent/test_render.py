"""The answer put together from the claims that are left."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from agent.render import answer
from agent.types import Answer, Ask, Claim, Draft, Evidence, Removed, Usage, Verified
from fhir_tools.types import Card, Computation, Concept, Fact, Mark, Reference, Search

PATIENT = Reference(type="Patient", id="p")
FACT = Fact(
    kind="measurement",
    concept=Concept(label="Sodium"),
    reference=Reference(type="Observation", id="o1"),
    path="Observation.valueQuantity",
    version="2",
)
ONE = Mark(id="1", shown="2024-01-02 Sodium 139 mmol/L", fact=FACT)
COUNT = Mark(id="c1", shown="count 1", computation=Computation(op="count", inputs=(FACT,), result=1))
SEARCHED = Search(query="Observation?patient=Patient/p", found=0)
SOUGHT = Mark(id="s1", shown="0 found", search=SEARCHED)
CARD = Card(title="Sodium", kind="measurement", lines=("[1]",), marks=(ONE, COUNT), facts=(FACT,))
CLAIM = Claim(
    text="Sodium was 139 mmol/L on 2024-01-02.",
    marks=("1",),
    value={"kind": "number", "value": 139, "unit": "mmol/L", "date": "2024-01-02"},
)


def rendered(
    *claims: Claim,
    status: Any = "answered",
    note: str = "",
    evidence: Evidence | None = None,
    ask: Ask | None = None,
    removed: tuple[Removed, ...] = (),
    as_of: date = date(2024, 6, 1),
) -> Answer:
    verified = Verified(claims=claims, supports=tuple("direct" for _ in claims), removed=removed)
    return answer(
        ask or Ask(question="last sodium?", op="latest"),
        Draft(status=status, claims=claims, note=note),
        verified,
        evidence or Evidence(cards=(CARD,), searched=(SEARCHED,), search_marks=(SOUGHT,)),
        patient=PATIENT,
        as_of=as_of,
        reasoner="rules",
        usage=Usage(seconds=0.5),
        thread="t",
        trace="x",
    )


def test_an_answer_has_text_with_marks_value_and_citations() -> None:
    told = rendered(CLAIM)
    assert told.status == "answered"
    assert told.text == "Sodium was 139 mmol/L on 2024-01-02 [1]."
    assert told.value is not None
    assert (told.value.value, told.value.unit) == (139, "mmol/L")
    (citation,) = told.citations
    assert (citation.reference, citation.version) == ("Observation/o1", "2")
    assert citation.path == "Observation.valueQuantity"
    assert citation.excerpt == ONE.shown
    assert (told.patient, told.as_of, told.thread, told.trace) == ("Patient/p", "2024-06-01", "t", "x")


def test_marks_are_numbered_as_the_reader_meets_them() -> None:
    late = Mark(id="7", shown="2024-01-02 Sodium 139 mmol/L", fact=FACT)
    card = Card(title="Sodium", kind="measurement", lines=("[7]",), marks=(late, ONE), facts=(FACT,))
    evidence = Evidence(cards=(card,), searched=(SEARCHED,))
    told = rendered(Claim(text="Latest.", marks=("7",)), Claim(text="First.", marks=("1",)), evidence=evidence)
    assert told.text == "Latest [1]. First [2]."
    assert [c.mark for c in told.citations] == ["1", "2"]
    assert [c.marks for c in told.claims] == [["1"], ["2"]]


def test_a_computation_is_cited_with_its_inputs() -> None:
    (citation,) = rendered(Claim(text="1 result is recorded.", marks=("c1",))).citations
    assert (citation.reference, citation.path, citation.inputs) == ("", "count", ["Observation/o1"])


def test_several_sentences_are_a_list() -> None:
    told = rendered(*(Claim(text=f"Sodium {n}.", marks=("1",)) for n in range(4))).text
    assert told.count("\n- ") == 3
    assert told.startswith("- Sodium 0 [1].")


def test_nothing_left_is_told_as_that() -> None:
    gone = Removed(kind="number", reason="the number is not in the evidence")
    told = rendered(removed=(gone,))
    assert told.status == "refused"
    assert "Nothing that was drafted could be backed" in told.text
    assert told.removed == [gone]
    assert told.value is None


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_a_note_is_the_text_where_there_is_no_claim(status: str) -> None:
    told = rendered(status=status, note="Ask for one of them.")
    assert (told.status, told.text, told.citations) == (status, "Ask for one of them.", [])


def test_not_found_cites_its_searches() -> None:
    told = rendered(status="not_found", note="Sodium is not documented [s1].")
    assert told.status == "not_found"
    assert [c.mark for c in told.citations] == ["s1"]
    assert told.searched[0].query == SEARCHED.query


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        Evidence(searched=(Search(query="Observation?", found=0, complete=False, error="503"),)),
        Evidence(searched=(SEARCHED, Search(query="Condition?", found=0, complete=False))),
    ],
)
def test_not_found_needs_searches_that_are_all_complete(evidence: Evidence) -> None:
    assert rendered(status="not_found", note="not documented", evidence=evidence).status == "incomplete"


def test_an_answer_from_a_cut_search_says_so() -> None:
    cut = Evidence(cards=(CARD,), searched=(Search(query="Observation?", found=1, complete=False),))
    told = rendered(CLAIM, evidence=cut)
    assert told.status == "incomplete"
    assert told.text.startswith("Not everything could be read")
    assert told.value is None


def test_what_was_not_read_is_told_by_its_reason() -> None:
    rows = [("Observation?a", "503"), ("Condition?a", "503"), ("Condition?b", "503"), ("Goal?a", None)]
    cut = Evidence(cards=(CARD,), searched=tuple(Search(query=q, found=0, complete=False, error=e) for q, e in rows))
    told = rendered(CLAIM, evidence=cut)
    assert told.text.endswith("Not all read: Observation, Condition (503); Goal (the search was cut short).")


def test_of_much_that_was_not_read_what_the_answer_is_about_is_named() -> None:
    types = ("Goal", "Device", "CarePlan", "Coverage", "Flag", "Observation")
    lacking = (Search(query=f"{t}?a", found=0, complete=False, error=f"{t} was not asked for") for t in types)
    told = rendered(CLAIM, evidence=Evidence(cards=(CARD,), searched=tuple(lacking)))
    names = "Observation was not asked for; Goal was not asked for; Device was not asked for"
    assert told.text.endswith(f"Not all read: {names}; and 3 more kinds of records.")
    assert len(told.searched) == 6


@pytest.mark.parametrize("status", ["answered", "refused", "not_found"])
def test_nothing_left_of_a_cut_search_is_no_refusal(status: str) -> None:
    cut = Evidence(searched=(Search(query="Observation?", found=1, complete=False, error="503"),))
    told = rendered(status=status, note="", evidence=cut)
    assert told.status == "incomplete"
    assert "Not all read: Observation (503)." in told.text


def test_a_claim_with_an_unknown_mark_has_no_citation() -> None:
    assert rendered(Claim(text="Sodium was 139.", marks=("9",))).citations == []


def test_a_status_asked_as_of_the_past_is_warned_about() -> None:
    today = datetime.now(UTC).date()
    ask = Ask(question="on aspirin?", op="taking")
    assert rendered(CLAIM, ask=ask, as_of=today - timedelta(days=9)).warnings != []
    assert rendered(CLAIM, ask=ask, as_of=today + timedelta(days=1)).warnings == []
    assert rendered(CLAIM, as_of=today - timedelta(days=9)).warnings == []


def test_a_warning_is_told_once() -> None:
    evidence = Evidence(cards=(CARD,), searched=(SEARCHED,), warnings=("two", "two"))
    assert rendered(CLAIM, evidence=evidence).warnings == ["two"]
