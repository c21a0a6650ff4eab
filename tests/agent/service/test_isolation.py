"""Nobody reaches what is another's: each route of the OpenAPI document is of a class that is tried here."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from agent.service.access.keys import KeyFile
from agent.service.access.tokens import identity
from agent.service.app import create_app
from agent.service.callers import Caller, Gates
from agent.service.desk import Desk
from agent.service.jobs.store import JOBS
from agent.service.problems import Problem
from tests.agent.service.conftest import FOLDER, MARIA, client_of, settings_in

ROBERT = "demo-robert-keller"
MARKS = ("Maria", "1958-04-17", "D-10031")
"""What stands in the one chart alone, and is never asked for by name."""
TRIAL = {"text": "Inclusion Criteria:\n* Age 18 years or older\n"}
HOOK = {"hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
Asked = tuple[str, str, dict[str, Any]]


def _posted(path: str, **body: Any) -> Callable[[str], Asked]:
    return lambda patient: ("POST", path, {"json": {**body, "patient": patient}})


def _read(path: str) -> Callable[[str], Asked]:
    return lambda patient: ("GET", path.format(quote(patient, safe="")), {})


def _of(path: str) -> Callable[[str], Asked]:
    return lambda patient: ("GET", path, {"params": {"patient": patient}})


OF_A_PATIENT: Mapping[str, Callable[[str], Asked]] = {
    "POST /v1/ask": _posted("/v1/ask", question="date of birth?"),
    "POST /v1/threads": _posted("/v1/threads"),
    "GET /v1/threads": _of("/v1/threads"),
    "POST /v1/summaries": _posted("/v1/summaries"),
    "POST /v1/chat/completions": lambda patient: (
        "POST",
        "/v1/chat/completions",
        {
            "json": {"model": "chartline", "messages": [{"role": "user", "content": "date of birth?"}]},
            "headers": {"X-Chartline-Patient": quote(patient, safe="/ ")},
        },
    ),
    "GET /v1/evidence": lambda patient: (
        "GET",
        "/v1/evidence",
        {"params": {"patient": patient, "reference": f"Patient/{MARIA}"}},
    ),
    "GET /v1/evidence/{reference}": _of(f"/v1/evidence/Patient/{MARIA}"),
    "GET /v1/evidence/{reference}/frames/{number}.png": _of(f"/v1/evidence/Patient/{MARIA}/frames/1.png"),
    "GET /v1/patients/{id}": _read("/v1/patients/{}"),
    "GET /v1/patients/{id}/timeline": _read("/v1/patients/{}/timeline"),
    "GET /v1/patients/{id}/catalogue": _read("/v1/patients/{}/catalogue"),
    "GET /v1/patients/{id}/suggestions": _read("/v1/patients/{}/suggestions"),
    "POST /v1/trials/match": _posted("/v1/trials/match", trial=TRIAL),
    "POST /v1/trials/find": _posted("/v1/trials/find", trials=[TRIAL]),
}
"""A request about a patient, whom it names."""

OWN: Mapping[str, Callable[[Mapping[str, str]], Asked]] = {
    "GET /v1/questions/{id}": lambda ids: ("GET", f"/v1/questions/{ids['question']}", {}),
    "POST /v1/questions/{id}/record": lambda ids: (
        "POST", f"/v1/questions/{ids['question']}/record", {"json": {"confirm": True}}
    ),
    "GET /v1/threads/{id}": lambda ids: ("GET", f"/v1/threads/{ids['thread']}", {}),
    "POST /v1/ask": lambda ids: (
        "POST", "/v1/ask", {"json": {"question": "allergies?", "thread": ids["thread"]}}
    ),
    "DELETE /v1/threads/{id}": lambda ids: ("DELETE", f"/v1/threads/{ids['thread']}", {}),
    "GET /v1/jobs/{id}": lambda ids: ("GET", f"/v1/jobs/{ids['job']}", {}),
    "GET /v1/jobs/{id}/result": lambda ids: ("GET", f"/v1/jobs/{ids['job']}/result", {}),
    "GET /v1/jobs/{id}/events": lambda ids: ("GET", f"/v1/jobs/{ids['job']}/events", {}),
    "DELETE /v1/jobs/{id}": lambda ids: ("DELETE", f"/v1/jobs/{ids['job']}", {}),
    "GET /v1/trials/worklists/{job}": lambda ids: ("GET", f"/v1/trials/worklists/{ids['job']}", {}),
    "POST /v1/summaries/{id}/record": lambda ids: (
        "POST", f"/v1/summaries/{ids['summary']}/record", {"json": {"confirm": True}}
    ),
}  # fmt: skip
"""What somebody began, and asks for by its id."""

OF_SEVERAL: Mapping[str, Asked] = {
    "POST /v1/trials/screen": ("POST", "/v1/trials/screen", {"json": {"trial": TRIAL, "patients": [MARIA]}}),
    "POST /v1/cohort/ask": ("POST", "/v1/cohort/ask", {"json": {"question": "how many patients with diabetes?"}}),
    "POST /v1/cohort/screen": ("POST", "/v1/cohort/screen", {"json": {"trial": TRIAL}}),
}
"""About several patients: not for credentials of one."""

LISTS = {"GET /v1/patients", "GET /v1/threads", "GET /v1/jobs", "POST /v1/jobs"}
"""Of all that the caller may see; tried one by one below."""

NOBODYS = {
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /v1/me", "POST /v1/sign-in", "POST /v1/sign-out",
    "GET /.well-known/oauth-protected-resource", "GET /launch", "GET /launch/standalone", "GET /launch/callback",
    "GET /v1/models", "GET /v1/models/{model}", "GET /cds-services", "POST /v1/trials/compile",
}  # fmt: skip
"""Neither takes a patient nor tells of one; launches have tests of their own (access/test_launch.py)."""

HOOKS = {"POST /cds-services/{id}", "POST /cds-services/{id}/feedback"}
"""Of EHRs with tokens of their own (cds/test_gate.py): the ways in of others do not open them."""


class Named:
    """A gate that believes a test: `X-Who` is the user, `X-Bound` the patient of the credentials."""

    def challenge(self, request: Request) -> str:
        return ""

    async def caller(self, request: Request) -> Caller | None:
        who = request.headers.get("x-who")
        return Caller(id=who, name=who, via="token", patient=request.headers.get("x-bound")) if who else None


ANN = {"X-Who": "ann"}
ANN_OF_ROBERT = {**ANN, "X-Bound": ROBERT}
BOB = {"X-Who": "bob"}
BOB_OF_ROBERT = {**BOB, "X-Bound": ROBERT}
BOB_OF_MARIA = {**BOB, "X-Bound": MARIA}


def app_in(folder: Path, **changes: Any) -> FastAPI:
    return create_app(settings_in(folder, service_write_back=True, **changes), fhir=(str(FOLDER),))


@asynccontextmanager
async def believing(folder: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = app_in(folder, **changes)
    async with client_of(app) as client:
        app.state.parts = replace(app.state.parts, gates=Gates([Named()]))
        yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with believing(tmp_path) as client:
        yield client


async def sent(client: httpx.AsyncClient, asked: Asked, who: Mapping[str, str]) -> httpx.Response:
    method, path, options = asked
    headers = {**options.get("headers", {}), **who}
    return await client.request(method, path, **{**options, "headers": headers})


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    """What the look finds, once that is something."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110  what is waited for is another task's
            await asyncio.sleep(0.02)
        return found


