"""Which of the chart's concepts a mention means."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from agent.types import Target
from agent.understand import understand
from agent.understand.targets import distinct
from tests.agent.asking import allergy, condition, made_up, order, result

TARGETS = (
    ("m", "last A1c", "measurement", ("http://loinc.org|4548-4",)),
    ("m", "E11.9", "condition", ("http://hl7.org/fhir/sid/icd-10-cm|E11.9",)),
    ("m", "CVX 216", "immunization", ("http://hl7.org/fhir/sid/cvx|216",)),
    ("r", "flu shot", "immunization", ("http://hl7.org/fhir/sid/cvx|140", "http://hl7.org/fhir/sid/cvx|150")),
    ("l", "NSAID allergy", "allergy", None),
    ("r", "any statins", "medication", None),
)


@pytest.mark.parametrize(("who", "question", "kind", "keys"), TARGETS)
def test_a_mention_means_concepts_of_the_chart(
    who: str, question: str, kind: str, keys: tuple[str, ...] | None, charts: dict[str, Chart]
) -> None:
    (target,) = understand(question, charts[who]).targets
    assert target.kinds[:1] == (kind,)
    assert target.keys
    assert keys is None or set(target.keys) == set(keys)


def test_what_the_chart_does_not_have_keeps_its_meaning(charts: dict[str, Chart]) -> None:
    (target,) = understand("on warfarin?", charts["m"]).targets
    assert target.keys == ()
    assert ("drug", "warfarin") in target.lexicon


def test_the_words_beside_it_say_the_kind(tmp_path: Path) -> None:
    chart = made_up(tmp_path, allergy("Penicillin"), order("Penicillin V 250 MG Oral Tablet", "2024-01-01"))
    assert understand("allergic to penicillin?", chart).kinds == ("allergy",)
    assert understand("taking penicillin?", chart).kinds == ("medication",)


def test_a_relative_is_meant_only_when_that_is_said(charts: dict[str, Chart]) -> None:
    assert understand("does she have breast cancer", charts["m"]).kinds == ("condition",)
    assert understand("did her sister have breast cancer", charts["m"]).kinds == ("family",)


def test_several_measurements_that_fit_are_choices(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Widget antibody IgG", "2024-01-01", 1, code="99991-1"),
        result("Widget antibody IgM", "2024-01-01", 2, code="99992-2"),
    )
    (target,) = understand("last widget antibody", chart).targets
    assert target.choices == ("Widget antibody IgG", "Widget antibody IgM")


def test_a_risk_of_it_is_not_it(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("Family history of asthma", "2020-01-01"))
    (target,) = understand("does she have asthma?", chart).targets
    assert target.keys == ()


def test_targets_that_come_to_the_same_are_one() -> None:
    one = Target(words="a1c", label="A1c", kinds=("measurement",), keys=("k",))
    other = Target(words="hba1c", label="HbA1c", kinds=("measurement",), keys=("k",))
    assert distinct((one, other)) == (one,)
