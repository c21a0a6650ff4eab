"""The routes: discovery, what is refused and how it is told, CORS; and bodies of any kind."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.service.cds.requests import HOOKS
from agent.service.cds.responses import CardsOut, ServicesOut
from tests.agent.service.cds.conftest import MARIA, ROBERT, USER, Ehr, context, topics
from tests.agent.service.conftest import Opened
from tools.cds_client import draft, request

SIGN = "/cds-services/chartline-order-sign"


async def test_the_discovery_names_four_services_with_templates(ehr: Ehr) -> None:
    answer = await ehr.client.get("/cds-services")
    found = ServicesOut.model_validate_json(answer.content)
    assert [s.hook for s in found.services] == list(HOOKS)
    for service in found.services:
        tokens = {t for text in service.prefetch.values() for t in re.findall(r"\{\{(.*?)\}\}", text)}
        assert tokens <= {"context.patientId", "context.encounterId", "context.userId"}
        assert service.prefetch["patient"] == "Patient/{{context.patientId}}" and service.usageRequirements


async def test_a_hook_without_cards_is_no_service(opened: Opened, tmp_path: Any) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text('cards:\n  - {kind: question, name: q, hooks: [patient-view], question: "last A1c?"}\n')
    async with opened(cds_open=True, cds_cards=path) as client:
        services = (await client.get("/cds-services")).json()["services"]
        assert [s["id"] for s in services] == ["chartline-patient-view"]
        answer = await client.post(SIGN, json=request("order-sign", context(drafts=[])))
        assert answer.status_code == 404 and answer.json()["type"] == "urn:chartline:problem:unknown-service"
        quiet = await client.post("/cds-services/chartline-patient-view", json=request("patient-view", context()))
        assert quiet.json() == {"cards": []}


ORDERS = context(drafts=[draft("a", "Amoxicillin", MARIA)])
RIGHT = request("order-sign", ORDERS, {})


def changed(**more: Any) -> dict[str, Any]:
    return {k: v for k, v in {**RIGHT, **more}.items() if v is not ...}


def in_context(**more: Any) -> dict[str, Any]:
    return changed(context={k: v for k, v in {**ORDERS, **more}.items() if v is not ...})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (changed(hook=...), "body.hook"),
        (changed(hook="order-dispatch"), "body.hook"),
        (changed(hook="patient-view"), ""),
        (changed(hookInstance=...), "body.hookInstance"),
        (changed(hookInstance=7), "body.hookInstance"),
        (changed(context=...), "body.context"),
        (changed(context=[]), "body.context"),
        (changed(prefetch=[]), "body.prefetch"),
        (changed(fhirServer="file:///etc/passwd"), "body.fhirServer"),
        (changed(fhirServer="http://["), "body.fhirServer"),
        (changed(fhirServer="https://user:pw@ehr.example/"), "body.fhirServer"),
        (changed(fhirAuthorization={"access_token": "x"}), "body.fhirAuthorization.token_type"),
        (
            changed(
                fhirAuthorization={
                    "access_token": "x", "token_type": "Bearer", "expires_in": 1, "scope": "", "subject": "x",
                }
            ),
            "body",
        ),
        (in_context(userId=...), "body.context.userId"),
        (in_context(userId="Dr. No"), "body.context.userId"),
        (in_context(patientId=...), "body.context.patientId"),
        (in_context(patientId="Patient/1"), "body.context.patientId"),
        (in_context(patientId="a b"), "body.context.patientId"),
        (in_context(encounterId="../x"), "body.context.encounterId"),
        (in_context(draftOrders=...), "body.context.draftOrders"),
        (in_context(draftOrders={"resourceType": "Patient"}), "body.context.draftOrders"),
        (in_context(draftOrders={"resourceType": "Bundle", "entry": [7]}), "body.context.draftOrders"),
        (in_context(draftOrders={"resourceType": "Bundle", "entry": [{}]}), "body.context.draftOrders"),
    ],
)  # fmt: skip
async def test_a_request_of_another_shape_names_its_fault(ehr: Ehr, body: Any, where: str) -> None:
    answer = await ehr.client.post(SIGN, json=body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert any(e["where"].startswith(where) for e in answer.json().get("errors", [{"where": ""}]))
    assert "Dr. No" not in answer.text and "passwd" not in answer.text


async def test_other_hooks_check_their_own_fields(ehr: Ehr) -> None:
    for hook, sent, where in (
        ("encounter-discharge", context(), "body.context.encounterId"),
        ("order-select", ORDERS, "body.context.selections"),
        ("order-select", {**ORDERS, "selections": []}, "body.context.selections"),
        ("order-select", {**ORDERS, "selections": ["MedicationRequest/other"]}, "body.context"),
    ):
        answer = await ehr.call(hook, sent, {})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["where"] == where


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"a": "\\ud800"}', 400),
        (b"null", 422),
        (b"7", 422),
    ],
)
async def test_what_is_no_json_object_is_refused(ehr: Ehr, content: bytes, status: int) -> None:
    assert (await ehr.client.post(SIGN, content=content)).status_code == status


@pytest.mark.parametrize("value", ["123", 7, [], True])
async def test_a_prefetch_that_is_no_resource_is_not_read_and_the_others_are(ehr: Ehr, value: Any) -> None:
    """The specification's own example has `"user": "123"`: one key that cannot be taken does not end the call."""
    orders = context(MARIA, [draft("a", "Amoxicillin", MARIA)])
    sent = {**await ehr.prefetch("order-sign", orders), "medications": value, "unasked": value}
    answer = await ehr.call("order-sign", orders, sent)
    assert answer.status_code == 200 and topics(answer.json()["cards"]) == ["allergy-to-order", "not-checked"]
    assert "medications: it is no resource" in answer.json()["cards"][1]["detail"]


