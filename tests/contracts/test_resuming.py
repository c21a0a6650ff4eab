"""A stream of server-sent events breaks in the middle: who comes back is told the rest, once, by any process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.agent.service.conftest import MARIA
from tests.contracts.conftest import Opened, Service, as_
from tests.contracts.test_jobs import Counting, until
from tests.contracts.test_jobs import begun as job_begun
from tests.contracts.test_threads import EVENTS, ask, at_work, begun

pytestmark = pytest.mark.loopback


def fields(text: str) -> list[dict[str, str]]:
    """The fields of each event, comments left out."""
    blocks = [[line for line in block.split("\n") if line[:1] != ":"] for block in text.strip().split("\n\n")]
    return [dict(line.split(": ", 1) for line in block) for block in blocks if block]


async def again(service: Service, path: str, last: str) -> httpx.Response:
    headers = httpx.Headers({**EVENTS, "Last-Event-ID": last}, encoding="latin-1")
    return await service.client.get(path, headers=headers)


async def test_the_rest_of_an_answer_is_told_once(opened: Opened) -> None:
    async with opened() as one, opened() as other:
        thread = await begun(one)
        first = await ask(one, "active conditions?", thread=thread, headers=as_("ada", **EVENTS))
        path = first.headers["content-location"]
        kept = [event for event in fields(first.text) if "id" in event]
        assert [event["id"] for event in kept] == [str(n + 1) for n in range(len(kept))]
        assert [event["event"] for event in kept] == ["claim"] * (len(kept) - 1) + ["answer"] and len(kept) > 2
        assert all("id" not in event for event in fields(first.text) if event["event"] == "progress")
        for service in (one, other):
            for had in range(len(kept)):
                assert fields((await again(service, path, str(had))).text) == kept[had:]
            done = await again(service, path, str(len(kept)))
            assert (done.status_code, done.content) == (204, b"")
            for strange in ("", "x", "-1", "²", "9" * 20):
                assert fields((await again(service, path, strange)).text) == kept
            assert fields((await again(service, path, "999")).text) == kept[-1:]
        assert (await one.client.get(path, headers={"Last-Event-ID": kept[-1]["id"]})).json()["state"] == "answered"


async def test_one_that_is_sent_again_is_told_the_rest(opened: Opened) -> None:
    """As by clients that follow a POST."""
    async with opened() as service:
        mine = as_("ada", Idempotency_Key="k", **EVENTS)
        first = await ask(service, "active conditions?", patient=MARIA, headers=mine)
        kept = [event for event in fields(first.text) if "id" in event]
        second = await ask(service, "active conditions?", patient=MARIA, headers={**mine, "Last-Event-ID": "2"})
        assert fields(second.text) == kept[2:]
        unkept = await ask(
            service, "active conditions?", patient=MARIA, headers=as_("ada", Last_Event_ID="2", **EVENTS)
        )
        claims = [event for event in fields(unkept.text) if event["event"] == "claim"]
        assert len(claims) == len(kept) - 1 and not any("id" in event for event in fields(unkept.text))


async def test_one_that_is_worked_on_is_followed(opened: Opened) -> None:
    async with opened(hold=True) as service:
        id_ = await at_work(service, await begun(service))
        await service.held.reached()
        following = asyncio.create_task(again(service, f"/v1/questions/{id_}", ""))
        await asyncio.sleep(0.05)
        service.held.free.set()
        events = fields((await following).text)
        assert [event.get("id") for event in events if event["event"] != "progress"] == ["1", "2"]


async def test_a_failure_is_told_once(opened: Opened) -> None:
    async with opened() as service:
        mine = as_("ada", Idempotency_Key="k", **EVENTS)
        first = await ask(service, patient="nobody", headers=mine)
        [problem] = [event for event in fields(first.text) if event["event"] == "problem"]
        assert (problem["id"], json.loads(problem["data"])["type"]) == ("1", "unknown-patient")
        path = first.headers["content-location"]
        assert fields((await again(service, path, "")).text) == [problem]
        assert (await again(service, path, "1")).status_code == 204


async def test_a_job_is_followed_from_where_it_was(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as service:
        id_ = await job_begun(service, to=3)
        await until(service, id_)
        path = f"/v1/jobs/{id_}/events"
        [event] = fields((await again(service, path, "")).text)
        done: Any = json.loads(event["data"])
        assert (done["state"], event["id"]) == ("done", "done-3-3")
        assert fields((await again(service, path, "working-2-3")).text) == [event]
        assert (await again(service, path, event["id"])).status_code == 204