def test_every_route_is_of_a_class(tmp_path: Path) -> None:
    """A new route has to be put into one of the classes above, so that it is tried as the others are."""
    document = app_in(tmp_path).openapi()
    routes = {f"{method.upper()} {path}" for path, about in document["paths"].items() for method in about}
    assert routes == {*OF_A_PATIENT, *OWN, *OF_SEVERAL, *LISTS, *NOBODYS, *HOOKS}


async def test_credentials_of_one_patient_open_no_other(client: httpx.AsyncClient) -> None:
    told = ""
    for route, asked in OF_A_PATIENT.items():
        for named in (MARIA, f"Patient/{MARIA}", f" {MARIA} "):
            answer = await sent(client, asked(named), BOB_OF_ROBERT)
            # An id with a slash is no part of a path.
            assert answer.status_code in ((403, 404) if "/" in named else (403,)), (route, answer.text)
            assert not any(mark in answer.text for mark in MARKS)
        told += (await sent(client, asked(MARIA), BOB_OF_MARIA)).text
    assert all(mark in told for mark in MARKS)  # they are what the right credentials are told


TRICKS = (
    f"{ROBERT}/../{MARIA}", f"Patient/{ROBERT}/../{MARIA}", f"../Patient/{MARIA}", f"./{MARIA}", f"{ROBERT}/{MARIA}",
    f"{ROBERT}%2F..%2F{MARIA}", f"%2e%2e/{MARIA}", f"{ROBERT}?patient={MARIA}", f"{ROBERT}&patient={MARIA}",
    f"{ROBERT}#{MARIA}", f"{ROBERT},{MARIA}", f"{ROBERT}|{MARIA}", f"{ROBERT};{MARIA}", f"{ROBERT} {MARIA}",
    f"{ROBERT}\n{MARIA}", f"{ROBERT}\0{MARIA}", MARIA.upper(), f"patient/{MARIA}", f"PATIENT/{MARIA}",
    f"Patient/Patient/{MARIA}", f"http://localhost/Patient/{MARIA}", f"urn:uuid:{MARIA}", f"{MARIA}/_history/1",
    f"{MARIA}\u200b", f"\ufeff{MARIA}", MARIA.replace("-", "\u2010"), "\uff44" + MARIA[1:], f"{MARIA}\u0301", "*", "",
)  # fmt: skip