async def test_selections_may_be_bare_ids(ehr: Ehr) -> None:
    drafts = [draft("a", "Amoxicillin", MARIA), draft("b", "Ondansetron 4 MG", MARIA)]
    for chosen, told in (("a", ["allergy-to-order"]), ("b", [])):
        answer = await ehr.call("order-select", {**context(MARIA, drafts), "selections": [chosen]})
        assert topics(answer.json()["cards"]) == told


async def test_too_large_a_body_is_refused(ehr: Ehr) -> None:
    assert (await ehr.client.post(SIGN, content=b" " * 10_000_001)).status_code == 413


async def test_a_draft_for_another_patient_is_refused(ehr: Ehr) -> None:
    answer = await ehr.call("order-sign", context(MARIA, [draft("a", "Amoxicillin", ROBERT)]))
    assert answer.status_code == 422 and answer.json()["type"] == "urn:chartline:problem:another-patient"


async def test_pages_of_named_origins_alone_may_call(opened: Opened) -> None:
    async with opened(cds_open=True, cds_origins=("https://sandbox.example",)) as client:
        asked = {"Origin": "https://sandbox.example", "Access-Control-Request-Method": "POST"}
        ready = await client.options(SIGN, headers={**asked, "Access-Control-Request-Headers": "authorization"})
        assert ready.status_code == 200
        assert ready.headers["access-control-allow-origin"] == "https://sandbox.example"
        found = await client.get("/cds-services", headers=asked)
        assert found.headers["access-control-allow-origin"] == "https://sandbox.example"
        assert "access-control-allow-credentials" not in found.headers
        other = await client.get("/cds-services", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-origin" not in (await client.get("/healthz", headers=asked)).headers


async def test_no_origin_may_call_by_itself(ehr: Ehr) -> None:
    answer = await ehr.client.get("/cds-services", headers={"Origin": "https://sandbox.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_the_api_s_document_has_the_bodies(ehr: Ehr) -> None:
    paths = (await ehr.client.get("/openapi.json")).json()["paths"]
    body = paths["/cds-services/{id}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"hook", "hookInstance", "context"} and "$ref" not in str(body)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["2026-06-10", "active", "Patient/demo-maria-santos", "Amoxicillin", "9999"]),
)  # fmt: skip
KEYS = st.sampled_from(
    "resourceType id status intent subject patient reference code coding system text display category authoredOn "
    "medicationCodeableConcept medicationReference contained dosageInstruction timing repeat effectiveDateTime "
    "valueQuantity value unit comparator birthDate gender clinicalStatus verificationStatus reaction meta encounter "
    "doNotPerform period link relation entry resource search".split()
)
JSON = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5))
)
TYPES = (
    "MedicationRequest",
    "AllergyIntolerance",
    "Observation",
    "Patient",
    "Encounter",
    "OperationOutcome",
    "Bundle",
    "X",
)
RESOURCES = st.builds(
    lambda kind, body: {**body, "resourceType": kind}, st.sampled_from(TYPES), st.dictionaries(KEYS, JSON, max_size=8)
)
BUNDLES = st.builds(
    lambda rows, more: {**more, "resourceType": "Bundle", "entry": [{"resource": r} for r in rows]},
    st.lists(RESOURCES, max_size=4),
    st.dictionaries(KEYS, JSON, max_size=2),
)
PREFETCH_KEYS = ("patient", "allergies", "medications", "statements", "encounters", "creatinine", "egfr", "platelets")
BODIES = st.fixed_dictionaries(
    {
        "hook": st.sampled_from([*HOOKS, "x"]),
        "hookInstance": st.text(max_size=5),
        "context": st.fixed_dictionaries(
            {"userId": st.just(USER), "patientId": st.just(MARIA)},
            optional={"draftOrders": BUNDLES, "selections": st.lists(st.text(max_size=9)), "encounterId": st.just("e")},
        ),
    },
    optional={
        "prefetch": st.dictionaries(st.sampled_from(PREFETCH_KEYS), st.one_of(st.none(), RESOURCES, BUNDLES, JSON)),
        "fhirServer": st.one_of(st.text(max_size=30), st.just("https://ehr.example/fhir")),
        "fhirAuthorization": JSON,
    },
)


