"""The SMART Backend Services client against a token endpoint that is not ours, with scopes that the server enforces."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from agent.settings import Settings
from agent.wire import Agent
from fhir_tools import demo
from fhir_tools.auth import Backend
from fhir_tools.auth.keys import SigningKey
from fhir_tools.errors import SourceError
from fhir_tools.http import Http
from fhir_tools.load import load as load_files
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.search.query import parse
from fhir_tools.types import Reference
from tests.peers.conftest import or_skip
from tools.peers.running import Peer, SmartClient, load, resources_of, sekmet

pytestmark = pytest.mark.loopback

KEYS = {
    "reader": SigningKey(RSAKey.generate_key(2048)),
    "curve": SigningKey(ECKey.generate_key("P-384")),
    "narrow": SigningKey(ECKey.generate_key("P-384")),
    "stranger": SigningKey(ECKey.generate_key("P-384")),
}
SCOPES = {
    "reader": "system/*.rs",
    "curve": "system/*.read",
    "narrow": "system/Patient.rs system/Condition.rs",
}
PATIENT = demo.patients()[0]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Peer]:
    """sekmet-fhir with SMART clients and nothing open, holding a demo chart; tokens live two minutes."""
    clients = [SmartClient(client_id=n, jwks=KEYS[n].public(), scopes=s) for n, s in SCOPES.items()]
    with or_skip(lambda: sekmet(clients, token_lifetime=120)) as peer:
        store = LocalStore()
        load_files([demo.paths()[0]], store)
        load(peer, resources_of(store))
        yield peer


def _remote(peer: Peer, name: str, key: str | None = None) -> tuple[Remote, Backend]:
    auth = Backend(peer.base, name, KEYS[key or name], scopes=SCOPES.get(name, "system/*.rs"))
    return Remote(Http(peer.base, auth=auth), granted=lambda: auth.granted), auth


def test_the_server_lets_nobody_in_without_a_token(guarded: Peer) -> None:
    answer = httpx.get(f"{guarded.base}/Patient/{PATIENT}", trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize("name", ["reader", "curve"])
async def test_a_signed_assertion_gets_a_token_that_reads(guarded: Peer, name: str) -> None:
    remote, auth = _remote(guarded, name)
    async with remote:
        found = await remote.read(Reference(type="Patient", id=PATIENT))
        result = await remote.search(parse(f"Condition?patient={PATIENT}"))
    assert found["id"] == PATIENT
    assert result.complete and result.matches
    assert auth.granted is not None and auth.granted.allows("Observation", "s")


async def test_what_the_scopes_do_not_allow_is_incomplete_and_named(guarded: Peer) -> None:
    remote, _ = _remote(guarded, "narrow")
    async with remote:
        conditions = await remote.search(parse(f"Condition?patient={PATIENT}"))
        results = await remote.search(parse(f"Observation?patient={PATIENT}"))
    assert conditions.complete and conditions.matches
    assert not results.complete and not results.matches
    assert "Observation" in str(results.error) and "system/Observation" in str(results.error)


async def test_an_answer_that_a_scope_is_missing_for_is_not_an_absence(guarded: Peer) -> None:
    remote, _ = _remote(guarded, "narrow")
    async with remote:
        agent = Agent(remote, PATIENT, as_of=demo.AS_OF, settings=Settings())
        answer = await agent.ask("What was the latest creatinine?")
    assert answer.status in ("incomplete", "failed")
    told = " ".join([answer.text, *answer.warnings, *(str(row.error) for row in answer.searched)])
    assert "system/Observation" in told


async def test_an_answer_with_the_scopes_is_that_of_the_store(guarded: Peer) -> None:
    store = LocalStore()
    load_files([demo.paths()[0]], store)
    remote, _ = _remote(guarded, "reader")
    async with store, remote:
        said = [
            await Agent(source, PATIENT, as_of=demo.AS_OF, settings=Settings()).ask("What are the active conditions?")
            for source in (store, remote)
        ]
    assert said[0].status == "answered"
    assert (said[0].status, said[0].text) == (said[1].status, said[1].text)


@pytest.mark.parametrize(("name", "key"), [("stranger", "stranger"), ("reader", "stranger")])
async def test_a_key_that_is_not_registered_is_refused_in_words(guarded: Peer, name: str, key: str) -> None:
    remote, _ = _remote(guarded, name, key)
    async with remote:
        with pytest.raises(SourceError) as caught:
            await remote.read(Reference(type="Patient", id=PATIENT))
    assert "token" in str(caught.value) or "client" in str(caught.value)
    assert "eyJ" not in str(caught.value), "an assertion is in the error"


class Counting(httpx.AsyncHTTPTransport):
    """Keeps the path of every request."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        return await super().handle_async_request(request)


async def test_one_token_serves_many_requests(guarded: Peer) -> None:
    transport = Counting()
    auth = Backend(guarded.base, "reader", KEYS["reader"], scopes=SCOPES["reader"])
    async with Remote(Http(guarded.base, auth=auth, transport=transport), granted=lambda: auth.granted) as remote:
        for _ in range(3):
            assert (await remote.search(parse(f"Condition?patient={PATIENT}"))).complete
        await remote.read(Reference(type="Patient", id=PATIENT))
    assert transport.paths.count("/auth/token") == 1
    assert len(transport.paths) >= 5