async def test_no_spelling_of_a_patient_opens_another(client: httpx.AsyncClient) -> None:
    for route, trick in itertools.product(OF_A_PATIENT, TRICKS):
        try:
            answer = await sent(client, OF_A_PATIENT[route](trick), BOB_OF_ROBERT)
        except (UnicodeEncodeError, httpx.InvalidURL, httpx.LocalProtocolError):  # no client can send it
            continue
        assert not any(mark in answer.text for mark in MARKS), (route, trick)
        assert answer.status_code >= 400 or route == "GET /v1/patients/{id}", (trick, answer.text)


PARTS = (MARIA, ROBERT, "Patient", "/", "..", "%2F", "?", "patient=", "|", ",", " ")


@given(st.lists(st.sampled_from(PARTS), max_size=6))
def test_no_patching_of_ids_names_another(parts: list[str]) -> None:
    """The one place where a patient is read from a request: what it takes is the patient of the credentials."""
    bound = Caller(id="b", name="b", via="key", patient=ROBERT)
    with suppress(Problem):
        assert Desk(settings_in(Path("/nowhere"))).patient(bound, "".join(parts)) == ROBERT


@pytest.mark.parametrize("route", ["GET /v1/evidence", "GET /v1/evidence/{reference}"])
@pytest.mark.parametrize("who", [BOB_OF_ROBERT, BOB])
async def test_a_record_of_another_chart_is_as_one_that_is_not_there(
    client: httpx.AsyncClient, route: str, who: Mapping[str, str]
) -> None:
    """Whoever may see the patient: within a chart there is nothing but the chart's own."""
    mine = {"params": {"patient": MARIA}, "headers": ANN}
    timeline = (await client.get(f"/v1/patients/{MARIA}/timeline", headers=ANN)).json()
    for reference in (f"Patient/{MARIA}", *timeline["reference"][:40:8]):
        assert (await client.get(f"/v1/evidence/{reference}", **mine)).status_code == 200
        nobody = f"{reference.partition('/')[0]}/nobody-has-this"
        told = []
        for one in (reference, nobody):
            path, params = (f"/v1/evidence/{one}", {}) if "{" in route else ("/v1/evidence", {"reference": one})
            answer = await client.get(path, params={"patient": ROBERT, **params}, headers=who)
            body = answer.json()
            body.pop("request", None)
            told.append((answer.status_code, json.dumps(body).replace(one, "?")))
        assert told[0] == told[1], told
        assert "error" in told[0][1] or told[0][0] == 404
        frames = [
            await client.get(f"/v1/evidence/{one}/frames/1.png", params={"patient": ROBERT}, headers=who)
            for one in (reference, nobody)
        ]
        assert (
            len({(f.status_code, f.json()["type"], f.json()["detail"].replace(reference, nobody)) for f in frames}) == 1
        )