async def posted(client: httpx.AsyncClient, hook: str, body: Any) -> None:
    answer = await client.post(f"/cds-services/chartline-{hook}", content=orjson.dumps(body))
    assert answer.status_code in (200, 403, 404, 412, 422), answer.text
    if answer.status_code == 200:
        CardsOut.model_validate_json(answer.content)
    else:
        assert answer.headers["content-type"] == "application/problem+json"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=st.one_of(BODIES, JSON), hook=st.sampled_from(HOOKS))
async def test_no_body_breaks_the_service(ehr: Ehr, body: Any, hook: str) -> None:
    named = {**body, "hook": hook} if isinstance(body, dict) and body.get("hook") in HOOKS else body
    await posted(ehr.client, hook, named)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_no_damage_to_a_real_request_breaks_the_service(ehr: Ehr, data: st.DataObject) -> None:
    drafts = [draft("a", "Amoxicillin 500 MG", MARIA), draft("b", "Metformin 500 MG", MARIA)]
    body = request("order-sign", context(MARIA, drafts), await _sent(ehr))
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = body
        while isinstance(node, dict | list) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if data.draw(st.integers(0, 3)) == 0 or not isinstance(node[key], dict | list) or not node[key]:
                node[key] = data.draw(JSON)
                break
            node = node[key]
    await posted(ehr.client, "order-sign", body)


_kept: dict[str, bytes] = {}


async def _sent(ehr: Ehr) -> Any:
    """The prefetch, made once: what is damaged is a copy."""
    if "sent" not in _kept:
        sent = await ehr.prefetch("order-sign", context(MARIA, []))
        _kept["sent"] = orjson.dumps(sent)
    return orjson.loads(_kept["sent"])
