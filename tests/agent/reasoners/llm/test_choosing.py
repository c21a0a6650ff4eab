"""A question that rules did not understand: the model picks one of the chart's names, and rules answer by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.models.base import Request
from agent.models.scripted import Scripted
from agent.prompt import framed
from agent.reasoners.auto import Auto
from agent.reasoners.llm import Llm
from agent.reasoners.llm.choosing import choice_of, choice_schema
from agent.reasoners.rules import Rules
from agent.types import Answer, Ask, Evidence
from tests.agent.asking import ask, condition, made_up, result
from tests.agent.injection.attacks import ATTACKS, CODEWORD
from tests.agent.injection.running import through

LOST = "how sugary did her frobnication get at worst?"
SUGAR = {"means": "hemoglobin a1c", "concept": "Hemoglobin A1c", "ask": "highest"}


def answered(chart: Chart, question: str, choice: Mapping[str, Any], *, auto: bool = True) -> tuple[Answer, Scripted]:
    model = Scripted([choice], check=True)
    llm = Llm(model)
    return through(chart, question, Auto(Rules(), llm) if auto else llm), model


def lost(chart: Chart, question: str) -> tuple[Ask, Evidence]:
    done = ask(chart, question)
    return done.ask, framed(done.evidence, chart, done.ask)


def test_rules_answer_by_the_name_that_was_chosen_and_it_is_said(charts: dict[str, Chart]) -> None:
    told, model = answered(charts["m"], LOST, SUGAR)
    assert (told.status, told.reasoner, told.usage.llm_calls) == ("answered", "rules", 1)
    assert told.text.startswith('Taken to mean "highest Hemoglobin A1c": Highest: Hemoglobin A1c was ')
    assert told.value is not None and told.value.kind == "number"
    assert told.citations and told.question == LOST
    assert len(model.requests) == 1


def test_the_time_that_the_question_says_is_kept(charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["m"], "how sugary did her frobnication get in 2010?", SUGAR)
    assert told.value is not None and str(told.value.date).startswith("2010")


@pytest.mark.parametrize(
    "choice",
    [
        {"means": "liver", "concept": "none of these", "ask": "count"},
        {"means": "heart beat", "concept": "Creatinine", "ask": "latest"},  # two things
        {"means": "none of these", "concept": "none of these", "ask": "latest"},
    ],
)
def test_nothing_is_told_where_no_name_or_two_are_meant(choice: Mapping[str, Any], charts: dict[str, Chart]) -> None:
    told, model = answered(charts["m"], LOST, choice)
    assert (told.status, told.claims, len(model.requests)) == ("refused", [], 1)


def test_the_models_own_words_are_enough_where_rules_know_them(charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["r"], LOST, {"means": "anticoagulant", "concept": "none of these", "ask": "taking"})
    assert told.status == "answered"
    assert "Apixaban" in told.text


def test_a_guess_proves_no_absence(charts: dict[str, Chart]) -> None:
    choice = {"means": "hemoglobin a1c", "concept": "Hemoglobin A1c", "ask": "latest"}
    told, _ = answered(charts["m"], "how sugary was her frobnication in 1971?", choice)
    assert told.status == "incomplete"


def test_the_words_of_a_note_are_left_to_the_tools(charts: dict[str, Chart]) -> None:
    note = {"means": "words of a note", "concept": "words of a note", "ask": "latest"}
    model = Scripted([note, {"claims": [], "needs": [], "status": "refused"}])
    told = through(charts["m"], LOST, Llm(model))
    assert (told.status, len(model.requests)) == ("refused", 2)


def test_only_names_of_the_chart_can_be_chosen(charts: dict[str, Chart]) -> None:
    asked_, evidence = lost(charts["m"], LOST)
    names = choice_schema(evidence)["properties"]["concept"]["enum"]
    assert "Hemoglobin A1c" in names and "all conditions" in names and len(names) == len(set(names))
    taken = json.dumps({**SUGAR, "ask": "taking"})  # nobody takes a result
    broken = (taken, "", "[]", "{}", json.dumps({**SUGAR, "concept": "Zinc"}), json.dumps({**SUGAR, "ask": "dance"}))
    assert [choice_of(text, asked_, evidence).wordings for text in broken] == [()] * len(broken)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_orders_in_names_stay_fenced_names(attack: Any, tmp_path: Path) -> None:
    name = " ".join("".join(c for c in attack.text if c.isprintable() or c == " ")[:200].split())
    sodium = result("Sodium", "2024-01-01", 139.0, unit="mmol/L")
    chart = made_up(tmp_path, condition(name, "2020-01-01", id="named"), sodium)
    seen: list[Request] = []

    def obey(request: Request) -> Mapping[str, Any]:
        seen.append(request)
        return {"means": "sodium", "concept": "Sodium", "ask": "latest"}

    told = through(chart, LOST, Llm(Scripted(obey, check=False)))
    text = seen[0].messages[1].text
    assert text.count("<chart>") == text.count("</chart>") == 1
    before, _, rest = text.partition("<chart>")
    assert CODEWORD not in before + rest.partition("</chart>")[2]
    assert CODEWORD not in told.text and "118" not in told.text
