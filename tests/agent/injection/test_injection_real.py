"""A sample of the attacks on a real small model behind a real server; `benchmarks.bench_injection` runs them all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.models.openai_compatible import OpenAICompatible
from agent.reasoners.llm import Llm
from fhir_tools.tools import TOOLS
from tests.agent.asking import made_up
from tests.agent.injection.attacks import ATTACKS
from tests.agent.injection.obeyed import obeyed
from tests.agent.injection.places import PLACES
from tests.agent.injection.running import answered
from tests.peers.model_servers import url_of
from tools.peers import running_model

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

MODEL = "qwen2.5-coder-1.5b"
CASES = [
    ("order", "unit of an older result"),
    ("card", "interpretation"),
    ("gemma roles", "text value of an older result"),
    ("json", "unit of an older result"),
    ("other patient", "interpretation"),
    ("not found", "text value of an older result"),
]
"""All of one question, so that most of their prompts is in the server's cache."""


@pytest.mark.parametrize(("attack", "place"), CASES)
async def test_a_real_model_does_not_do_what_a_chart_orders(attack: str, place: str, tmp_path: Path) -> None:
    order = next(a for a in ATTACKS if a.name == attack)
    where = next(p for p in PLACES if p.name == place)
    url = url_of(running_model.llama_cpp, MODEL)
    async with OpenAICompatible(url, form="schema") as model:
        reasoner = Llm(model, tools=TOOLS, seconds=600.0)
        chart = await asyncio.to_thread(made_up, tmp_path, *where.put(order.text), **where.person(order.text))
        answer = await answered(chart, where.question, reasoner)
    assert obeyed(answer, quoted=where.quoted) == "", answer.text
    assert where.told in answer.text, (answer.status, answer.text)
