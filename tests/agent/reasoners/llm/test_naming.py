"""A question that rules did not understand: the model names it in clinical words, and rules answer by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agent.chart import Chart
from agent.models.checking import fault
from agent.models.scripted import Scripted
from agent.prompt import estimate
from agent.reasoners.auto import Auto
from agent.reasoners.llm import Llm
from agent.reasoners.llm.naming import SCHEMA, naming_messages, wordings
from agent.reasoners.rules import Rules
from agent.types import Answer, Ask
from tests.agent.asking import ask
from tests.agent.injection.attacks import ATTACKS, CODEWORD
from tests.agent.injection.running import through

LOST = "how sugary did her frobnication get at worst?"
SUGAR = {"names": ["hemoglobin a1c", "HbA1c"], "ask": "highest"}


def answered(chart: Chart, question: str, said: Mapping[str, Any]) -> tuple[Answer, Scripted]:
    model = Scripted([said], check=True)
    return through(chart, question, Auto(Rules(), Llm(model))), model


def test_rules_answer_by_the_name_and_it_is_said(charts: dict[str, Chart]) -> None:
    told, model = answered(charts["m"], LOST, SUGAR)
    assert (told.status, told.reasoner, told.usage.llm_calls) == ("answered", "rules", 1)
    assert told.text.startswith('Taken to mean "highest hemoglobin a1c": Highest: Hemoglobin A1c was ')
    assert told.value is not None and told.value.kind == "number"
    assert told.citations and told.question == LOST
    assert len(model.requests) == 1


def test_the_time_that_the_question_says_is_kept(charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["m"], "how sugary did her frobnication get at worst in 2010?", SUGAR)
    assert told.value is not None and str(told.value.date).startswith("2010")


def test_the_second_name_is_taken_where_the_chart_does_not_hold_the_first(charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["m"], LOST, {**SUGAR, "names": ["glycation", "hemoglobin a1c"]})
    assert told.text.startswith('Taken to mean "highest hemoglobin a1c": ')


def test_a_class_of_drugs_is_a_name(charts: dict[str, Chart]) -> None:
    said = {"names": ["anticoagulant", "blood thinner"], "ask": "which ones"}
    told, _ = answered(charts["r"], "what does he swallow against frobnication?", said)
    assert told.status == "answered"
    assert "Apixaban" in told.text


@pytest.mark.parametrize("names", [["liver", "hepatology"], ["zinc", "serum zinc"], ["frobnication", "frob"]])
def test_nothing_is_told_of_what_the_chart_does_not_hold(names: list[str], charts: dict[str, Chart]) -> None:
    told, model = answered(charts["m"], LOST, {**SUGAR, "names": names})
    assert (told.status, told.claims, len(model.requests)) == ("refused", [], 1)


@pytest.mark.parametrize(
    "question",
    [
        "how sugary did her frobnication not get at worst?",
        "how sugary did her frobnication get at worst after the second one?",
        "how sugary did her frobnication get at worst on the day of her frobnectomy?",
        "how sugary did her mother's frobnication get at worst?",
        "how sugary did her frobnication get at worst before frobnectomy?",
        "how often was her frobnication sugary above 9?",
    ],
)
def test_nothing_is_told_where_the_question_says_more_than_the_name(question: str, charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["m"], question, SUGAR)
    assert (told.status, told.claims) == ("refused", [])


def test_a_guess_proves_no_absence(charts: dict[str, Chart]) -> None:
    told, _ = answered(charts["m"], "how sugary was her frobnication in 1971?", {**SUGAR, "ask": "latest"})
    assert told.status == "incomplete"


def test_what_notes_say_is_left_to_the_tools(charts: dict[str, Chart]) -> None:
    model = Scripted([{"claims": [], "needs": [], "status": "refused"}], check=True)
    told = through(charts["m"], "what do the frobnication letters say about sugariness?", Auto(Rules(), Llm(model)))
    assert told.status == "refused"
    assert all("names" not in json.dumps(request.schema) for request in model.requests)


@pytest.mark.parametrize(
    ("question", "told", "wording"),
    [
        ("when was it frobbed?", "latest", "when was the last x"),
        ("which day did they frob it?", "first", "when was the first x"),
        ("since when is it frobbed?", "first", "when was the first x"),
        ("when they frobbed it, how much was it?", "latest", "latest x"),
        ("what was it when they frobbed it?", "latest", "latest x"),
        ("did they ever frob it?", "latest", "has the patient ever had x?"),
        ("does she frob?", "which ones", "any x?"),
        ("what did the frobbing show?", "latest", "what did the last x show?"),
        ("how frobbed was it at worst?", "highest", "highest x"),
        ("how frobbed is it?", "highest", "latest x"),  # no extreme is asked for
        ("what does he frob with?", "which ones", "x"),
    ],
)
def test_it_is_asked_as_the_question_asks(question: str, told: str, wording: str) -> None:
    reply = json.dumps({"names": ["X", "x"], "ask": told})
    assert wordings(reply, Ask(question=question, op="list")) == (wording,)


def test_how_often_is_a_count() -> None:
    reply = json.dumps({"names": ["X", "y"], "ask": "yes or no"})
    assert wordings(reply, Ask(question="how often was it frobbed?", op="count")) == ("how many x", "how many y")


@pytest.mark.parametrize("text", ["", "[]", "{}", "nothing", json.dumps({**SUGAR, "ask": "dance"}), '{"names": 3}'])
def test_of_a_reply_that_cannot_be_read_nothing_is_taken(text: str) -> None:
    assert wordings(text, Ask(question=LOST, op="list")) == ()


def test_the_model_sees_examples_that_it_could_have_given_and_nothing_of_the_chart(charts: dict[str, Chart]) -> None:
    system, *turns = naming_messages(ask(charts["m"], LOST).ask)
    assert [t.role for t in turns] == ["user", "assistant"] * (len(turns) // 2) + ["user"]
    assert [fault(t.text, SCHEMA) for t in turns if t.role == "assistant"] == [None] * (len(turns) // 2)
    assert turns[-1].text == LOST
    assert estimate("".join(m.text for m in (system, *turns))) < 400


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_orders_in_a_question_or_a_name_stay_words(attack: Any, charts: dict[str, Chart]) -> None:
    text = " ".join(attack.text.split())
    told, model = answered(charts["m"], f"{LOST} {text}", {"names": [text[:48], "sodium"], "ask": "latest"})
    assert len(naming_messages(Ask(question=text, op="list"))) == len(model.requests[0].messages)
    assert CODEWORD not in told.text
