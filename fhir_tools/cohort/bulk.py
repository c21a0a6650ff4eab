"""Bulk Data `$export` as a client (HL7 Bulk Data Access 2.0): kick-off, polling, download, resume."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from fhir_tools.errors import SourceError, UserError
from fhir_tools.http import Http, Response
from fhir_tools.http.transfer import rest_of

__all__ = ["Told", "export"]

_STATE = "export.json"
_WAIT = 2.0
"""Seconds between two looks where the server names none; they double up to a minute."""
_LONGEST = 60.0


class Told(Protocol):
    """Told what an export is doing: `exporting` with the server's own words, `downloading` with files done of all."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """One step."""
        ...


async def export(
    http: Http,
    folder: Path,
    *,
    group: str = "",
    types: Sequence[str] = (),
    told: Told | None = None,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
) -> tuple[Path, ...]:
    """The NDJSON files of an export of all patients, or of a Group's, in a folder.

    Begun anew only where the folder does not hold one of this server that still runs or stands: what was downloaded
    stays. Raises SourceError where the server refuses, fails, or writes an error file that is not empty.
    """
    asked = f"{http.base} {group} {','.join(types)}"
    state = _state(folder, asked)
    manifest = state.get("manifest") or (await _poll(http, state["status"], told, sleep) if "status" in state else None)
    if manifest is None:
        status = await _kick_off(http, group, types)
        _keep(folder, {"asked": asked, "status": status})
        manifest = await _poll(http, status, told, sleep)
        if manifest is None:
            raise SourceError(f"{http.origin} no longer knows the export that it began; start it again")
    _keep(folder, {"asked": asked, "manifest": manifest})
    return await _download(http, folder, manifest, told)


def _state(folder: Path, asked: str) -> dict[str, Any]:
    """What an earlier run left; an export that asked for something else is forgotten with its files."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        state: dict[str, Any] = orjson.loads((folder / _STATE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        state = {}
    if state.get("asked") == asked:
        return state
    for file in folder.glob("*.ndjson"):
        file.unlink()
    return {}


def _keep(folder: Path, state: dict[str, Any]) -> None:
    (folder / _STATE).write_bytes(orjson.dumps(state))


async def _kick_off(http: Http, group: str, types: Sequence[str]) -> str:
    """The status URL (Bulk Data 2.0, kick-off request)."""
    where = f"Group/{quote(group, safe='')}/$export" if group else "Patient/$export"
    query = f"?_type={quote(','.join(types), safe=',')}" if types else ""
    headers = {"accept": "application/fhir+json", "prefer": "respond-async"}
    answer = await http.send("GET", f"{where}{query}", headers=headers, safe=True)
    place = answer.headers.get("content-location", "")
    if answer.status != 202 or not place:
        raise _refused(http, answer, "did not begin an export")
    return place


async def _poll(
    http: Http, status: str, told: Told | None, sleep: Callable[[float], Awaitable[Any]]
) -> dict[str, Any] | None:
    """The manifest when it is there; None for an export that the server does not know (404)."""
    wait = _WAIT
    while True:
        answer = await http.send("GET", status, headers={"accept": "application/json"})
        if answer.status == 200:
            return _manifest(http, answer)
        if answer.status in (404, 410):
            return None
        if answer.status != 202:
            raise _refused(http, answer, "failed to export")
        if told:
            told(f"exporting {re.sub(r'[^ -~]', '', answer.headers.get('x-progress', ''))[:60]}".strip())
        after = rest_of(answer.headers)
        await sleep(wait if after is None else after)
        wait = min(wait * 2, _LONGEST)


def _manifest(http: Http, answer: Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.body)
        output = [{"type": str(o["type"]), "url": str(o["url"]), "count": o.get("count")} for o in found["output"]]
        errors = len(found.get("error") or ())
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{http.origin} told of an export in a form that is not Bulk Data's") from error
    if errors:
        raise SourceError(f"{http.origin} could not export everything ({errors} error files); ask who runs it")
    return {
        "output": output,
        "time": str(found.get("transactionTime", "")),
        "token": found.get("requiresAccessToken") is True,
    }


async def _download(http: Http, folder: Path, manifest: dict[str, Any], told: Told | None) -> tuple[Path, ...]:
    files = []
    for number, item in enumerate(manifest["output"], 1):
        if not re.fullmatch(r"[A-Za-z]{1,64}", item["type"]):
            raise SourceError(f"{http.origin} told of a file of no type of FHIR")
        path = folder / f"{number:05d}.{item['type']}.ndjson"
        files.append(path)
        if told:
            told("downloading", number - 1, len(manifest["output"]))
        if not path.exists():
            await _fetch(http, item, path)
    return tuple(files)


async def _fetch(http: Http, item: dict[str, Any], path: Path) -> None:
    answer = await http.send("GET", item["url"], headers={"accept": "application/fhir+ndjson"})
    if answer.status != 200:
        raise _refused(http, answer, "did not give a file of its export")
    lines = sum(1 for line in answer.body.splitlines() if line.strip())
    if isinstance(item["count"], int) and item["count"] != lines:
        raise SourceError(f"{http.origin} told of {item['count']} resources in a file and sent {lines}; load again")
    part = path.with_suffix(".part")
    part.write_bytes(answer.body)
    part.rename(path)


def _refused(http: Http, answer: Response, what: str) -> SourceError | UserError:
    status = f"{answer.status}"
    remedy = {
        "401": "check the credentials",
        "403": "ask for the scope system/*.read",
        "404": "it may not offer $export, or not have the Group",
    }.get(status, "ask who runs it")
    return SourceError(f"{http.origin} {what} ({status}); {remedy}", status=answer.status, outcome=answer.outcome)
