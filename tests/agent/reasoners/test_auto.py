"""Auto: rules where they are sure, the model where they refuse or where verify took what they said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.chart import Chart
from agent.models.base import Request
from agent.models.scripted import Scripted
from agent.prompt import framed
from agent.reasoners.auto import Auto
from agent.reasoners.llm import Llm
from agent.reasoners.rules import Rules
from agent.types import Ask, Claim, Draft, Evidence, Turn
from tests.agent.asking import ask
from tests.agent.injection.running import through

REFUSED = {"claims": [], "needs": [], "status": "refused"}


@pytest.mark.parametrize(
    ("question", "status"), [("last A1c?", "answered"), ("does she have lupus?", "not_found"), ("her age?", "answered")]
)
def test_rules_answer_what_they_are_sure_of(question: str, status: str, charts: dict[str, Chart]) -> None:
    model = Scripted([])
    done = ask(charts["m"], question)
    draft = asyncio.run(Auto(Rules(), Llm(model)).reason(done.ask, done.evidence))
    assert (draft.status, draft.by, model.requests) == (status, "rules", [])


@pytest.mark.parametrize("question", ["how is her frobnication?", "hello"])
def test_the_model_is_asked_what_rules_refuse(question: str, charts: dict[str, Chart]) -> None:
    model = Scripted([REFUSED])
    done = ask(charts["m"], question)
    draft = asyncio.run(
        Auto(Rules(), Llm(model, rewords=False)).reason(done.ask, framed(done.evidence, charts["m"], done.ask))
    )
    assert (draft.status, draft.by, len(model.requests)) == ("refused", "scripted", 1)


def test_the_whole_way(charts: dict[str, Chart]) -> None:
    def model(request: Request) -> Any:
        if "Hemoglobin A1c (LOINC" not in request.messages[1].text:
            return {**REFUSED, "needs": [{"tool": "find", "arguments": {"what": "hemoglobin a1c"}}]}
        claim = {"text": "Hemoglobin A1c was 7.2 % on 2026-04-06.", "marks": ["1"]}
        return {"claims": [claim], "needs": [], "status": "answered"}

    from fhir_tools.tools import TOOLS

    auto = Auto(Rules(), Llm(Scripted(model, check=False), tools=TOOLS, rewords=False))
    assert "7.2 %" in through(charts["m"], "how is her frobnication?", auto).text
    assert "7.2 %" in through(charts["m"], "last A1c?", auto).text
    assert auto.name == "rules or scripted"


class Wrong:
    """Rules that say what nothing holds."""

    name = "rules"

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        return Draft(claims=(Claim(text="Hemoglobin A1c was 1.0 % on 2026-04-06.", marks=("1",)),))


def test_the_model_is_asked_where_verify_took_what_rules_said(charts: dict[str, Chart]) -> None:
    claim = {"text": "Hemoglobin A1c was 7.2 % on 2026-04-06.", "marks": ["1"]}
    model = Scripted([{"claims": [claim], "needs": [], "status": "answered"}])
    told = through(charts["m"], "last A1c?", Auto(Wrong(), Llm(model)))
    assert told.text == "Hemoglobin A1c was 7.2 % on 2026-04-06 [1]."
    assert "Not accepted" not in model.requests[0].messages[-1].text
