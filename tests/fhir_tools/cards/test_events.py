"""Cards of events and lists: rows, roles, counts, and marks that agree with the lines."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import compute, dates
from fhir_tools.cards import Marks, event_card, list_card
from fhir_tools.cards.events import told
from fhir_tools.facts import facts_of
from fhir_tools.types import Card, Concept, Fact, Kind, Reference, Standing


def fact(number: int, when: str | None = None, label: str = "Asthma", kind: Kind = "condition", **more: Any) -> Fact:
    base = {"reference": Reference(type=kind.title(), id=f"x{number}"), "path": f"{kind.title()}.code"}
    told_when = dates.parse(when) if when else None
    return Fact(**{"kind": kind, "concept": Concept(label=label), "when": told_when, **base, **more})


def in_text(made: Card) -> set[str]:
    return set(re.findall(r"\[([cs]?\d+)\]", made.text))


def roles(made: Card) -> dict[str, str]:
    return {role: m.fact.reference.id for m in made.marks if m.fact for role in m.roles if role != "member"}


def test_one_record() -> None:
    made = event_card(Marks(), (fact(1, "2012", details={"clinical": "active"}),))
    assert made.text == "Asthma, condition, 1 record\n latest [1] 2012, active"
    assert roles(made) == {"latest": "x1", "first": "x1"}


def test_several_records() -> None:
    facts = tuple(fact(n, f"201{n}-01-0{n}") for n in range(1, 5))
    made = event_card(Marks(), tuple(reversed(facts)))
    assert made.text.split("\n ") == [
        "Asthma, condition, 4 records",
        "first [2] 2011-01-01",
        "[3] 2012-01-02",
        "[4] 2013-01-03",
        "latest [1] 2014-01-04",
        "count 4 [c1] 2011-01-01 to 2014-01-04 | by year 2011: 1  2012: 1  2013: 1  2014: 1 [c2]",
    ]
    assert roles(made) == {"first": "x1", "previous": "x3", "latest": "x4"}
    assert made.facts == facts


def test_two_records_have_a_previous_one() -> None:
    made = event_card(Marks(), (fact(1, "2012"), fact(2, "2013")))
    assert roles(made) == {"first": "x1", "previous": "x1", "latest": "x2"}


def test_records_of_several_concepts_are_named() -> None:
    made = event_card(Marks(), (fact(1, "2012"), fact(2, "2013", "Gout (disorder)")))
    assert "first [2] Asthma 2012" in made.text
    assert "latest [1] Gout 2013" in made.text
    assert [c.label for c in made.concepts] == ["Asthma", "Gout (disorder)"]


def test_a_window_is_told_and_hides_the_years() -> None:
    made = event_card(Marks(), (fact(1, "2012"), fact(2, "2013")), window="since 2010", names=("asthma",))
    assert made.title == "Asthma, condition, since 2010, 2 records"
    assert "by year" not in made.text
    assert (made.window, made.names) == ("since 2010", ("asthma",))


def test_what_was_computed_and_what_is_added() -> None:
    facts = (fact(1, "2012"),)
    computed = ((compute.compute("count", facts), "given 1 time"),)
    made = event_card(Marks(), facts, title="Mine", computed=computed, extra=("and a line",), complete=False)
    assert made.lines[1:] == ("given 1 time [c1]", "and a line")
    assert (made.title, made.complete) == ("Mine", False)
    assert in_text(made) == {m.id for m in made.marks}


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        ("error", "entered in error"),
        ("refuted", "refuted"),
        ("planned", "planned"),
        ("cancelled", "cancelled"),
        ("not-done", "not done"),
        ("unconfirmed", "unconfirmed"),
    ],
)
def test_what_is_no_fact_says_so_first(standing: Standing, word: str) -> None:
    assert told(fact(1, standing=standing, details={"clinical": "active"})) == f"{word}, active"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            {
                "resourceType": "Condition",
                "clinicalStatus": {"text": "resolved"},
                "severity": {"text": "mild"},
                "onsetAge": {"value": 50, "unit": "a"},
                "abatementDateTime": "2019",
            },
            "resolved, mild, onset 50 a, until 2019",
        ),
        (
            {
                "resourceType": "MedicationRequest",
                "status": "active",
                "dosageInstruction": [{"text": "one daily", "route": {"text": "oral"}}],
                "reasonCode": [{"text": "pain"}],
                "reasonReference": [{"reference": "Condition/unknown"}],
            },
            "order active, one daily, oral, for pain",
        ),
        (
            {
                "resourceType": "MedicationAdministration",
                "status": "completed",
                "dosage": {"dose": {"value": 5, "unit": "mg"}},
            },
            "administration completed, 5 mg",
        ),
        (
            {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": {"text": "active"},
                "criticality": "high",
                "reaction": [{"manifestation": [{"text": "hives"}]}],
            },
            "active, criticality high, reaction hives",
        ),
        (
            {
                "resourceType": "Encounter",
                "status": "in-progress",
                "class": {"code": "IMP"},
                "reasonCode": [{"text": "fever"}],
            },
            "IMP, in-progress, for fever",
        ),
        (
            {"resourceType": "Procedure", "status": "not-done", "bodySite": [{"text": "knee"}]},
            "not done, not-done, knee",
        ),
        ({"resourceType": "Immunization", "status": "completed"}, ""),
        ({"resourceType": "DiagnosticReport", "status": "preliminary", "conclusion": "clear"}, "clear, preliminary"),
        (
            {
                "resourceType": "FamilyMemberHistory",
                "relationship": {"text": "Father"},
                "condition": [{"onsetString": "late"}],
            },
            "Father, onset late",
        ),
        ({"resourceType": "ImagingStudy", "modality": [{"code": "CT"}]}, "CT"),
        ({"resourceType": "DocumentReference", "description": "letter", "author": [{"display": "Dr"}]}, "letter, Dr"),
        ({"resourceType": "Patient", "gender": "female"}, "female"),
        ({"resourceType": "Goal", "lifecycleStatus": "active"}, "active"),
    ],
    ids=lambda x: x["resourceType"] if isinstance(x, dict) else "",
)
def test_what_is_told_of_each_kind(resource: dict[str, Any], expected: str) -> None:
    (one,) = facts_of({"id": "x", **resource})
    assert told(one) == expected


def test_a_list_has_a_row_for_each_group_and_a_count_in_its_title() -> None:
    groups = ((fact(1, "2012"),), (fact(2, "2013", "Gout"), fact(3, "2015", "Gout", details={"clinical": "active"})))
    made = list_card(
        Marks(), groups, title="active conditions", kind="condition", everything=(*groups[0], *groups[1], fact(9))
    )
    assert made.text.split("\n ") == [
        "active conditions: 2 [c2]",
        "[1] Asthma 2012",
        "[c1] Gout: 2 records, latest 2015, active",
    ]
    assert in_text(made) == {m.id for m in made.marks}
    whole = next(m for m in made.marks if m.id == "c2")
    assert whole.references == ("Condition/x1", "Condition/x2", "Condition/x3")
    assert len(made.facts) == 4
    assert roles(made) == {}


def test_a_list_of_nothing_and_one_too_long_to_show() -> None:
    empty = list_card(Marks(), (), title="active conditions", kind="condition")
    assert (empty.text, len(empty.marks)) == ("active conditions: 0 [c1]", 1)
    many = list_card(Marks(), tuple((fact(n, "2012", f"Label {n}"),) for n in range(75)), title="all", kind="condition")
    assert many.lines[-1] == "and 15 more"
    assert len(many.facts) == 75
    assert in_text(many) == {m.id for m in many.marks}


FACTS = st.lists(
    st.tuples(st.none() | st.dates().map(str), st.sampled_from(["Asthma", "Gout"])), min_size=1, max_size=25
).map(lambda rows: tuple(fact(i, when, label) for i, (when, label) in enumerate(rows)))


@given(FACTS, st.sampled_from(["", "in 2019"]))
def test_marks_and_lines_agree_and_roles_are_earned(facts: tuple[Fact, ...], window: str) -> None:
    made = event_card(Marks(), facts, window=window)
    assert in_text(made) == {m.id for m in made.marks}
    shown = [m.fact.reference for m in made.marks if m.fact]
    assert len(set(shown)) == len(shown), "a fact has one mark"
    ordered = compute.in_order(facts)
    found = roles(made)
    assert (found["first"], found["latest"]) == (ordered[0].reference.id, ordered[-1].reference.id)
    assert found.get("previous") == (ordered[-2].reference.id if len(ordered) > 1 else None)
    counts = {m.computation.op: m.computation for m in made.marks if m.computation}
    if len(facts) > 1:
        assert counts["count"].result == len(facts)
    if "count_by_year" in counts:
        assert sum(n for _, n in counts["count_by_year"].result) == sum(f.when is not None for f in facts)


@given(st.lists(FACTS, max_size=4))
def test_lists_of_any_groups_agree_with_their_marks(groups: list[tuple[Fact, ...]]) -> None:
    apart = tuple(
        tuple(fact(100 * g + i, f.when.text if f.when else None, f.concept.label) for i, f in enumerate(group))
        for g, group in enumerate(groups)
    )
    made = list_card(Marks(), apart, title="all", kind="condition")
    assert in_text(made) == {m.id for m in made.marks}
    assert {f.reference for m in made.marks for f in m.facts} == {f.reference for g in apart for f in g}
