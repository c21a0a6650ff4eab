"""Measurement cards: every mark stands beside its value, and every role is earned."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import compute, dates
from fhir_tools.cards import Marks, measurement_card
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.facts import facts_of
from fhir_tools.types import Card, Coding, Concept, Fact, Missing, Quantity, Reference

CONCEPT = Concept(label="Hemoglobin A1c", codings=(Coding(system="http://loinc.org", code="4548-4"),))


def fact(number: int, value: Any, when: str | None = None, **more: Any) -> Fact:
    value = Quantity(value=value, unit="%", code="%") if isinstance(value, int | float) else value
    told = dates.parse(when or f"2019-{number:02d}-01")
    base = {"kind": "measurement", "concept": CONCEPT, "path": "Observation.valueQuantity", "status": "final"}
    return Fact(
        **{**base, "reference": Reference(type="Observation", id=f"o{number}"), "value": value, "when": told, **more}
    )


def card(*facts: Fact, **more: Any) -> Card:
    return measurement_card(Marks(), facts, **more)


def roles(made: Card) -> dict[str, str]:
    return {role: m.fact.reference.id for m in made.marks if m.fact for role in m.roles}


def in_text(made: Card) -> set[str]:
    return set(re.findall(r"\[([cs]?\d+)\]", made.text))


def test_the_shape() -> None:
    made = card(
        fact(1, 6.1, "2017-05-02"), fact(2, 8.2, "2018-04-11"), fact(3, 7.1, "2018-09-01"), fact(4, 6.9, "2019-03-02")
    )
    assert made.text.split("\n ") == [
        "Hemoglobin A1c (LOINC 4548-4), 4 results 2017-05-02 to 2019-03-02",
        "latest [1] 2019-03-02 6.9 % | previous [2] 2018-09-01 7.1 % | first [3] 2017-05-02 6.1 % | "
        "highest [4] 2018-04-11 8.2 % | lowest [3]",
        "count 4 [c1] | mean 7.075 % [c2] | first to latest +0.8 % [c3] | by year 2017: 1  2018: 2  2019: 1 [c4]",
    ]


def test_one_result_has_every_role_but_previous() -> None:
    assert roles(card(fact(1, 6.1))) == dict.fromkeys(("latest", "first", "highest", "lowest"), "o1")
    assert roles(card(fact(1, Concept(label="positive")))) == dict.fromkeys(("latest", "first"), "o1")


def test_two_results() -> None:
    found = roles(card(fact(1, 6.1), fact(2, 5)))
    assert found == {"latest": "o2", "previous": "o1", "first": "o1", "highest": "o1", "lowest": "o2"}


def test_of_equal_extremes_the_latest_is_told() -> None:
    found = roles(card(fact(1, 5), fact(2, 9), fact(3, 9), fact(4, 5), fact(5, 7)))
    assert (found["highest"], found["lowest"]) == ("o3", "o4")


def test_extremes_are_found_across_units() -> None:
    def haemoglobin(number: int, value: float, unit: str) -> Fact:
        return fact(number, Quantity(value=value, unit=unit, code=unit))

    made = card(haemoglobin(1, 150, "g/L"), haemoglobin(2, 14, "g/dL"), haemoglobin(3, 12, "g/dL"))
    assert (roles(made)["highest"], roles(made)["lowest"]) == ("o1", "o3")
    assert "mean 13.67 g/dL" in made.text
    assert "first to latest -3 g/dL" in made.text


def test_molar_mass_lets_units_meet() -> None:
    facts = (
        fact(1, Quantity(value=180.156, unit="mg/dL", code="mg/dL")),
        fact(2, Quantity(value=8, unit="mmol/L", code="mmol/L")),
    )
    assert "mean 9 mmol/L" in card(*facts, molar_mass=180.156).text
    assert "mean" not in card(*facts).text


def below(number: int) -> Fact:
    return fact(number, Quantity(value=3, unit="%", code="%", comparator="<"))


def test_a_result_with_a_comparator_is_counted_and_takes_no_part_in_the_mean() -> None:
    made = card(fact(1, 5), below(2), fact(3, 7))
    assert "<3 %" in made.text
    assert "count 3 [c1] | mean 6 % of 2 [c2] | first to latest +2 % [c3]" in made.text


@pytest.mark.parametrize("facts", [(below(1), fact(2, 5), fact(3, 7)), (fact(1, 5), fact(2, 7), below(3))])
def test_no_change_is_told_from_or_to_a_result_that_has_no_exact_number(facts: tuple[Fact, ...]) -> None:
    assert "first to latest" not in card(*facts).text


def test_a_missing_value_is_told_apart_and_not_counted_as_a_result() -> None:
    made = card(fact(1, 5), fact(2, Missing(reason="not performed")), fact(3, None))
    assert "1 result " in made.title
    assert made.lines[-1] == "without a value: [2] 2019-02-01 no value (not performed) | [3] 2019-03-01"
    assert roles(made)["latest"] == "o1"
    assert len(made.facts) == 3
    only = card(fact(2, Missing(reason="not performed")))
    assert "count 0 [c1]" in only.text
    assert in_text(only) == {m.id for m in only.marks} == {"1", "c1"}


def test_status_and_interpretation_are_told() -> None:
    made = card(fact(1, 5, status="amended"), fact(2, 9, status="preliminary", details={"interpretation": "High"}))
    assert "2019-02-01 9 % High (preliminary)" in made.text
    assert "(amended)" not in made.text


@pytest.mark.parametrize("order", [("8480-6", "8462-4"), ("8462-4", "8480-6"), ("8478-0", "8462-4", "8480-6")])
def test_a_blood_pressure_stands_by_its_systolic_part(order: tuple[str, ...]) -> None:
    numbers = {"8480-6": 120, "8462-4": 80, "8478-0": 93}

    def panel(number: int, plus: int) -> Fact:
        parts = [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {"value": numbers[code] + plus, "unit": "mm[Hg]"},
            }
            for code in order
        ]
        resource = {"resourceType": "Observation", "id": f"o{number}", "effectiveDateTime": f"2019-0{number}"}
        return facts_of({**resource, "code": {"text": "BP"}, "component": parts})[0]

    facts = (panel(1, 10), panel(2, 30), panel(3, 0))
    value = numbers_of(facts[0]).value
    assert isinstance(value, Quantity)
    assert value.value == 130
    made = card(*facts)
    assert (roles(made)["highest"], roles(made)["lowest"]) == ("o2", "o3")
    assert "150/110 mm[Hg]" in made.text
    assert in_text(made) == {m.id for m in made.marks}


def test_two_parts_of_one_resource_keep_their_roles_apart() -> None:
    low, high = (fact(1, v, path=f"Observation.component[{i}].valueQuantity") for i, v in enumerate((3, 9)))
    paths = {r: m.fact.path for m in card(low, high).marks if m.fact for r in m.roles}
    assert (paths["lowest"], paths["highest"]) == (low.path, high.path)


def test_counts_by_year_go_with_the_whole_chart_only() -> None:
    facts = (fact(1, 5, "2018-01-01"), fact(2, 6, "2019-01-01"))
    assert "by year 2018: 1  2019: 1" in card(*facts).text
    assert "by year" not in card(*facts, window="since 2018").text
    assert "since 2018, 2 results" in card(*facts, window="since 2018").title
    assert "by year" not in card(facts[0]).text


def bounded(number: int, value: float, comparator: str, unit: str = "%") -> Fact:
    return fact(number, Quantity(value=value, unit=unit, code=unit, comparator=comparator or None))


@pytest.mark.parametrize(
    ("values", "highest", "lowest"),
    [
        (((180, ""), (200, ">"), (90, "")), "o2", "o3"),
        (((180, ""), (150, ">"), (90, "")), None, "o3"),
        (((180, ""), (5, "<"), (90, "")), "o1", "o2"),
        (((180, ""), (95, "<"), (90, "")), "o1", None),
        (((180, ""), (200, "<"), (90, "")), None, None),
        (((200, ">"), (200, ">")), "o2", "o2"),
        (((5, "<"), (5, "<")), "o2", "o2"),
    ],
)
def test_a_bound_is_an_extreme_only_where_that_is_certain(
    values: tuple[tuple[float, str], ...], highest: str | None, lowest: str | None
) -> None:
    made = card(*(bounded(n, v, sign) for n, (v, sign) in enumerate(values, 1)))
    assert (roles(made).get("highest"), roles(made).get("lowest")) == (highest, lowest)
    assert ("not known" in made.text) == (highest is None or lowest is None)


def test_extremes_over_units_that_do_not_meet_are_not_told() -> None:
    made = card(fact(1, 5), bounded(2, 9, "", "mm"), fact(3, 7))
    assert not {"highest", "lowest"} & set(roles(made))
    assert "not known" in made.text
    assert "not known" not in card(fact(1, 5), fact(2, "text")).text


def test_each_result_of_a_short_window() -> None:
    made = card(*(fact(n, n) for n in range(1, 6)), window="in 2019", each=12)
    assert made.lines[-1] == "each: [3] | [4] 2019-02-01 2 % | [5] 2019-03-01 3 % | [2] | [1]"
    assert in_text(made) == {m.id for m in made.marks}


def test_marks_are_shared_between_cards_of_one_answer() -> None:
    marks, facts = Marks(), (fact(1, 5), fact(2, 6))
    whole, window = measurement_card(marks, facts), measurement_card(marks, facts[1:], window="in 2019")
    latest = {next(m.id for m in c.marks if "latest" in m.roles) for c in (whole, window)}
    assert latest == {"1"}


VALUES = st.one_of(
    st.floats(min_value=-100, max_value=100).map(lambda x: Quantity(value=round(x, 3), unit="%", code="%")),
    st.integers(0, 9).map(lambda x: Quantity(value=x, unit="g/L", code="g/L")),
    st.integers(0, 9).map(lambda x: Quantity(value=x, unit="%", code="%", comparator="<")),
    st.sampled_from([None, Missing(reason="lost"), Concept(label="positive"), "text", True]),
)
FACTS = st.lists(st.tuples(VALUES, st.dates().map(str)), min_size=1, max_size=15).map(
    lambda rows: tuple(fact(i, value, when) for i, (value, when) in enumerate(rows, 1))
)


@given(FACTS, st.booleans(), st.sampled_from(["", "in 2019"]))
def test_marks_and_lines_agree_and_roles_are_earned(facts: tuple[Fact, ...], each: bool, window: str) -> None:
    made = card(*facts, each=each, window=window)
    assert in_text(made) == {m.id for m in made.marks}
    assert len({m.id for m in made.marks}) == len(made.marks)
    told = [m.fact for m in made.marks if m.fact]
    assert len({f.reference for f in told}) == len(told), "a fact has one mark"
    for mark in made.marks:
        if mark.computation:
            assert compute.run(mark.computation) == mark.computation.result
    by_role = {role: m.fact for m in made.marks for role in m.roles}
    valued = [f for f in made.facts if f.value is not None and not isinstance(f.value, Missing)]
    if valued:
        assert (by_role["latest"], by_role["first"]) == (valued[-1], valued[0])
        assert by_role.get("previous") == (valued[-2] if len(valued) > 1 else None)
    numbers = {f.reference: n for f, n in compute.series(tuple(valued)).points}
    for role, best in (("highest", max), ("lowest", min)):
        if role in by_role and by_role[role].reference in numbers:
            assert numbers[by_role[role].reference] == best(numbers.values())


def gemma_tokens(text: str) -> int:
    """An upper estimate: each digit and sign is a token of its own, a word one for every five letters begun."""
    return sum(1 + (len(piece) - 1) // 5 if piece.isalpha() else 1 for piece in re.findall(r"[^\W\d_]+|\S", text))


def test_a_card_of_many_years_stays_small() -> None:
    facts = [fact(n, 5 + n % 7 / 10, f"{1990 + n // 12}-{n % 12 + 1:02d}-03") for n in range(360)]
    made = card(*facts)
    assert gemma_tokens(made.text) < 350
    assert len(made.facts) == 360


def test_a_card_of_ten_thousand_results_is_no_worse_than_linear() -> None:
    def seconds(size: int) -> float:
        facts = tuple(fact(n, 5 + n % 7, "2019-01-01") if n % 3 else fact(n, None, "2019-01-01") for n in range(size))
        start = time.process_time()
        card(*facts)
        return time.process_time() - start

    assert seconds(10_000) < 60 * max(seconds(1_000), 0.01)
