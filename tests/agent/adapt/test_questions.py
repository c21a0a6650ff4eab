"""Questions are of the chart's own concepts, the same for a seed, one kind after the other."""

from __future__ import annotations

from itertools import islice

from agent.adapt.questions import KINDS, posed
from agent.chart import Chart
from agent.understand import understand


def test_a_seed_gives_the_same_questions(charts: dict[str, Chart]) -> None:
    once, again, other = (list(islice(posed(charts["m"], seed), 60)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_every_kind_comes_before_one_comes_twice(charts: dict[str, Chart]) -> None:
    first = [question.kind for question in islice(posed(charts["m"], 0), len(KINDS))]
    assert sorted(first) == sorted(KINDS)


def test_kinds_leave_out_all_others(charts: dict[str, Chart]) -> None:
    assert {question.kind for question in posed(charts["r"], 0, ("mean", "absent"))} == {"mean", "absent"}


def test_what_is_to_be_looked_up_is_mostly_not_understood(charts: dict[str, Chart]) -> None:
    asked = list(posed(charts["r"], 0, ("needs",)))
    lost = [q for q in asked if understand(q.question, charts["r"]).unknown]
    assert len(asked) > 10
    assert len(lost) > len(asked) / 2
    assert all(not understand(q.means, charts["r"]).unknown for q in asked)


def test_an_absent_concept_is_under_no_label_of_the_chart(charts: dict[str, Chart]) -> None:
    labels = " ".join(label.lower() for e in charts["l"].catalogue.entries for label in e.labels)
    asked = [q.question for q in posed(charts["l"], 3, ("absent",))]
    assert len(asked) > 40
    assert not any("hemoglobin a1c" in q.lower() for q in asked if "hemoglobin a1c" in labels)
