"""Writing back to servers that are not ours: taken as it is, once, its Provenance pointing at what was made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from agent.fhir_out import Form, Request, answer_output, recorded
from agent.types import Answer, Citation
from fhir_tools.audit import Who
from fhir_tools.http import Http
from fhir_tools.types import Reference
from fhir_tools.writing.writer import Exchange, Writer
from tests.peers.conftest import or_skip
from tools.peers.running import Peer, load, medplum, sekmet

pytestmark = [pytest.mark.asyncio, pytest.mark.loopback]

PEERS = {"sekmet": sekmet, "medplum": medplum}
PATIENT = {"resourceType": "Patient", "id": "0c1b6f0e-6f9b-4b0c-9e43-4f5f3a1a7b11", "name": [{"family": "Written"}]}
RESULT = {
    "resourceType": "Observation",
    "id": "7f1b6f0e-6f9b-4b0c-9e43-4f5f3a1a7b12",
    "status": "final",
    "code": {"text": "Hemoglobin A1c"},
    "subject": {"reference": f"Patient/{PATIENT['id']}"},
}


@pytest.fixture(scope="module", params=["sekmet", pytest.param("medplum", marks=pytest.mark.slow)])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with or_skip(PEERS[request.param]) as started:
        load(started, [PATIENT, RESULT])
        yield started


def exchange_with(http: Http, peer: Peer) -> Exchange:
    """As `over_http`, with the headers by which a peer lets tests write."""

    async def exchange(method: str, url: str, body: bytes | None) -> tuple[int, Any]:
        kind = "application/fhir+json"
        headers = {"Content-Type": kind, "Accept": kind, "Prefer": "return=OperationOutcome", **peer.headers}
        answer = await http.send(method, url or http.base, headers=headers, body=body)
        return answer.status, orjson.loads(answer.body) if answer.body else None

    return exchange


@pytest.mark.parametrize("form", ["document", "communication"])
async def test_written_once(peer: Peer, form: Form) -> None:
    patient = f"Patient/{PATIENT['id']}"
    answer = Answer(
        question="last A1c?",
        patient=patient,
        as_of="2026-06-15",
        status="answered",
        text="Hemoglobin A1c was 6.9 % [1].",
        citations=[
            Citation(mark="1", reference=f"Observation/{RESULT['id']}", path="Observation.value", excerpt="6.9")
        ],
        reasoner="rules",
    )
    who = Who(agent="Dr. Peer", patient=Reference.parse(patient), purpose="TREAT")
    request = Request(who=who, made=datetime(2026, 6, 15, tzinfo=UTC), key=f"peer-{form}")
    transaction = recorded(answer_output(answer, request), form)
    async with Http(peer.base) as http:
        exchange = exchange_with(http, peer)
        first, again = [await Writer(exchange).write(transaction) for _ in range(2)]
        assert (first.created, again.created) == (True, False)
        assert first.reference == again.reference
        _, kept = await exchange("GET", first.reference, None)
        assert kept["subject"]["reference"] == patient
        assert [label["code"] for label in kept["meta"]["security"]] == ["AIAST"]
        _, found = await exchange("GET", f"Provenance?target={first.reference}", None)
        assert len(found["entry"]) == 1
