"""A prefetch that is partial is completed from the client's FHIR server, with the token that it sent along."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app
from tests.agent.service.cds.conftest import LEILA, MARIA, USER, Ehr, context, topics
from tests.agent.service.conftest import Opened
from tools.cds_client import bundle_of, draft

pytestmark = pytest.mark.loopback
TOKEN = "tok-of-this-call"
ORDERS = context(MARIA, [draft("d", "Amoxicillin 500 MG", MARIA)])


class Guarded:
    """The EHR's FHIR server: it answers who has the token, and keeps what was asked of it. It takes no batches."""

    def __init__(self, store: LocalStore) -> None:
        self._app = create_app(store)
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.fails: tuple[str, ...] = ()
        self.base = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {k.decode(): v.decode() for k, v in scope.get("headers", ())}
        self.asked.append(scope["path"])
        if "authorization" in headers:
            self.tokens.add(headers["authorization"])
        status = 401 if headers.get("authorization") != f"Bearer {TOKEN}" else 0
        status = 500 if any(name in scope["path"] for name in self.fails) else status
        status = 405 if scope["method"] == "POST" and scope["path"] == "/" else status
        if scope["path"].endswith("/metadata") or not status:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def serving(app: Guarded) -> Iterator[Guarded]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    app.base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield app
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def fhir(loaded: Path, tmp_path: Path) -> Iterator[Guarded]:
    import shutil

    # Its own thread opens the store: SQLite connections stay where they were made.
    store = LocalStore(shutil.copy(loaded, tmp_path / "served.sqlite"))
    try:
        with serving(Guarded(store)) as app:
            yield app
    finally:
        store.close()


@pytest.fixture
async def client(opened: Opened, charts: LocalStore, fhir: Guarded, tmp_path: Path) -> AsyncIterator[Ehr]:
    path = tmp_path / "clients.yaml"
    path.write_text(f"local_servers: ['{fhir.base}']\n")
    async with opened(cds_open=True, cds_clients=path, cds_seconds=8.0) as http:
        yield Ehr(client=http, charts=charts)


def access(fhir: Guarded, token: str = TOKEN, **more: Any) -> dict[str, Any]:
    grant = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read", "subject": "cds"}
    return {"fhirServer": fhir.base, "fhirAuthorization": {**grant, **more}}


async def test_what_is_missing_is_read_with_the_token(client: Ehr, fhir: Guarded) -> None:
    sent = await client.prefetch("order-sign", ORDERS, only=("patient", "medications"))
    answer = await client.call("order-sign", ORDERS, sent, **access(fhir))
    assert answer.status_code == 200 and topics(answer.json()["cards"]) == ["allergy-to-order"]
    assert fhir.tokens == {f"Bearer {TOKEN}"}
    assert any("AllergyIntolerance" in path for path in fhir.asked)
    assert not any(path.endswith(f"/Patient/{MARIA}") for path in fhir.asked)  # it was sent


async def test_nothing_sent_at_all_is_read(client: Ehr, fhir: Guarded) -> None:
    for prefetch in (None, {}):
        answer = await client.call("order-sign", ORDERS, prefetch, **access(fhir))
        assert topics(answer.json()["cards"]) == ["allergy-to-order"]


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@pytest.mark.parametrize(
    "value",
    [
        OUTCOME,
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": OUTCOME, "search": {"mode": "outcome"}}],
        },
        bundle_of([], link=[{"relation": "next", "url": "https://ehr.example/next"}]),
        bundle_of([{"resourceType": "AllergyIntolerance", "id": "x", "patient": {"reference": f"Patient/{LEILA}"}}]),
        {"resourceType": "Patient", "id": MARIA},
        {},
    ],
)
async def test_a_prefetch_that_cannot_be_taken_is_read_again(client: Ehr, fhir: Guarded, value: Any) -> None:
    sent = {**await client.prefetch("order-sign", ORDERS), "allergies": value}
    answer = await client.call("order-sign", ORDERS, sent, **access(fhir))
    assert topics(answer.json()["cards"]) == ["allergy-to-order"]
    without = await client.call("order-sign", ORDERS, sent)
    assert topics(without.json()["cards"]) == ["not-checked"]
    assert "allergies" in without.json()["cards"][0]["summary"]


async def test_null_is_no_data_and_is_not_read_again(client: Ehr, fhir: Guarded) -> None:
    sent = {**await client.prefetch("order-sign", ORDERS), "allergies": None}
    answer = await client.call("order-sign", ORDERS, sent, **access(fhir))
    assert answer.json()["cards"] == [] and not any("AllergyIntolerance" in path for path in fhir.asked)


