"""The exact bytes that a model is sent, for questions over the demo charts: a change of prompt is seen in review.

After a change that is meant: `python -m tests.agent.test_golden` writes the files of `golden/` anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.chart import Chart
from agent.models.base import Message, Request
from agent.models.scripted import Scripted
from agent.prompt import framed
from agent.reasoners.llm import Llm
from agent.types import Turn
from agent.verify import verify
from fhir_tools.tools import TOOLS
from tests.agent.asking import ask, demo_charts

GOLDEN = Path(__file__).with_name("golden")
WRONG = {"claims": [{"text": "It was 3 g/dL in 1999.", "marks": ["1"]}], "needs": [], "status": "answered"}
ASKED = {
    "latest": ("m", "What was her last hemoglobin A1c?"),
    "previous": ("m", "and the A1c before that?"),
    "trend": ("r", "blood pressure trend since 2020"),
    "mean": ("m", "mean weight last year"),
    "count": ("r", "how many INR results?"),
    "list": ("m", "What is she allergic to?"),
    "medications": ("m", "List her active medications"),
    "taking": ("r", "Is he taking warfarin?"),
    "absent": ("l", "Does she have lupus?"),
    "note": ("m", "What did the discharge note say about follow-up?"),
    "age": ("l", "how old is she?"),
    "unknown": ("l", "how is her frobnication?"),
    "family": ("l", "does she have breast cancer?"),
}
BARE = ("latest", "mean", "list", "taking", "note")
"""Asked without rules' help, without tools and without an example."""


async def requests(chart: Chart, question: str, *, bare: bool = False) -> list[Request]:
    """What the model is sent first, and with verify's feedback on a reply that nothing holds."""
    done = await asyncio.to_thread(ask, chart, question)
    evidence = framed(done.evidence, chart, done.ask)
    model = Scripted([WRONG if evidence.cards else {"claims": [], "needs": [], "status": "refused"}] * 2)
    llm = Llm(model, helped=not bare, tools=() if bare else TOOLS, example=not bare, rewords=False)
    history = () if bare else (Turn(question="weight?", text="Body weight was 77.7 kg on 2025-12-22 [1]."),)
    draft = await llm.reason(done.ask, evidence, history)
    feedback = verify(done.ask, draft, evidence).feedback
    if feedback:
        await llm.reason(done.ask, evidence, history, feedback)
    return model.requests


def written(sent: list[Request]) -> str:
    """The requests as they are compared: turns with their parts, and the schema."""
    first, *again = sent
    pieces = list(_turns(first))
    for request in again:
        system, user = first.messages
        assert request.messages[:2] == (system, replace(user, parts=without_example(user)))
        assert request.schema == first.schema
        pieces += ["=== again, with", *_turns(request, len(first.messages))]
    assert first.schema is not None
    needs = {"needs": "…"} if first.schema["properties"]["needs"]["maxItems"] else {}
    return "\n".join(
        (*pieces, "=== schema", json.dumps({**first.schema["properties"], **needs}, ensure_ascii=False), "")
    )


def without_example(message: Message) -> tuple[str, ...]:
    return tuple(part for part in message.parts if not part.startswith("Example, another patient"))


def _turns(request: Request, start: int = 0) -> Iterator[str]:
    for message in request.messages[start:]:
        yield f"=== {message.role}"
        yield "--- a part ends\n".join(message.parts)


async def made(charts: dict[str, Chart]) -> dict[str, str]:
    found = {f"{name}.txt": written(await requests(charts[who], q)) for name, (who, q) in ASKED.items()}
    bare = {name: ASKED[name] for name in BARE}
    return found | {f"{n}.bare.txt": written(await requests(charts[w], q, bare=True)) for n, (w, q) in bare.items()}


@pytest.fixture(scope="module")
def sent(charts: dict[str, Chart]) -> dict[str, str]:
    return asyncio.run(made(charts))


def test_every_golden_file_is_of_a_question(sent: dict[str, str]) -> None:
    assert {p.name for p in GOLDEN.glob("*.txt")} == set(sent)


@pytest.mark.parametrize("name", [*(f"{n}.txt" for n in ASKED), *(f"{n}.bare.txt" for n in BARE)])
def test_the_bytes_sent_are_those_of_the_golden_file(name: str, sent: dict[str, str]) -> None:
    assert sent[name] == (GOLDEN / name).read_text("utf-8")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    for file, text in asyncio.run(made(demo_charts())).items():
        (GOLDEN / file).write_text(text, "utf-8")