@pytest.mark.parametrize(
    "reference",
    [f"Patient/{ROBERT}/../{MARIA}", f"Patient/{MARIA}?x=", f"Patient%2F{MARIA}", f"Patient/{ROBERT}%2F..%2F{MARIA}",
     f"../v1/patients/{MARIA}", f"Patient/{MARIA}/_history/1",
     f"http://localhost/Patient/{MARIA}", f"Patient/{MARIA}/"],
)  # fmt: skip
async def test_no_spelling_of_a_reference_leaves_the_chart(client: httpx.AsyncClient, reference: str) -> None:
    for path in (f"/v1/evidence/{reference}", f"/v1/evidence/{reference}/frames/1.png"):
        answer = await client.get(path, headers=BOB_OF_ROBERT)
        assert answer.status_code >= 400 and not any(mark in answer.text for mark in MARKS), answer.text


async def begun(client: httpx.AsyncClient, who: Mapping[str, str]) -> Mapping[str, str]:
    """A thread with an answered question, a job that is done and a summary, of Maria."""
    thread = (await client.post("/v1/threads", json={"patient": MARIA}, headers=who)).json()["id"]
    asked = {"question": "date of birth?", "thread": thread}
    answer = await client.post("/v1/ask", json=asked, headers={**who, "Idempotency-Key": "k"})
    assert any(mark in answer.text for mark in MARKS)
    job = await client.post("/v1/jobs", json=JOB, headers={**who, "Idempotency-Key": "k"})
    assert job.status_code == 202, job.text

    async def done() -> bool:
        found = (await client.get(f"/v1/jobs/{job.json()['id']}", headers=who)).json()
        assert found["state"] != "failed", found
        return found["state"] == "done"

    await until(done)
    summary = (await client.post("/v1/summaries", json={"patient": MARIA}, headers=who)).json()["id"]
    question = answer.headers["content-location"].rpartition("/")[2]
    return {"thread": thread, "question": question, "job": job.json()["id"], "summary": summary}


JOB = {"kind": "trial-screening", "input": {"trial": TRIAL, "patients": [MARIA]}}


async def test_what_somebody_began_is_theirs(client: httpx.AsyncClient) -> None:
    """Also for the same user under credentials of another patient: then as if it were not there."""
    ids = await begun(client, ANN)
    nobody = dict.fromkeys(ids, "0" * 32)
    for who in (BOB, BOB_OF_MARIA, BOB_OF_ROBERT, ANN_OF_ROBERT):
        for route, asked in OWN.items():
            there, none = [await sent(client, asked(i), who) for i in (ids, nobody)]
            # Whether anything may be written here at all is told before whether there is something to write.
            refused = 403 if route.endswith("/record") or ("worklists" in route and "X-Bound" in who) else 404
            assert there.status_code == none.status_code == refused, (route, who, there.text)
            assert there.json()["detail"] == none.json()["detail"]
        assert (await client.get("/v1/threads", headers=who)).json()["threads"] == []
        assert (await client.get("/v1/jobs", headers=who)).json()["jobs"] == []
    for route, asked in OWN.items():  # and the owner has it all still
        if not route.startswith("DELETE"):
            answer = await sent(client, asked(ids), ANN)
            assert answer.status_code in (200, 201) or ("record" in route and answer.status_code == 403), (
                route,
                answer.text,
            )


