"""The doctor's findings: at a server that does what it says, and at servers that do not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from fhir_tools import demo
from fhir_tools.auth import Backend, Bearer, FhirAuth
from fhir_tools.auth.keys import SigningKey
from fhir_tools.facts import KIND_TYPES
from fhir_tools.http import Http, Limits
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.profiles import profile
from fhir_tools.remote.findings import Finding, Report
from fhir_tools.remote.needs import ASPECTS, KIND_WORDS, TYPES
from fhir_tools.remote.probe import probe
from fhir_tools.serve import create_app

BASE = "https://fhir.example"
ROBERT = "demo-robert-keller"

Twist = Callable[[httpx.Request], httpx.Request | httpx.Response]


class Twisted(httpx.AsyncBaseTransport):
    """The demo store as a server, with requests changed or answered on the way, and answers changed on the way back."""

    def __init__(self, store: LocalStore, before: Twist, after: Callable[[Any], Any]) -> None:
        self._app = httpx.ASGITransport(create_app(store, operations=False))
        self._before, self._after = before, after
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        changed = self._before(request)
        if isinstance(changed, httpx.Response):
            return changed
        answer = await self._app.handle_async_request(changed)
        body = await answer.aread()
        if not body.startswith(b"{"):
            return answer
        return httpx.Response(answer.status_code, json=self._after(json.loads(body)))


@pytest.fixture(scope="module")
def store() -> Iterator[LocalStore]:
    with_demo = LocalStore(":memory:")
    load(demo.paths(), with_demo)
    yield with_demo
    with_demo.close()


Look = Callable[..., Awaitable[Report]]


@pytest.fixture
def look(store: LocalStore) -> Look:
    async def run(
        before: Twist = lambda request: request,
        after: Callable[[Any], Any] = lambda document: document,
        patient: str | None = ROBERT,
        auth: FhirAuth | None = None,
        **options: Any,
    ) -> Report:
        def connect(credentials: FhirAuth | None) -> Http:
            limits = Limits(attempts=1, total=5)
            return Http(BASE, auth=credentials, limits=limits, transport=Twisted(store, before, after))

        return await probe(connect, auth=auth, patient=patient, direct=False, **{"runs": 0, **options})

    return run


def told(report: Report, text: str) -> Finding:
    """The one finding with these words."""
    found = [f for f in report.findings if text in f.text]
    assert len(found) == 1, [f.text for f in report.findings]
    return found[0]


def without(*names: str) -> Twist:
    """Parameters dropped before the server sees them."""

    def drop(request: httpx.Request) -> httpx.Request:
        kept = [(k, v) for k, v in request.url.params.multi_items() if k not in names]
        if len(kept) == len(request.url.params.multi_items()):
            return request
        url = request.url.copy_with(params=kept)
        return httpx.Request(request.method, url, headers=request.headers, content=request.content)

    return drop


def answering(status: int, **options: Any) -> Twist:
    return lambda request: httpx.Response(status, **options)


async def test_a_server_that_does_what_it_says(look: Look) -> None:
    report = await look(runs=3)
    assert report.usable and {f.level for f in report.findings} <= {"good", "note"}
    assert [n.type for n in report.needs] == list(TYPES) and all(n.usable for n in report.needs)
    assert {a for n in report.needs for a in n.abilities} == set(ASPECTS)
    for words in ("can be read", "filtered by code", "filtered by date", "_elements is heeded", "pages are followed"):
        assert told(report, words).level == "good"
    assert [s.type for s in report.speeds] == list(TYPES)
    results = next(s for s in report.speeds if s.type == "Observation")
    assert (
        results.runs == 3 and results.found > 100 and results.cut_size is not None and results.cut_size < results.size
    )


async def test_a_server_that_is_slow_is_left_in_time(look: Look) -> None:
    report = await look(seconds=0.0)
    assert report.usable and report.speeds == () and told(report, "the time was over").level == "note"


async def test_a_report_is_json_without_the_patient(look: Look) -> None:
    for patient in (ROBERT, None):
        text = json.dumps((await look(patient=patient, runs=1)).as_json())
        assert "demo-" not in text and json.loads(text)["usable"] is True


def test_every_kind_of_question_has_its_words() -> None:
    assert set(KIND_WORDS) == set(KIND_TYPES)


@pytest.mark.parametrize(
    ("names", "level", "words"),
    [
        (("patient",), "poor", "the patient parameter is ignored"),
        (("code",), "poor", "not filtered by code"),
        (("category",), "poor", "not filtered by category"),
        (("date",), "poor", "not filtered by date"),
        (("_elements",), "note", "_elements is not heeded"),
        (("_summary",), "note", "_summary=count is not heeded"),
        (("_count",), "note", "_count is not heeded"),
        (("chartline-unknown",), "note", "unknown search parameter is ignored silently"),
    ],
)
async def test_a_claim_that_is_not_true_is_found(look: Look, names: tuple[str, ...], level: str, words: str) -> None:
    report = await look(without(*names))
    assert told(report, words).level == level and report.usable


async def test_a_page_link_to_another_origin_is_found(look: Look) -> None:
    def away(document: Any) -> Any:
        for link in document.get("link", ()):
            if link["relation"] == "next":
                link["url"] = "https://elsewhere.example/next"
        return document

    finding = told(await look(after=away), "another origin")
    assert finding.level == "poor" and "public base URL" in finding.remedy and "elsewhere" not in finding.text


async def test_pages_that_repeat_are_found(look: Look) -> None:
    def again(document: Any) -> Any:
        own = next((x["url"] for x in document.get("link", ()) if x["relation"] == "self"), None)
        for link in document.get("link", ()):
            link["url"] = own
        return document

    assert told(await look(after=again), "the second page repeats the first").level == "poor"


async def test_batches_that_are_refused_are_found(look: Look) -> None:
    def no_post(request: httpx.Request) -> httpx.Request | httpx.Response:
        return httpx.Response(405) if request.method == "POST" else request

    assert told(await look(no_post), "a batch is not answered (405)").level == "note"


async def test_what_a_server_does_not_offer_is_told_by_question(look: Look) -> None:
    gone = ("Condition", "MedicationDispense", "Binary")

    def less(document: Any) -> Any:
        if document["resourceType"] == "CapabilityStatement":
            document["software"] = {"name": "Some server"}
            rest = document["rest"][0]
            rest["resource"] = [r for r in rest["resource"] if r["type"] not in gone]
            for row in rest["resource"]:
                if row["type"] == "Observation":
                    row["searchParam"] = [p for p in row["searchParam"] if p["name"] in ("patient", "category")]
            rest["interaction"] = []
        return document

    report = await look(after=less)
    assert told(report, "conditions and problems: not answered").level == "poor"
    assert "answered from MedicationRequest, MedicationStatement" in told(report, "medications: ").text
    assert told(report, "does not say that Binary can be read").level == "note"
    assert told(report, "no batch").level == "note"
    assert told(report, "profile generic").level == "note"
    results = next(n for n in report.needs if n.type == "Observation")
    assert (results.abilities["code"], results.abilities["category"]) == ("here", "server")


# Credentials.


async def test_scopes_that_are_missing_are_named(look: Look) -> None:
    scope = "patient/Patient.rs patient/Observation.rs?category=laboratory patient/MedicationRequest.rs"
    report = await look(auth=Bearer(BASE, "t", scope=scope), runs=1)
    missing = told(report, "conditions and problems: not answered")
    assert "scope missing: patient/Condition.rs" in missing.text and "granted" in missing.remedy
    part = told(report, "results and vital signs: answered from Observation, and told as incomplete")
    assert "category=laboratory allows only a part" in part.text
    drugs = told(report, "medications: answered from MedicationRequest, and told as incomplete")
    assert "patient/MedicationDispense.rs" in drugs.text
    assert "patient/Binary.rs" in told(report, "bodies of notes and reports are not read").remedy
    asked = told(report, "scopes that questions need are not granted").remedy
    assert "patient/Condition.rs patient/MedicationStatement.rs" in asked and "patient/Patient" not in asked
    assert "granted patient/Patient.rs" in told(report, "bearer credentials are taken").text
    assert {s.type for s in report.speeds} == {"Patient", "Observation", "MedicationRequest"}


async def test_a_chart_that_anybody_can_read_is_told(look: Look) -> None:
    assert told(await look(auth=Bearer(BASE, "t")), "without credentials as well").level == "note"


def guarded(request: httpx.Request) -> httpx.Request | httpx.Response:
    """Everything but the CapabilityStatement wants a token."""
    if request.url.path in ("/metadata", "/.well-known/smart-configuration", "/token"):
        return request
    return request if request.headers.get("authorization") == "Bearer right" else httpx.Response(401)


async def test_a_server_that_wants_credentials(look: Look) -> None:
    report = await look(guarded)
    finding = told(report, "the server wants credentials, and none are set")
    assert not report.usable and finding.level == "bad" and "CHARTLINE_FHIR_TOKEN" in finding.remedy
    report = await look(guarded, auth=Bearer(BASE, "wrong"), patient=None)
    assert not report.usable and told(report, "refuses the bearer credentials (401)").remedy
    assert report.speeds == () and not any(f.area == "claims" for f in report.findings)
    assert (await look(guarded, auth=Bearer(BASE, "right"))).usable


async def test_a_token_that_is_refused_is_told_with_its_remedy(look: Look, key: SigningKey) -> None:
    def before(request: httpx.Request) -> httpx.Request | httpx.Response:
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(
                200, json={"token_endpoint": f"{BASE}/token", "capabilities": ["client-confidential"]}
            )
        if request.url.path == "/token":
            return httpx.Response(401, json={"error": "invalid_client"})
        return guarded(request)

    report = await look(before, auth=Backend(BASE, "app", key))
    finding = told(report, "the token endpoint refused (401, invalid_client)")
    assert not report.usable and (finding.area, finding.level) == ("auth", "bad") and "clock" in finding.text
    assert told(report, "SMART on FHIR is offered").level == "good"


async def test_a_token_endpoint_that_cannot_be_reached_is_told_apart_from_the_server(
    look: Look, key: SigningKey
) -> None:
    def before(request: httpx.Request) -> httpx.Request | httpx.Response:
        if request.url.host == "auth.example":
            raise httpx.ConnectError("refused", request=request)
        return guarded(request)

    report = await look(before, auth=Backend(BASE, "app", key, token_url="https://auth.example/token"))
    (finding,) = [f for f in report.findings if f.level == "bad"]
    assert finding.area == "auth" and "https://auth.example that was asked for a token" in finding.remedy


@pytest.fixture
def key() -> SigningKey:
    from joserfc.jwk import ECKey

    return SigningKey(ECKey.generate_key("P-384"))


# Servers that cannot be used.


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (answering(404), "neither metadata nor Patient is there (404)"),
        (answering(503), "503"),
        (answering(200, html="<html>Sign in</html>"), "a web page"),
        (answering(200, json={"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}), "R5"),
    ],
)
async def test_what_is_no_fhir_server_cannot_be_used(look: Look, before: Twist, words: str) -> None:
    report = await look(before)
    assert not report.usable and told(report, words).level == "bad" and told(report, words).remedy


async def test_a_server_that_breaks_down_on_the_way_is_told(look: Look) -> None:
    report = await look(lambda r: httpx.Response(500) if r.url.path == "/Observation" else r, runs=1)
    assert report.usable and all(f.level == "poor" for f in report.findings if "a trial failed" in f.text)
    assert sum("a trial failed" in f.text for f in report.findings) > 3
    assert "Observation" not in {s.type for s in report.speeds} and "Condition" in {s.type for s in report.speeds}


async def test_a_server_without_statement_is_used_with_care(look: Look) -> None:
    report = await look(lambda r: httpx.Response(404) if r.url.path == "/metadata" else r)
    assert report.usable and told(report, "shows no CapabilityStatement").remedy
    assert {n.abilities["patient"] for n in report.needs} == {"here"}


async def test_an_empty_server_and_a_wrong_patient(look: Look) -> None:
    def empty(document: Any) -> Any:
        return {**document, "entry": []} if document["resourceType"] == "Bundle" else document

    report = await look(after=empty, patient=None)
    assert report.usable and told(report, "no patient was found").remedy == "name one by --patient"
    report = await look(patient="nobody-here")
    assert told(report, "the patient cannot be read (404)").remedy.startswith("check --patient")


async def test_a_profile_of_the_settings_is_told(look: Look) -> None:
    report = await look(profile=profile("epic"))
    assert "set by CHARTLINE_FHIR_PROFILE" in told(report, "profile epic").text
