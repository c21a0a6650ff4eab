"""Writing back: only what was made here, once, where setting, way in, grant and a person allow it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from agent.service import recording, stored
from agent.service.app import create_app
from agent.service.callers import Access, Caller, Gates
from agent.types import Answer
from fhir_tools import demo
from fhir_tools.auth import FhirAuth, Scopes
from fhir_tools.http import Http
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app as fhir_app
from fhir_tools.types import Query
from fhir_tools.writing.writer import Writer, over_http
from tests.agent.service.conftest import MARIA, client_of, settings_in

ON = {"service_write_back": True, "service_write_store": True}
YES = {"confirm": True}
LOCAL = Caller(id="local", name="Dr. Who", via="local")


class One:
    """A way in that lets in whom the test says."""

    challenge = ""

    def __init__(self, caller: Caller) -> None:
        self.told = caller

    async def caller(self, request: Request) -> Caller:
        return self.told


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loaded") / "charts.sqlite"
    store = LocalStore(path)
    load([p for p in demo.paths() if MARIA in p.name], store)
    store.close()
    return path


@pytest.fixture
def store(tmp_path: Path, loaded: Path) -> Path:
    return Path(shutil.copy(loaded, tmp_path / "charts.sqlite"))


Served = Callable[..., Any]


@pytest.fixture
def served(tmp_path: Path, store: Path) -> Served:
    """Opens the service over a store for a caller; the client, and what is in the store by its type."""

    @asynccontextmanager
    async def served(caller: Caller = LOCAL, **changes: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
        app = create_app(settings_in(tmp_path, **{**ON, **changes}), fhir=(str(store),))
        async with client_of(app) as client:
            app.state.parts = replace(app.state.parts, gates=Gates([One(caller)]))

            async def there(type_: str) -> list[Any]:
                async with app.state.parts.desk.source(LOCAL) as source:
                    found = await source.search(Query(type=type_, params=(("patient", f"Patient/{MARIA}"),)))
                return [r for r in found.matches if "AIAST" in json.dumps(r.get("meta"))]

            yield client, there

    return served


async def made(client: httpx.AsyncClient, **more: Any) -> str:
    summary = (await client.post("/v1/summaries", json={"patient": MARIA, "kind": "problems"}, **more)).json()
    return str(summary["id"])


async def test_a_summary_is_written_once_and_on_record(served: Served, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    async with served(audit=str(log)) as (client, there):
        place = f"/v1/summaries/{await made(client)}/record"
        first, again = [await client.post(place, json=YES) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["reference"] == again.json()["reference"]
        assert first.json()["outcome"]["resourceType"] == "OperationOutcome"
        [document] = await there("DocumentReference")
    assert document["docStatus"] == "preliminary"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    creates = [e for e in entries if e.get("action") == "create"]
    assert [(e["what"], e["agent"], e["found"]) for e in creates] == [
        (first.json()["reference"], "Dr. Who", 1),
        (first.json()["reference"], "Dr. Who", 0),
    ]


async def test_what_was_written_is_no_evidence(served: Served) -> None:
    asked = {"question": "list the documents", "patient": MARIA}
    async with served(service_fresh=0.000001) as (client, there):
        before = (await client.post("/v1/ask", json=asked)).json()
        await client.post(f"/v1/summaries/{await made(client)}/record", json=YES)
        after = (await client.post("/v1/ask", json=asked)).json()
        [document] = await there("DocumentReference")
    assert before["citations"]
    assert (after["text"], after["citations"]) == (before["text"], before["citations"])
    assert document["id"] not in json.dumps(after["citations"])


async def test_an_answer_is_written_as_it_was_stored(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(service_write_as="communication") as (client, there):
        answer = Answer.model_validate(
            (await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA})).json()
        )

        async def stored_answer(*_: object) -> tuple[Answer, datetime]:
            return answer, datetime(2026, 6, 15, tzinfo=UTC)

        monkeypatch.setattr(stored, "stored_answer", stored_answer)
        first, again = [await client.post("/v1/questions/q1/record", json=YES) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 200)
        [told] = await there("Communication")
        assert any(answer.text == p["contentString"] for p in told["payload"])


@pytest.mark.parametrize("body", [{}, {"confirm": False}, {"confirm": True, "answer": {"text": "mine"}}])
async def test_nothing_without_a_confirmation_or_with_words_of_the_client(served: Served, body: Any) -> None:
    async with served() as (client, there):
        response = await client.post(f"/v1/summaries/{await made(client)}/record", json=body)
        assert response.status_code == 422
        assert await there("DocumentReference") == []


@pytest.mark.parametrize(
    ("changes", "headers", "kind"),
    [
        ({"service_write_store": False}, {}, "no-server"),
        ({}, {"Authorization": "Bearer key"}, "needs-a-person"),
    ],
)
async def test_what_the_settings_do_not_allow(served: Served, changes: Any, headers: Any, kind: str) -> None:
    async with served(**changes) as (client, there):
        me = (await client.get("/v1/me", headers=headers)).json()
        assert (me["features"]["write_back"], me["writing"]) == (False, None)
        response = await client.post(f"/v1/summaries/{await made(client)}/record", json=YES, headers=headers)
        assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (403, kind)
        assert await there("DocumentReference") == []


async def test_off_unless_it_is_on(served: Served) -> None:
    async with served(service_write_back=False) as (client, _):
        assert await made(client) == "None"
        response = await client.post("/v1/questions/q1/record", json=YES)
        assert response.json()["type"].endswith("write-back-off")
        assert (await client.get("/v1/me")).json()["writing"] is None


async def test_programs_where_the_setting_says_so(served: Served) -> None:
    async with served(service_write_programs=True) as (client, _):
        headers = {"Authorization": "Bearer key"}
        response = await client.post(f"/v1/summaries/{await made(client)}/record", json=YES, headers=headers)
        assert response.status_code == 201


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        ("patient/*.rs", "patient/DocumentReference.c"),
        ("patient/DocumentReference.crs", "patient/Provenance.c"),
        ("patient/*.cruds", ""),
    ],
)
async def test_the_grant_must_allow_it(served: Served, scopes: str, missing: str) -> None:
    async with served(replace(LOCAL, scopes=Scopes.parse(scopes))) as (client, _):
        response = await client.post(f"/v1/summaries/{await made(client)}/record", json=YES)
        assert response.status_code == (403 if missing else 201)
        written = {"type": "DocumentReference", "server": None}
        assert (await client.get("/v1/me")).json()["writing"] == (None if missing else written)
        assert missing in response.text


async def test_nobody_elses_summary(served: Served, tmp_path: Path, store: Path) -> None:
    async with served() as (client, _):
        id_ = await made(client)
    async with served(replace(LOCAL, id="other")) as (client, _):
        assert (await client.post(f"/v1/summaries/{id_}/record", json=YES)).status_code == 404
    async with served(replace(LOCAL, patient="somebody-else")) as (client, _):
        assert (await client.post(f"/v1/summaries/{id_}/record", json=YES)).status_code == 404


async def test_only_for_a_while(served: Served) -> None:
    async with served(service_summary_seconds=0.000001) as (client, _):
        assert (await client.post(f"/v1/summaries/{await made(client)}/record", json=YES)).status_code == 404


async def test_an_unknown_question_is_not_there(served: Served) -> None:
    async with served() as (client, _):
        assert (await client.post("/v1/questions/nothing/record", json=YES)).status_code == 404


@pytest.mark.parametrize(("writable", "status"), [(True, 201), (False, 502)])
async def test_to_the_callers_own_server(
    served: Served, store: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, status: int
) -> None:
    target = LocalStore()
    target.put({"resourceType": "Patient", "id": MARIA})
    transport = httpx.ASGITransport(app=fhir_app(target, writable=writable))

    @asynccontextmanager
    async def open_writer(base: str, auth: FhirAuth, _: object) -> AsyncIterator[Writer]:
        async with Http(base, auth=auth, transport=transport) as http:
            yield Writer(over_http(http))

    monkeypatch.setattr(recording, "open_writer", open_writer)
    async with served() as (client, _):
        id_ = await made(client)
    access = Access(base="http://localhost", auth=FhirAuth("http://localhost"), key="k")
    caller = replace(LOCAL, access=access, scopes=Scopes.parse("patient/*.cruds"), via="launch")
    monkeypatch.setattr(FhirAuth, "flow", _open)
    async with served(caller) as (client, _):
        response = await client.post(f"/v1/summaries/{id_}/record", json=YES)
    assert response.status_code == status
    told = response.json()
    assert told["outcome"]["resourceType"] == "OperationOutcome"
    assert len((await target.search(Query(type="DocumentReference", params=()))).matches) == int(writable)
    target.close()


async def _open(self: FhirAuth, request: httpx.Request) -> AsyncIterator[httpx.Request]:
    yield request
