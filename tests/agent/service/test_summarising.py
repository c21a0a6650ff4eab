"""`POST /v1/summaries` and answers in the form that Accept names."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from agent.service.summarising import SummaryOut
from agent.summaries import KINDS
from tests.agent.service.conftest import MARIA

FHIR = {"Accept": "application/fhir+json"}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_as_json(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post("/v1/summaries", json={"patient": MARIA, "kind": kind})
    summary = SummaryOut.model_validate(response.json())
    marks = {c.mark for c in summary.citations}
    assert (summary.kind, summary.complete, summary.id) == (kind, True, None)
    assert all(set(line.marks) <= marks and line.marks for s in summary.sections for line in s.lines)


async def test_courses_are_data(client: httpx.AsyncClient) -> None:
    summary = (await client.post("/v1/summaries", json={"patient": MARIA, "kind": "labs"})).json()
    course = next(line["course"] for s in summary["sections"] for line in s["lines"] if line["course"])
    assert course["title"]
    assert len(course["points"]) >= 3
    assert course["points"] == sorted(course["points"], key=lambda p: p["when"])


@pytest.mark.parametrize(
    ("accept", "media", "fragment"),
    [
        ("text/html", "text/html", "<!DOCTYPE html>"),
        ("text/markdown", "text/markdown", "# Problems"),
        ("text/plain", "text/plain", "Problems"),
        ("text/html;q=0.1, text/plain;q=0.9", "text/plain", "Problems"),
        ("*/*", "application/json", '"kind":"problems"'),
        ("application/fhir+json", "application/fhir+json", '"type":"document"'),
    ],
)
async def test_forms_by_accept(client: httpx.AsyncClient, accept: str, media: str, fragment: str) -> None:
    response = await client.post(
        "/v1/summaries", json={"patient": MARIA, "kind": "problems"}, headers={"Accept": accept}
    )
    assert response.headers["content-type"].startswith(media)
    assert fragment in response.text


async def test_a_form_that_is_not_there(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/summaries", json={"patient": MARIA}, headers={"Accept": "application/pdf"})
    assert response.status_code == 406
    assert response.json()["type"].endswith("not-acceptable")


async def test_the_page_stands_alone_under_its_own_policy(client: httpx.AsyncClient) -> None:
    asked = {"patient": MARIA, "kind": "labs"}
    response = await client.post("/v1/summaries", json=asked, headers={"Accept": "text/html"})
    page, policy = response.text, response.headers["content-security-policy"]
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy
    assert " style=" not in page
    assert "<script" not in page


async def test_documents_are_fhir(client: httpx.AsyncClient) -> None:
    bundle = (await client.post("/v1/summaries", json={"patient": MARIA, "kind": "problems"}, headers=FHIR)).json()
    Bundle.model_validate(bundle)
    assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"


async def test_answers_are_fhir(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA}, headers=FHIR)
    assert response.headers["content-type"].startswith("application/fhir+json")
    Bundle.model_validate(response.json())
    origin = next(r for e in response.json()["entry"] if (r := e["resource"])["resourceType"] == "Provenance")
    assert origin["agent"][0]["onBehalfOf"]["identifier"]["value"]


async def test_an_unknown_patient_or_kind_is_a_problem(client: httpx.AsyncClient) -> None:
    nobody = await client.post("/v1/summaries", json={"patient": "nobody"})
    other = await client.post("/v1/summaries", json={"patient": MARIA, "kind": "horoscope"})
    assert (nobody.status_code, other.status_code) == (404, 422)
