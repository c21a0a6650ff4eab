"""`POST /v1/ask`: the answer's JSON, the events, and what is refused."""

from __future__ import annotations

import json

import httpx

from tests.agent.service.conftest import MARIA


def told(text: str) -> list[tuple[str, dict]]:
    """The named events of a stream of server-sent events."""
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data, *_ in blocks]


async def test_an_answer_is_cited(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA})).json()
    assert answer["status"] == "answered"
    assert answer["claims"][0]["marks"] == [answer["citations"][0]["mark"]]


async def test_events_end_with_the_same_answer(client: httpx.AsyncClient) -> None:
    asked = {"question": "last A1c?", "patient": MARIA}
    whole = (await client.post("/v1/ask", json=asked)).json()
    response = await client.post("/v1/ask", json=asked, headers={"Accept": "text/event-stream"})
    events = told(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in events][-2:] == ["claim", "answer"]
    assert {event["stage"] for name, event in events if name == "progress"} >= {"open", "retrieve", "verify"}
    assert events[-2][1] == whole["claims"][0]
    assert events[-1][1]["text"] == whole["text"]


async def test_an_unknown_patient_is_a_problem(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/ask", json={"question": "last A1c?", "patient": "nobody"})
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"].endswith(":unknown-patient")
    assert problem["request"] == response.headers["x-request-id"]


async def test_an_error_ends_the_events(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/ask", json={"question": "last A1c?", "patient": "nobody"}, headers={"Accept": "text/event-stream"}
    )
    assert told(response.text)[-1] == (
        "problem",
        {"status": 404, "type": "unknown-patient", "detail": told(response.text)[-1][1]["detail"]},
    )


async def test_a_patient_must_be_named(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/ask", json={"question": "last A1c?"})
    assert (response.status_code, response.json()["type"]) == (422, "urn:chartline:problem:no-patient")


async def test_what_was_sent_is_not_repeated(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/ask", json={"question": "", "patient": MARIA, "secret": "Jane Doe"})
    assert response.status_code == 422
    assert "Jane Doe" not in response.text
