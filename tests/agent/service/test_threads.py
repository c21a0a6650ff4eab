"""Threads and questions on record, over HTTP."""

from __future__ import annotations

import httpx

from tests.agent.service.conftest import MARIA
from tests.agent.service.test_asking import told

EVENTS = {"Accept": "text/event-stream"}


async def begun(client: httpx.AsyncClient, patient: str = MARIA) -> str:
    """The id of a new thread."""
    response = await client.post("/v1/threads", json={"patient": patient})
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/threads/{response.json()['id']}"
    return response.json()["id"]


async def test_a_thread_has_its_questions_and_answers(client: httpx.AsyncClient) -> None:
    thread = await begun(client)
    first = await client.post("/v1/ask", json={"question": "last A1c?", "thread": thread})
    second = await client.post("/v1/ask", json={"question": "and the first?", "thread": thread}, headers=EVENTS)
    whole = (await client.get(f"/v1/threads/{thread}")).json()
    assert whole["title"] == "last A1c?"
    assert [(turn["question"], turn["state"]) for turn in whole["turns"]] == [
        ("last A1c?", "answered"),
        ("and the first?", "answered"),
    ]
    assert whole["turns"][0]["answer"] == first.json()
    assert whole["turns"][1]["answer"] == told(second.text)[-1][1]
    assert whole["turns"][0]["answer"]["thread"] == thread
    assert whole["turns"][0]["answer"]["value"] != whole["turns"][1]["answer"]["value"]
