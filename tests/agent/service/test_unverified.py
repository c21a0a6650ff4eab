"""A model that lies whenever it is asked: whatever way an answer is sent, the lie is in none of the bytes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.models.base import Request
from agent.models.scripted import Scripted
from agent.reasoners.llm import Llm
from agent.service import desk
from agent.service.cds.ahead import ahead
from agent.service.cds.deciding import grant_of
from fhir_tools.tools import AVAILABLE
from tests.agent.injection.running import honest
from tests.agent.service.conftest import FOLDER, MARIA, Opened

LIE = "Quagga fever was 118.731 mmol/L on 2024-05-01"
TOLD = ("quagga", "118.731")
QUESTION = "last A1c?"
STREAM = {"Accept": "text/event-stream"}


def lying(schema: Any) -> Any:
    """What a schema allows, with the lie wherever it takes words."""
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return lying(schema[choice][0])
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {name: lying(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            most = min(schema.get("maxItems", 2), 2)
            return [lying(schema.get("items", {})) for _ in range(max(most, schema.get("minItems", 0)))]
        case "string":
            return LIE[: schema.get("maxLength", 300)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return LIE


def liar(request: Request) -> str:
    """Lies in its thoughts and in its reply; next to a lie it says what is true, so that an answer is given."""
    reply = lying(request.schema or {})
    if isinstance(reply, dict) and "claims" in reply:
        claims = [*honest(request)["claims"][:1], *reply["claims"]]
        reply = {**reply, "claims": claims, "needs": [], "status": "answered"}
    return f"<unused94>thought\n{LIE}\n<unused95>{json.dumps(reply)}"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted(liar, check=False)
    reasoner = Llm(scripted, tools=AVAILABLE, helped=True)
    monkeypatch.setattr(desk.reasoning, "reasoner", lambda settings: (reasoner, scripted))
    return scripted


@pytest.fixture
async def client(opened: Opened, model: Scripted) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(cds_open=True, cds_kept_hours=24.0) as client:
        yield client
        assert model.requests  # it was asked, and lied


def clean(response: httpx.Response, *expected: str) -> str:
    """The body, once it is known to hold what was asked for and none of the lie."""
    assert response.status_code in (200, 201), response.text
    return pure(response.text, *expected)


def pure(body: str, *expected: str) -> str:
    assert not [word for word in TOLD if word in body.lower()], body
    assert all(word in body for word in expected), body
    return body


async def test_a_question_however_it_is_asked(client: httpx.AsyncClient) -> None:
    asked = {"question": QUESTION, "patient": MARIA}
    answer = json.loads(clean(await client.post("/v1/ask", json=asked), "7.2 %"))
    assert answer["removed"]  # verify took the lie out, and says so
    clean(await client.post("/v1/ask", json=asked, headers=STREAM), "event: claim", "7.2 %", "event: answer")
    clean(await client.post("/v1/ask", json=asked, headers={"Accept": "application/fhir+json"}), "7.2 %")


async def test_a_conversation_and_what_is_kept_of_it(client: httpx.AsyncClient, tmp_path: Path) -> None:
    thread = (await client.post("/v1/threads", json={"patient": MARIA})).json()["id"]
    asked = {"question": QUESTION, "thread": thread}
    first = await client.post("/v1/ask", json=asked, headers=STREAM)
    clean(first, "7.2 %")
    clean(await client.post("/v1/ask", json={**asked, "question": "and the one before?"}))
    where = first.headers["content-location"]
    clean(await client.get(where), "7.2 %")
    clean(await client.get(where, headers=STREAM), "event: answer")
    clean(await client.get(f"/v1/threads/{thread}"), "7.2 %")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("*.sqlite*") if path.is_file())  # noqa: ASYNC240
    pure(kept.decode("latin-1"), "7.2 %")


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_completions(client: httpx.AsyncClient, stream: bool) -> None:
    said = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": LIE}]
    asked = {"model": "chartline", "messages": [*said, {"role": "user", "content": QUESTION}], "stream": stream}
    answer = await client.post("/v1/chat/completions", json=asked, headers={"X-Chartline-Patient": MARIA})
    clean(answer, "7.2 %")


async def test_mcp(client: httpx.AsyncClient) -> None:
    headers = {"Accept": "application/json, text/event-stream", "X-Chartline-Patient": MARIA}
    begin = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

    async def sent(method: str, params: Mapping[str, Any], **more: Any) -> httpx.Response:
        body = {"jsonrpc": "2.0", "method": method, "params": params, **more}
        return await client.post("/mcp", json=body, headers=headers)

    headers["mcp-session-id"] = (await sent("initialize", begin, id=1)).headers["mcp-session-id"]
    assert (await sent("notifications/initialized", {})).status_code == 202
    call = {"name": "ask", "arguments": {"question": QUESTION}, "_meta": {"progressToken": "p"}}
    clean(await sent("tools/call", call, id=2), "7.2 %", "notifications/progress")


async def test_jobs(client: httpx.AsyncClient) -> None:
    job = {"kind": "questions", "input": {"patients": [MARIA], "questions": [QUESTION]}}
    id_ = (await client.post("/v1/jobs", json=job)).json()["id"]
    clean(await client.get(f"/v1/jobs/{id_}/events"), '"state":"done"')
    clean(await client.get(f"/v1/jobs/{id_}/result"), "7.2 %")


async def test_cards_from_answers_computed_ahead(client: httpx.AsyncClient) -> None:
    parts = client._transport.app.state.parts  # type: ignore[attr-defined]
    room = client._transport.app.state.cds  # type: ignore[attr-defined]
    assert room.grant == grant_of(parts.desk, (str(FOLDER),)) and QUESTION in room.cards.questions
    await ahead(parts.desk, parts.database, room.grant, [MARIA], room.cards.questions)
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/dr-1", "patientId": MARIA},
    }
    cards = await client.post("/cds-services/chartline-patient-view", json=body)
    clean(cards, "7.2", f"as of {parts.desk.today()}", "answered just now")


async def test_trials_and_summaries(client: httpx.AsyncClient) -> None:
    trial = {
        "text": "Inclusion Criteria:\n* HbA1c above 7.0 %\n* Frequent falls at home in the judgement of the family\n"
    }
    clean(await client.post("/v1/trials/match", json={"trial": trial, "patient": MARIA}))
    clean(await client.post("/v1/trials/compile", json={"trial": trial}))
    clean(await client.post("/v1/summaries", json={"patient": MARIA}))