async def test_another_s_word_for_a_question_is_no_key_to_it(client: httpx.AsyncClient) -> None:
    ids = await begun(client, ANN)
    asked = {"question": "date of birth?", "patient": MARIA}
    keyed = {"Idempotency-Key": "k"}
    answer = await client.post("/v1/ask", json={**asked, "patient": ROBERT}, headers={**BOB, **keyed})
    assert answer.headers["content-location"] != f"/v1/questions/{ids['question']}" and "1958-04-17" not in answer.text
    same_user = await client.post("/v1/ask", json={"question": "date of birth?"}, headers={**ANN_OF_ROBERT, **keyed})
    assert (same_user.status_code, same_user.json()["type"].rpartition(":")[2]) == (422, "key-reused")
    job = await client.post("/v1/jobs", json=JOB, headers={**BOB, **keyed})
    assert job.json()["id"] != ids["job"]
    bound = await client.post("/v1/jobs", json=JOB, headers={**ANN_OF_ROBERT, **keyed})
    assert (bound.status_code, bound.json()["type"].rpartition(":")[2]) == (422, "key-reused")


async def test_lists_are_of_what_may_be_seen(client: httpx.AsyncClient) -> None:
    assert len((await client.get("/v1/patients", headers=BOB)).json()["patients"]) == 3
    for search in ("", "santos", "maria", MARIA, "%", "*", "D-10031", "Patient/"):
        found = await client.get("/v1/patients", params={"search": search}, headers=BOB_OF_ROBERT)
        assert {p["id"] for p in found.json()["patients"]} <= {ROBERT} and "Maria" not in found.text
    assert [p["id"] for p in (await client.get("/v1/patients", headers=BOB_OF_ROBERT)).json()["patients"]] == [ROBERT]


@pytest.mark.parametrize("route", OF_SEVERAL)
async def test_credentials_of_one_patient_are_for_one(client: httpx.AsyncClient, route: str) -> None:
    answer = await sent(client, OF_SEVERAL[route], BOB_OF_ROBERT)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "another-patient")


@pytest.mark.parametrize(
    "job", [JOB, {"kind": "questions", "input": {"patients": [ROBERT, MARIA], "questions": ["date of birth?"]}}]
)
async def test_a_job_of_one_patients_credentials_tells_of_no_other(client: httpx.AsyncClient, job: Any) -> None:
    id_ = (await client.post("/v1/jobs", json=job, headers=BOB_OF_ROBERT)).json()["id"]

    async def ended() -> Any:
        found = (await client.get(f"/v1/jobs/{id_}", headers=BOB_OF_ROBERT)).json()
        return found if found["state"] not in ("waiting", "working") else None

    found = await until(ended)
    assert (found["state"], found["error"]["status"], found["done"]) == ("failed", 403, 0)


async def test_without_credentials_there_is_nothing(client: httpx.AsyncClient) -> None:
    none = dict.fromkeys(("thread", "question", "job", "summary"), "0" * 32)
    lists: list[Asked] = [("GET", "/v1/patients", {}), ("GET", "/v1/jobs", {}), ("POST", "/v1/jobs", {"json": JOB})]
    for asked in (*(a(MARIA) for a in OF_A_PATIENT.values()), *(a(none) for a in OWN.values()), *lists):
        assert (await sent(client, asked, {})).status_code == 401, asked
    for asked in OF_SEVERAL.values():
        assert (await sent(client, asked, {})).status_code == 401, asked