async def test_a_token_that_is_refused_means_412(client: Ehr, fhir: Guarded) -> None:
    answer = await client.call("order-sign", ORDERS, None, **access(fhir, token="another"))
    assert answer.status_code == 412
    assert answer.json()["prefetch"] == ["allergies", "medications", "patient", "platelets"]
    assert "another" not in answer.text


async def test_a_search_that_fails_is_told_and_the_others_stand(client: Ehr, fhir: Guarded) -> None:
    fhir.fails = ("/AllergyIntolerance",)
    losartan = context(MARIA, [draft("d", "Losartan 50 MG", MARIA)])
    answer = await client.call("order-sign", losartan, None, **access(fhir))
    assert topics(answer.json()["cards"]) == ["duplicate-order", "not-checked"]


async def test_a_medication_that_an_order_refers_to_is_read(client: Ehr, fhir: Guarded, tmp_path: Path) -> None:
    order = draft("active", "", MARIA, status="active", authoredOn="2026-06-01")
    del order["medicationCodeableConcept"]
    order["medicationReference"] = {"reference": "Medication/m"}
    store = LocalStore(tmp_path / "served.sqlite")
    store.put({"resourceType": "Medication", "id": "m", "code": {"text": "Ondansetron 8 MG"}})
    store.put(order)
    store.close()
    orders = context(MARIA, [draft("d", "Ondansetron 4 MG", MARIA)])
    answer = await client.call("order-sign", orders, None, **access(fhir))
    assert topics(answer.json()["cards"]) == ["duplicate-order"]


async def test_the_token_is_forgotten_after_the_call(client: Ehr, fhir: Guarded) -> None:
    await client.call("order-sign", ORDERS, None, **access(fhir))
    desk = client.client._transport.app.state.parts.desk  # type: ignore[attr-defined]
    assert not desk._grants and not len(desk._sources)


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ({"fhirServer": "https://evil.example/fhir"}, 403, "fhir-server"),
        ({"patient": LEILA}, 422, "another-patient"),
        ({"access_token": "two words"}, 422, "token"),
    ],
)
async def test_a_grant_that_does_not_fit_is_refused(
    client: Ehr, fhir: Guarded, more: dict[str, str], status: int, kind: str
) -> None:
    sent = access(fhir, **{k: v for k, v in more.items() if k != "fhirServer"})
    sent["fhirServer"] = more.get("fhirServer", sent["fhirServer"])
    answer = await client.call("order-sign", ORDERS, None, **sent)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:chartline:problem:{kind}")
    assert not fhir.tokens


async def test_the_reader_s_role_is_read_where_a_card_asks(
    opened: Opened, charts: LocalStore, fhir: Guarded, tmp_path: Path
) -> None:
    path, clients = tmp_path / "cards.yaml", tmp_path / "clients.yaml"
    who = "{roles: [pharmacist], organizations: [org-1]}"
    path.write_text(
        f"cards:\n  - {{kind: allergy, name: a, hooks: [order-sign], cross_reactive: [penicillin], who: {who}}}\n"
    )
    clients.write_text(f"local_servers: ['{fhir.base}']\n")
    role = {
        "resourceType": "PractitionerRole",
        "id": "role-1",
        "code": [{"coding": [{"code": "pharmacist"}]}],
        "organization": {"reference": "Organization/org-1"},
    }
    async with opened(cds_open=True, cds_cards=path, cds_clients=clients) as http:
        ehr = Ehr(client=http, charts=charts)
        orders = {**ORDERS, "userId": "PractitionerRole/role-1"}
        sent = await ehr.prefetch("order-sign", orders, only=("patient", "allergies"))
        for user, seen in ((role, ["a"]), ({**role, "code": []}, []), (None, [])):
            given = sent if user is None else {**sent, "user": user}
            answer = await ehr.call("order-sign", orders, given)
            assert topics(answer.json()["cards"]) == seen
        assert (await ehr.service("order-sign"))["prefetch"]["user"] == "{{context.userId}}"
        charts.put(role)
        store = LocalStore(tmp_path / "served.sqlite")
        store.put(role)
        store.close()
        answer = await ehr.call("order-sign", orders, sent, **access(fhir))
        assert topics(answer.json()["cards"]) == ["a"]
        assert topics((await ehr.call("order-sign", {**orders, "userId": USER}, sent)).json()["cards"]) == []
