"""SMART App Launch against an authorization server that checks PKCE, state, audience and clients."""

from __future__ import annotations

import time

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from agent.service.access import attempts
from fhir_tools.auth.keys import SigningKey
from tests.agent.service.access.conftest import Launching, csrf, launch, through
from tests.agent.service.access.ehr import Ehr
from tests.agent.service.conftest import MARIA

pytestmark = pytest.mark.loopback
ROBERT = "demo-robert-keller"


async def ask(client: httpx.AsyncClient, question: str, **more: str) -> httpx.Response:
    return await client.post("/v1/ask", json={"question": question, **more}, headers=await csrf(client))


async def test_an_ehr_launches_with_its_patient(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        done = await launch(client, ehr, MARIA)
        assert (done.status_code, done.headers["location"]) == (303, "http://localhost/")
        me = (await client.get("/v1/me")).json()
        assert (me["via"], me["patient"]) == ("launch", MARIA)
        assert me["name"] == "Dr 1 (Practitioner/1) at Test EHR"
        assert me["launch"] == {
            "server": "Test EHR", "encounter": None, "intent": None, "banner": True, "fhir_context": []
        }  # fmt: skip
        answer = (await ask(client, "last A1c?")).json()
    assert answer["status"] == "answered"
    assert answer["patient"].endswith(MARIA)
    assert ehr.asked, "the FHIR server was asked"
    assert {line.split()[0] for line in ehr.asked if "metadata" not in line} == set(ehr.tokens)


async def test_the_launch_patient_is_the_only_one(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        response = await ask(client, "last A1c?", patient=ROBERT)
    assert (response.status_code, response.json()["type"]) == (403, "urn:chartline:problem:another-patient")
    assert not any(ROBERT in line for line in ehr.asked)


async def test_a_user_alone_chooses_among_those_that_the_server_shows(ehr: Ehr, launching: Launching) -> None:
    async with launching('standalone_scopes = "openid fhirUser user/*.rs"') as client:
        response = await client.get("/launch/standalone", params={"iss": ehr.iss})
        assert "launch=" not in response.headers["location"]
        await through(client, response)
        assert (await client.get("/v1/me")).json()["patient"] is None
        assert (await ask(client, "last A1c?")).status_code == 422
        assert (await ask(client, "last A1c?", patient=MARIA)).json()["status"] == "answered"
        assert (await ask(client, "last A1c?", patient="nobody")).status_code == 404


async def test_a_patient_may_be_named_as_a_reference(ehr: Ehr, launching: Launching) -> None:
    ehr.changes = {"patient": f"Patient/{MARIA}"}
    async with launching() as client:
        await launch(client, ehr, MARIA)
        assert (await client.get("/v1/me")).json()["patient"] == MARIA
        assert (await ask(client, "last A1c?")).json()["status"] == "answered"


async def test_a_patient_that_is_no_id_signs_nobody_in(ehr: Ehr, launching: Launching) -> None:
    ehr.changes = {"patient": "Group/1"}
    async with launching() as client:
        assert (await launch(client, ehr, MARIA)).status_code == 502
        assert (await client.get("/v1/me")).status_code == 401


async def test_patient_scopes_need_a_patient(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        response = await through(client, await client.get("/launch/standalone", params={"iss": ehr.iss}))
        assert response.status_code == 403
        assert "named no patient" in response.json()["detail"]


async def test_what_was_not_granted_makes_an_answer_incomplete(ehr: Ehr, launching: Launching) -> None:
    ehr.scope = "openid fhirUser launch patient/Patient.rs patient/Condition.rs"
    async with launching() as client:
        await launch(client, ehr, MARIA)
        answer = (await ask(client, "last A1c?")).json()
    assert answer["status"] == "incomplete"
    assert "patient/Observation.rs" in str(answer["searched"]) + str(answer["warnings"])


async def test_a_part_of_a_type_is_granted(ehr: Ehr, launching: Launching) -> None:
    """A granular scope over vital signs does not tell of laboratory results."""
    ehr.scope = "openid launch patient/Patient.rs patient/Observation.rs?category=vital-signs"
    async with launching() as client:
        await launch(client, ehr, MARIA)
        answer = (await ask(client, "last ferritin?")).json()
    assert answer["status"] in ("incomplete", "refused")


async def test_the_context_of_a_launch_is_kept(ehr: Ehr, launching: Launching) -> None:
    ehr.changes = {
        "encounter": "e1", "intent": "reconcile-medications", "need_patient_banner": False,
        "smart_style_url": "https://styles.example/x.json",
        "fhirContext": [{"reference": "ImagingStudy/7"}, {"reference": "Task/1", "role": "launch"}],
    }  # fmt: skip
    async with launching() as client:
        await launch(client, ehr, MARIA)
        me = (await client.get("/v1/me")).json()
    assert me["launch"] == {
        "server": "Test EHR", "encounter": "e1", "intent": "reconcile-medications", "banner": False,
        "fhir_context": [{"reference": "ImagingStudy/7"}, {"reference": "Task/1", "role": "launch"}],
    }  # fmt: skip
    assert "styles.example" not in str(me)


# Clients.


async def test_a_client_with_a_secret(ehr: Ehr, launching: Launching) -> None:
    ehr.secret = "s3cret/+"
    async with launching('client_secret = "s3cret/+"') as client:
        assert (await launch(client, ehr, MARIA)).headers["location"] == "http://localhost/"


async def test_a_client_with_a_key(ehr: Ehr, launching: Launching, tmp_path) -> None:
    key = ECKey.generate_key("P-384")
    path = tmp_path / "key.pem"
    path.write_bytes(key.as_pem(private=True))
    path.chmod(0o600)
    ehr.key = SigningKey(key, kid="k1").public()
    async with launching('key = "key.pem"\nkey_id = "k1"') as client:
        assert (await launch(client, ehr, MARIA)).headers["location"] == "http://localhost/"


# What is refused.


async def test_a_launch_from_elsewhere_is_refused_and_nothing_is_asked_there(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        response = await client.get("/launch", params={"iss": "https://evil.example/fhir", "launch": "x"})
        assert response.status_code == 403
        assert "evil" not in response.text


async def test_another_browsers_answer_is_refused(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        client.cookies.clear()
        response = await through(client, begun)
        assert (response.status_code, response.json()["type"]) == (403, "urn:chartline:problem:launch")
        assert (await client.get("/v1/me")).status_code == 401


async def test_launches_under_way_fill_no_disk(ehr: Ehr, launching: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST", 2)
    async with launching() as client:
        found = [await client.get("/launch/standalone", params={"iss": ehr.iss}) for _ in range(3)]
        assert [one.status_code for one in found] == [303, 303, 503]
        assert found[2].headers["retry-after"] == "30"


async def test_a_session_that_somebody_else_chose_is_not_taken_up(ehr: Ehr, launching: Launching) -> None:
    """Session fixation: a cookie from before the sign-in opens nothing after it."""
    ehr.patient, planted = MARIA, "A" * 43
    async with launching() as client:
        client.cookies.set("chartline_session", planted)
        response = await through(client, await client.get("/launch/standalone", params={"iss": ehr.iss}))
        assert response.status_code == 303
        given = response.headers["set-cookie"].partition("chartline_session=")[2].partition(";")[0]
        client.cookies.clear()
        for token, status in ((planted, 401), (given, 200)):
            told = await client.get("/v1/me", headers={"Cookie": f"chartline_session={token}"})
            assert told.status_code == status


async def test_an_answer_is_good_once(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        async with httpx.AsyncClient() as browser:
            there = (await browser.get(begun.headers["location"])).headers["location"]
        kept = dict(client.cookies)
        assert (await client.get(there)).status_code == 303
        client.cookies.update(kept)
        assert (await client.get(there)).status_code == 403


@pytest.mark.parametrize(("after", "status"), [(590.0, 303), (601.0, 403)])
async def test_a_launch_is_over_in_ten_minutes(ehr: Ehr, launching: Launching, after: float, status: int) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        client._transport.app.state.parts.entrance.attempts._clock = lambda: time.time() + after
        assert (await through(client, begun)).status_code == status


@pytest.mark.parametrize("state", ["", "x" * 43, "é"])
async def test_a_wrong_state_is_refused(launching: Launching, state: str) -> None:
    async with launching() as client:
        assert (await client.get("/launch/callback", params={"state": state, "code": "c"})).status_code == 403


async def test_a_code_that_was_used_is_refused_by_the_server(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        async with httpx.AsyncClient() as browser:
            there = (await browser.get(begun.headers["location"])).headers["location"]
        ehr.codes.clear()
        response = await client.get(there)
        assert (response.status_code, response.json()["type"]) == (502, "urn:chartline:problem:launch")


async def test_an_answer_that_names_another_issuer_is_refused(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        async with httpx.AsyncClient() as browser:
            there = httpx.URL((await browser.get(begun.headers["location"])).headers["location"])
        response = await client.get(there.copy_set_param("iss", "https://other.example"))
        assert response.status_code == 403
        assert len(ehr.codes) == 1, "the code was sent to nobody"


async def test_an_error_of_another_issuer_is_not_told(ehr: Ehr, launching: Launching) -> None:
    """RFC 9207 2.4: it may be anybody's word."""
    ehr.error = "access_denied"
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        async with httpx.AsyncClient() as browser:
            there = httpx.URL((await browser.get(begun.headers["location"])).headers["location"])
        response = await client.get(there.copy_set_param("iss", "https://other.example"))
        assert response.status_code == 403 and "declined" not in response.text and "another server" in response.text


async def test_a_server_that_does_not_say_who_it_is_cannot_be_held_to_it(ehr: Ehr, launching: Launching) -> None:
    """`issuer` of smart-configuration goes with identity tokens; the sign-in behind it may name itself all the same."""
    ehr.patient, ehr.discovery, ehr.scope = MARIA, {"issuer": None, "jwks_uri": None}, "patient/*.rs"
    async with launching() as client:
        response = await through(client, await client.get("/launch/standalone", params={"iss": ehr.iss}))
        assert response.status_code == 303, response.text


async def test_aud_is_the_iss_of_the_launch_to_the_letter(ehr: Ehr, launching: Launching) -> None:
    ehr.launches["one"], ehr.audience = MARIA, f"{ehr.iss}/"
    async with launching() as client:
        for iss, status in ((f"{ehr.iss}/", 303), (ehr.iss, 400)):
            begun = await client.get("/launch", params={"iss": iss, "launch": "one"})
            async with httpx.AsyncClient() as browser:
                sent = await browser.get(begun.headers["location"])
            assert sent.status_code == (302 if status == 303 else 400)


async def test_an_issuer_that_must_be_named_is(ehr: Ehr, launching: Launching) -> None:
    ehr.patient, ehr.discovery = MARIA, {"authorization_response_iss_parameter_supported": True}
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        async with httpx.AsyncClient() as browser:
            there = httpx.URL((await browser.get(begun.headers["location"])).headers["location"])
        assert (await client.get(there.copy_remove_param("iss"))).status_code == 403


async def test_a_refusal_is_told_in_our_words(ehr: Ehr, launching: Launching) -> None:
    ehr.error = "access_denied"
    async with launching() as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        response = await through(client, begun)
        assert "it was declined there" in response.json()["detail"]


async def test_a_person_is_told_on_a_page(launching: Launching) -> None:
    async with launching() as client:
        asked = {"iss": "https://evil.example/<b>"}
        response = await client.get("/launch/standalone", params=asked, headers={"Accept": "text/html"})
    assert response.headers["content-type"].startswith("text/html")
    assert "<b>" not in response.text
    assert response.url.join(response.text.partition('href="')[2].partition('"')[0]).path == "/"
    assert response.status_code == 403


SHARED = OctKey.generate_key(256)
STRANGER = RSAKey.generate_key(2048, {"kid": "one"})


CLAIMS = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another"},
    {"aud": None},
    {"iss": "https://another.example"},
    {"exp": 1},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": 99_999_999_999},
    {"azp": "another"},
    {"sub": None},
    {"at_hash": "b2Ygc29tZSBvdGhlcg"},
    {"at_hash": 7},
]
"""Claims of an identity token, each of them wrong."""


async def test_a_wrong_identity_token_signs_nobody_in(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching() as client:
        for ehr.claims in CLAIMS:
            begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
            response = await through(client, begun)
            assert (response.status_code, response.json()["type"]) == (403, "urn:chartline:problem:launch"), ehr.claims
            assert (await client.get("/v1/me")).status_code == 401


async def test_an_identity_token_of_another_key_signs_nobody_in(ehr: Ehr, launching: Launching) -> None:
    ehr.identity_key, ehr.patient = STRANGER, MARIA
    async with launching() as client:
        response = await through(client, await client.get("/launch/standalone", params={"iss": ehr.iss}))
        assert response.status_code == 403


async def test_no_token_of_a_launch_without_openid_is_anybodys_name(ehr: Ehr, launching: Launching) -> None:
    """Two users whom the server does not name are two, and share nothing."""
    async with launching('scopes = "patient/*.rs"') as client:
        await launch(client, ehr, MARIA)
        first = await client.get("/v1/me")
        assert first.json()["name"] == "a user at Test EHR"


@pytest.mark.parametrize(
    ("discovery", "words"),
    [
        ({"authorization_endpoint": None}, "no authorization endpoint"),
        ({"authorization_endpoint": "http://elsewhere.example/authorize"}, "not https"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"grant_types_supported": ["client_credentials"]}, "authorization_code"),
    ],
)
async def test_a_server_that_cannot_be_used_is_told(
    ehr: Ehr, launching: Launching, discovery: dict, words: str
) -> None:
    ehr.discovery = discovery
    async with launching() as client:
        response = await client.get("/launch/standalone", params={"iss": ehr.iss})
        assert response.status_code == 502
        assert words in response.json()["detail"]
