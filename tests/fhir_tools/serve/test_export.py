"""Bulk Data $export."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app

Told = Callable[[httpx.Response, int], str]
ASYNC = {"Prefer": "respond-async", "Accept": "application/fhir+json"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.ndjson"))


async def exported(client: httpx.AsyncClient, path: str) -> dict[str, list[str]]:
    """Type → ids of an export that was asked for, waited for and fetched."""
    start = await client.get(path, headers=ASYNC)
    assert start.status_code == 202, start.text
    manifest = await finished(client, start.headers["content-location"])
    assert manifest["requiresAccessToken"] is False and manifest["error"] == []
    found = {}
    for item in manifest["output"]:
        answer = await client.get(item["url"])
        assert answer.headers["content-type"].startswith("application/fhir+ndjson")
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert len(rows) == item["count"] and {r["resourceType"] for r in rows} == {item["type"]}
        found[item["type"]] = sorted(r["id"] for r in rows)
    return found


async def finished(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    while answer.status_code == 202:
        assert answer.headers["retry-after"] and answer.headers["x-progress"]
        await asyncio.sleep(0)
        answer = await client.get(url)
    assert answer.status_code == 200 and answer.headers["expires"]
    return dict(answer.json())


async def test_all_of_it(store: LocalStore, reader: httpx.AsyncClient) -> None:
    found = await exported(reader, "$export")
    assert sum(map(len, found.values())) == 23
    assert found["Patient"] == ["ann", "bob"]
    assert set(await exported(reader, "$export?_type=Patient,Device,Slot")) == {"Patient", "Device"}
    assert await exported(reader, "$export?_since=2999-01-01T00:00:00Z&_outputFormat=application/fhir%2Bndjson") == {}


async def test_patients_and_groups(reader: httpx.AsyncClient) -> None:
    every = await exported(reader, "Patient/$export")
    assert "Binary" not in every and "Group" not in every
    assert every["Medication"] == ["med"] and every["Device"] == ["pump"]
    group = await exported(reader, "Group/both/$export")
    assert group["Patient"] == ["ann"] and "Device" not in group and len(group["Observation"]) == 8


async def test_a_cancelled_export_is_gone(reader: httpx.AsyncClient, told: Told, tmp_path: Path) -> None:
    url = (await reader.get("$export", headers=ASYNC)).headers["content-location"]
    manifest = await finished(reader, url)
    assert files(tmp_path)
    assert (await reader.delete(url)).status_code == 202
    for gone in (url, manifest["output"][0]["url"]):
        told(await reader.get(gone), 404)
    told(await reader.delete(url), 404)
    assert not files(tmp_path)


async def test_what_is_refused(reader: httpx.AsyncClient, told: Told) -> None:
    assert "respond-async" in told(await reader.get("$export"), 400)
    for query in ("_type=Nope", "_since=soon", "_outputFormat=csv", "_typeFilter=Patient?x=1"):
        told(await reader.get(f"$export?{query}", headers=ASYNC), 400)
    lenient = {**ASYNC, "Prefer": "respond-async, handling=lenient"}
    assert (await reader.get("$export?_typeFilter=x", headers=lenient)).status_code == 202
    told(await reader.get("Group/none/$export", headers=ASYNC), 404)
    told(await reader.post("$export", headers=ASYNC), 405)
    url = (await reader.get("$export", headers=ASYNC)).headers["content-location"]
    await finished(reader, url)
    place = url.replace("$export-status", "$export-file")
    for name in ("Patient", "Nope.ndjson", "..%2Fx", "%2e%2e"):
        told(await reader.get(f"{place}/{name}"), 404)


async def test_only_so_many_at_once(store: LocalStore, reader: httpx.AsyncClient, told: Told) -> None:
    with store.transaction():
        for n in range(600):
            store.put({"resourceType": "Organization", "id": f"x{n}"})
    answers = await asyncio.gather(*(reader.get("$export", headers=ASYNC) for _ in range(8)))
    refused = [a for a in answers if a.status_code == 429]
    assert refused and all(a.headers["retry-after"] for a in refused)
    for answer in answers:
        if answer.status_code == 202:
            await finished(reader, answer.headers["content-location"])


async def test_files_go_when_the_server_stops(store: LocalStore, tmp_path: Path) -> None:
    for orderly in (True, False):
        app = create_app(store)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x/") as client:
            if orderly:
                async with app.router.lifespan_context(app):
                    await exported(client, "$export")
                    assert files(tmp_path)
            else:
                await exported(client, "$export")
        del app, client
        gc.collect()
        assert not files(tmp_path)


async def test_a_fault_of_the_disk_fails_the_export_alone(
    reader: httpx.AsyncClient, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space for Patient/ann")

    monkeypatch.setattr("fhir_tools.serve.export._write", full)
    url = (await reader.get("$export", headers=ASYNC)).headers["content-location"]
    for _ in range(5):
        await asyncio.sleep(0)
    told(await reader.get(url), 500)
    assert "OSError" in caplog.text and "ann" not in caplog.text
