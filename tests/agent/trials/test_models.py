"""What a model adds: checks that rules verify, and verdicts whose citations are verified. The model is scripted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.chart import Chart
from agent.errors import ModelError
from agent.models.base import Request
from agent.models.scripted import Scripted
from agent.trials.checks import Measurement, Record, checker
from agent.trials.proposing import improved, is_borne, needs_model, schema
from agent.trials.reader import ModelReader, label_schema
from agent.trials.screening import screen
from agent.trials.types import Verdict
from tests.agent.asking import made_up
from tests.agent.trials.protocols import condition, criterion

SEVERE = "Moderately severe asthma for which salbutamol was needed within 6 months"


def _proposal(*parts: dict[str, Any], join: str = "all", negated: bool = False) -> dict[str, Any]:
    return {"thought": "…", "join": join, "negated": negated, "parts": list(parts)}


def _record(kind: str, name: str, within: str = "") -> dict[str, Any]:
    return {"type": "record", "kind": kind, "of": [name], "state": "", "within": within}


async def test_a_proposal_that_says_what_the_statement_does_is_taken() -> None:
    model = Scripted([_proposal(_record("condition", "asthma"), _record("medication", "salbutamol", "6 months"))])
    (made,) = await improved([criterion(SEVERE)], model)
    assert made.by == "scripted" and [leaf.kind for leaf in made.check.of] == ["condition", "medication"]
    assert "<statement>" in model.requests[0].messages[1].text


@pytest.mark.parametrize(
    "proposal",
    [
        _proposal(_record("condition", "asthma"), _record("medication", "salbutamol", "3 months")),
        _proposal(_record("condition", "asthma")),
        _proposal(_record("condition", "pneumonia", "6 months")),
        _proposal({"type": "reader", "why": SEVERE[:60]}),
    ],
)
async def test_a_proposal_that_says_something_else_is_not(proposal: dict[str, Any]) -> None:
    before = criterion(SEVERE)
    (kept,) = await improved([before], Scripted([proposal]))
    assert kept == before


async def test_what_rules_understand_is_not_asked() -> None:
    model = Scripted([])
    sure = [criterion("Documented hypertension"), criterion("Willing to give consent")]
    assert list(await improved(sure, model)) == sure and not model.requests
    assert needs_model(criterion(SEVERE)) and needs_model(criterion("Zorblax disease"))


def test_numbers_and_names_must_stand_in_the_statement() -> None:
    statement = criterion("HbA1c above 7.5 % in the last 3 months").statement
    fine = {"type": "measurement", "of": "hemoglobin a1c", "limits": ["> 7.5 %"], "period": {"within": "3 months"}}
    assert is_borne(checker.validate_python(fine), statement)
    assert not is_borne(checker.validate_python({**fine, "limits": ["> 7 %"]}), statement)
    assert not is_borne(checker.validate_python({**fine, "of": "glucose"}), statement)


def test_the_schemas_are_bounded() -> None:
    def bounded(node: Any) -> bool:
        if isinstance(node, dict):
            if node.get("type") == "string" and not ({"enum", "maxLength"} & node.keys()):
                return False
            if node.get("type") == "array" and "maxItems" not in node:
                return False
            return all(map(bounded, node.values()))
        return all(map(bounded, node)) if isinstance(node, list) else True

    for one in (schema(), label_schema(["1", "2"]), label_schema([])):
        Draft202012Validator.check_schema(one)
        assert bounded(one)


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    return made_up(tmp_path, condition("1", "Asthma", "2012-01-02"), condition("2", "Hypertension", "2010-01-01"))


def _read(chart: Chart, outputs: Any, text: str = "Severe asthma") -> tuple[Verdict, Scripted]:
    model = Scripted(outputs)
    found = asyncio.run(screen("T", [criterion(text, "exclusion")], chart, ModelReader(model)))
    return found.verdicts[0], model


def _label(request: Request, because: str, verdict: str) -> dict[str, Any]:
    assert request.schema is not None
    marks = request.schema["properties"]["marks"]["items"].get("enum", [])
    return {"because": because, "marks": marks[:1], "verdict": verdict}


def test_the_model_reasons_first_and_labels_from_its_reasoning(chart: Chart) -> None:
    def said(request: Request) -> dict[str, Any]:
        if "reasoning" in (request.schema or {})["properties"]:
            return {"reasoning": "Asthma is active since 2012 [1]."}
        assert request.messages[-2].role == "assistant" and "active since 2012" in request.messages[-2].text
        return _label(request, "Asthma is active since 2012-01-02.", "met")

    verdict, model = _read(chart, said)
    assert (verdict.verdict, verdict.by, verdict.missing) == ("met", "scripted", "")
    assert [c.reference for c in verdict.citations] == ["Condition/1"] and len(model.requests) == 2


@pytest.mark.parametrize("because", ["Asthma is severe with an FEV1 of 35 %.", "Asthma is active since 2019-05-05."])
def test_what_no_record_bears_stays_unknown(chart: Chart, because: str) -> None:
    def said(request: Request) -> dict[str, Any]:
        if "reasoning" in (request.schema or {})["properties"]:
            return {"reasoning": "…"}
        return _label(request, because, "met")

    verdict, _ = _read(chart, said)
    assert (verdict.verdict, verdict.by) == ("unknown", "rules")


def test_a_models_fault_is_told_and_does_not_end_the_run(chart: Chart) -> None:
    verdict, _ = _read(chart, [ModelError("the model server is down")])
    assert verdict.verdict == "unknown" and "the model server is down" in verdict.reason


def test_a_model_is_not_asked_for_what_rules_settle_or_no_chart_holds(chart: Chart) -> None:
    for text in ("Documented hypertension", "Willing to consent", "History of stroke"):
        verdict, model = _read(chart, [], text)
        assert verdict.by == "rules" and not model.requests


def test_what_a_reader_said_is_not_asked_again_while_the_chart_says_the_same(chart: Chart) -> None:
    def said(request: Request) -> dict[str, Any]:
        if "reasoning" in (request.schema or {})["properties"]:
            return {"reasoning": "…"}
        return _label(request, "Asthma is active since 2012-01-02.", "met")

    criteria = [criterion("Severe asthma", "exclusion")]
    first = asyncio.run(screen("T", criteria, chart, ModelReader(Scripted(said))))
    silent = Scripted([])
    again = asyncio.run(screen("T", criteria, chart, ModelReader(silent), first))
    assert again.verdicts == first.verdicts and not silent.requests


def test_proposals_are_typed() -> None:
    assert isinstance(checker.validate_python({"type": "record", "kind": "device", "of": "pacemaker"}), Record)
    assert isinstance(checker.validate_python({"type": "measurement", "of": "x", "finding": "positive"}), Measurement)
