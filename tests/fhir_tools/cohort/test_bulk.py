"""Bulk Data exports from our own server: kick-off, polling, download, resume."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from benchmarks.cohorts import chart
from fhir_tools.cohort.bulk import export
from fhir_tools.errors import SourceError
from fhir_tools.http import Http, Limits
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app

BASE = "http://127.0.0.1/fhir"


def served() -> httpx.AsyncBaseTransport:
    store = LocalStore(":memory:")
    with store.transaction():
        for number in range(3):
            for resource in chart(number):
                store.put(resource)
    return httpx.ASGITransport(create_app(store))


async def quick(_: float) -> None:
    import asyncio

    await asyncio.sleep(0.01)


async def test_an_export_comes_as_files_and_is_not_fetched_twice(tmp_path: Path) -> None:
    said: list[str] = []
    async with Http("http://127.0.0.1", transport=served()) as http:
        files = await export(
            http, tmp_path, types=("Patient", "Observation"), sleep=quick, told=lambda w, *_: said.append(w)
        )
        again = await export(http, tmp_path, types=("Patient", "Observation"), sleep=quick)
    assert files == again and {f.name.split(".")[1] for f in files} == {"Patient", "Observation"}
    assert sum(len(f.read_text().splitlines()) for f in files if ".Patient." in f.name) == 3
    assert "downloading" in said


async def test_a_file_that_is_missing_is_fetched_alone(tmp_path: Path) -> None:
    async with Http("http://127.0.0.1", transport=served()) as http:
        files = await export(http, tmp_path, types=("Patient", "Observation"), sleep=quick)
        kept = files[0].stat().st_mtime_ns
        files[1].unlink()
        await export(http, tmp_path, types=("Patient", "Observation"), sleep=quick)
    assert files[1].exists() and files[0].stat().st_mtime_ns == kept


class Scripted(httpx.AsyncBaseTransport):
    """Answers in turn."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked = list(answers), []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)


async def test_the_server_says_when_to_look_again(tmp_path: Path) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    server = Scripted(
        httpx.Response(202, headers={"content-location": "https://h/fhir/status"}),
        httpx.Response(202, headers={"retry-after": "17"}),
        httpx.Response(202),
        httpx.Response(200, json={"output": [], "transactionTime": "2025-01-01T00:00:00Z"}),
    )
    async with Http("https://h/fhir", transport=server) as http:
        assert await export(http, tmp_path, group="a b", sleep=wait) == ()
    assert waits == [17.0, 4.0] and "Group/a%20b/$export" in str(server.asked[0].url)
    assert server.asked[0].headers["prefer"] == "respond-async"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((httpx.Response(403),), "system"),
        ((httpx.Response(200, json={}),), "did not begin"),
        (
            (
                httpx.Response(202, headers={"content-location": "s"}),
                httpx.Response(200, json={"output": [], "error": [{}]}),
            ),
            "1 error files",
        ),
        (
            (httpx.Response(202, headers={"content-location": "s"}), httpx.Response(200, content=b"{")),
            "not Bulk Data's",
        ),
        (
            (
                httpx.Response(202, headers={"content-location": "s"}),
                httpx.Response(200, json={"output": [{"type": "Patient", "url": "f", "count": 2}]}),
                httpx.Response(200, content=b'{"resourceType":"Patient"}\n'),
            ),
            "sent 1",
        ),
    ],
)
async def test_what_the_server_refuses_or_cuts_is_told(
    tmp_path: Path, answers: tuple[httpx.Response, ...], said: str
) -> None:
    async with Http("https://h/fhir", transport=Scripted(*answers), limits=Limits(attempts=1)) as http:
        with pytest.raises(SourceError, match=said):
            await export(http, tmp_path, sleep=quick)
