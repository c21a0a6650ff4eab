"""The OpenAPI document: that it is complete, and that the service does what it says (schemathesis)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from agent.service.app import create_app
from agent.service.examples import ANSWER
from agent.service.problems import MEDIA
from agent.types import Answer
from tests.agent.service.conftest import FOLDER, MARIA, settings_in
from tests.agent.service.listening import listening

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
LEFT_OUT: dict[str, str] = {}
"""Path → why schemathesis does not ask there."""


def app_in(folder: Path) -> FastAPI:
    return create_app(settings_in(folder), fhir=(str(FOLDER),))


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    return app_in(tmp_path).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((f"{method} {path}", methods[method]) for method in METHODS if method in methods)


def test_every_route_says_what_it_is_for(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag.get("description") for tag in document["tags"]}
    for name, operation in operations(document):
        assert operation.get("summary") and operation.get("description"), name
        assert operation.get("tags") and all(tags.get(tag) for tag in operation["tags"]), name


def test_every_error_has_a_form(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        errors = {code: r for code, r in operation["responses"].items() if code[0] in "45"}
        assert {"429", "500", "503"} <= set(errors), name
        assert "401" in errors or operation["security"] == [], name
        for code, response in errors.items():
            assert response["description"] and response["content"], (name, code)
            if "application/json" not in response["content"]:
                assert MEDIA in response["content"], (name, code)


def test_what_is_referred_to_is_there(document: dict[str, Any]) -> None:
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])


def test_a_request_that_takes_a_body_shows_one(document: dict[str, Any]) -> None:
    for name in ("post /v1/ask", "post /v1/chat/completions"):
        content = dict(operations(document))[name]["requestBody"]["content"]["application/json"]
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        required = [schema["properties"][field] for field in schema["required"]]
        assert all("examples" in field for field in required), name


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    shown = 0
    for name, operation in operations(document):
        for code, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json", {})
            if "example" in media:
                shown += 1
                resolver = {**media["schema"], "components": document["components"]}
                jsonschema.validate(media["example"], resolver), (name, code)
    assert shown >= 2


async def test_the_answer_that_is_shown_is_what_is_answered(client: httpx.AsyncClient) -> None:
    asked = {"question": ANSWER["question"], "patient": MARIA, "as_of": ANSWER["as_of"]}
    told = Answer.model_validate((await client.post("/v1/ask", json=asked)).json())
    shown = Answer.model_validate(ANSWER)
    kept = {"usage", "trace", "searched"}  # what takes time, what names the run, and notes that were looked into
    assert told.model_dump(exclude=kept) == shown.model_dump(exclude=kept)


async def test_a_day_is_no_number(client: httpx.AsyncClient) -> None:
    for day in (0, 1.5, "2026", "20260615", "2026-06-15T00:00:00Z", "2026-02-30"):
        response = await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA, "as_of": day})
        assert response.status_code == 422 and "YYYY-MM-DD" in response.json()["detail"]


@pytest.mark.slow
@pytest.mark.loopback
async def test_the_service_does_what_it_describes(tmp_path: Path) -> None:
    """Examples, edge cases and made-up requests to every route: nothing breaks or is answered undocumented."""
    async with listening(app_in(tmp_path)) as base:
        left_out = [part for path in LEFT_OUT for part in ("--exclude-path", path)]
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{base}/openapi.json", *left_out,
            "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--generation-deterministic",
            "--max-examples", "25", "--continue-on-failure", "--no-color", "--suppress-health-check", "all",
            cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-8000:]