@pytest.mark.parametrize("who", [ANN, BOB_OF_MARIA])
async def test_callers_of_the_service_are_no_ehr(client: httpx.AsyncClient, who: Mapping[str, str]) -> None:
    body = {**HOOK, "context": {"userId": "Practitioner/1", "patientId": MARIA}}
    for path in ("/cds-services/chartline-patient-view", "/cds-services/chartline-patient-view/feedback"):
        assert (await client.post(path, json=body, headers=who)).status_code == 401


async def test_an_open_image_is_of_the_patient_of_the_credentials(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tokens of one user for two patients: the pages of one chart's images are not turned with the other's."""
    opened: list[str] = []
    studies = client._transport.app.state.parts.studies  # type: ignore[attr-defined]
    real = studies._open._open

    def opening(wanted: Any) -> Any:
        opened.append(wanted.patient)
        return real(wanted)

    monkeypatch.setattr(studies._open, "_open", opening)
    for who, patient in ((ANN_OF_ROBERT, ROBERT), ({**ANN, "X-Bound": MARIA}, MARIA)):
        await client.get("/v1/evidence/Media/m/frames/1.png", headers=who)
        assert opened[-1] == patient


async def asked_by_key(folder: Path) -> tuple[KeyFile, str]:
    """A service's folder with a key, and a question and a job of the key that a process left when it died."""
    keys = KeyFile(settings_in(folder).service_keys)
    _, text = keys.add("program", ROBERT)
    async with client_of(app_in(folder), headers={"Authorization": f"Bearer {text}"}) as client:
        asked = await client.post("/v1/ask", json={"question": "date of birth?"}, headers={"Idempotency-Key": "k"})
        job = {"kind": "questions", "input": {"patients": [ROBERT], "questions": ["date of birth?"]}}
        await client.post("/v1/jobs", json=job)
    with sqlite3.connect(folder / "service.sqlite") as database:
        database.execute("UPDATE runs SET state = 'working', holder = 'dead', answer = NULL, ended = NULL")
        database.execute("UPDATE jobs SET state = 'working', holder = 'dead', done = 0, total = NULL")
        database.execute("DELETE FROM job_units")
    database.close()
    return keys, asked.headers["content-location"].rpartition("/")[2]


@pytest.mark.parametrize("change", ["none", "removed", "another patient's"])
async def test_what_is_gone_on_with_is_what_its_key_may_still_ask(tmp_path: Path, change: str) -> None:
    keys, id_ = await asked_by_key(tmp_path)
    if change == "removed":
        keys.remove("program")
    elif change == "another patient's":
        told = json.loads(settings_in(tmp_path).service_keys.read_text())
        told["keys"][0]["patient"] = MARIA
        settings_in(tmp_path).service_keys.write_text(json.dumps(told))
    app = app_in(tmp_path, service_local=True)
    async with client_of(app):
        runs = app.state.parts.questions.runs

        async def ended() -> Any:
            run = await runs.one(id_)
            return run if run.state != "working" else None

        run = await until(ended)
    expected = {"none": ("answered", None), "removed": ("failed", 401), "another patient's": ("failed", 403)}[change]
    assert (run.state, run.error and run.error["status"]) == expected
    assert change == "none" or run.answer is None


async def test_a_key_that_is_taken_back_ends_its_job(tmp_path: Path) -> None:
    keys, _ = await asked_by_key(tmp_path)
    keys.remove("program")
    app = app_in(tmp_path, service_local=True)
    async with client_of(app):

        async def ended() -> Any:
            async with app.state.parts.database.connect() as connection:
                [job] = (await connection.execute(JOBS.select())).mappings()
            return job if job["state"] not in ("waiting", "working") else None

        job = await until(ended)
    assert (job["state"], job["error"]["status"], job["done"]) == ("failed", 401, 0)


def test_one_user_at_two_servers_is_two_callers() -> None:
    """One provider of identities can serve two FHIR servers, and a patient's id means somebody else on each."""
    claims = {"iss": "https://id.example", "sub": "42"}
    servers = ("https://a.example/fhir", "https://b.example/fhir", "")
    assert len({identity(claims, server) for server in servers}) == 3
