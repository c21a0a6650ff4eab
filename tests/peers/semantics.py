"""Asking the same searches of several servers, and what they have in common."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx

from fhir_tools.errors import QueryError
from fhir_tools.search.query import parse
from fhir_tools.source import Source

__all__ = ["Found", "ask_peer", "ask_source", "difference", "searches"]

HERE = Path(__file__).parent
_BRACES = re.compile(r"\{([^{}]*)\}")


def searches(path: Path = HERE / "searches.txt") -> list[str]:
    """Every search of the list, its alternatives written out, each once."""
    lines = (line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#"))
    return list(dict.fromkeys(itertools.chain.from_iterable(map(_expanded, lines))))


def _expanded(line: str) -> Iterator[str]:
    found = _BRACES.search(line)
    if found is None:
        yield line
        return
    for part in _parts(found[1]):
        yield from _expanded(line[: found.start()] + part + line[found.end() :])


def _parts(text: str) -> list[str]:
    """Split on commas; an escaped one belongs to the search."""
    return re.split(r"(?<!\\),", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a server gave: ids of matches in order, `Type/id` of what was included; or why it refused."""

    matches: tuple[str, ...] = ()
    included: frozenset[str] = frozenset()
    refused: str | None = None


async def ask_source(source: Source, search: str) -> Found:
    """Of a chartline source."""
    try:
        result = await source.search(parse(search))
    except QueryError as error:
        return Found(refused=str(error))
    if not result.complete:
        return Found(refused=f"incomplete: {result.error}")
    return Found(matches=_ids(result.matches), included=frozenset(_names(result.included)))


def ask_peer(client: httpx.Client, base: str, search: str) -> Found:
    """Of a server, as plain HTTP: strictly (R4 3.1.0.1.2.1), so that it does not ignore what it does not know."""
    answer = client.get(f"{base}/{_url(search)}&_count=1000", headers={"Prefer": "handling=strict"})
    body = answer.json()
    if answer.status_code >= 400 or body["resourceType"] != "Bundle":
        return Found(refused=str(body)[:300])
    entries: list[Mapping[str, Any]] = body.get("entry", [])
    by_mode = {mode: [e["resource"] for e in entries if e["search"]["mode"] == mode] for mode in ("match", "include")}
    if outcome := [e for e in entries if e["search"]["mode"] == "outcome"]:
        return Found(refused=str(outcome)[:300])
    return Found(matches=_ids(by_mode["match"]), included=frozenset(_names(by_mode["include"])))


def _url(search: str) -> str:
    type_, _, query = search.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    return f"{type_}?" + "&".join(
        f"{quote(name, safe=':')}={quote(unquote(value), safe='')}" for name, _, value in pairs
    )


def _ids(resources: Any) -> tuple[str, ...]:
    return tuple(str(resource["id"]) for resource in resources)


def _names(resources: Any) -> Iterator[str]:
    return (f"{resource['resourceType']}/{resource['id']}" for resource in resources)


def difference(search: str, ours: Found, theirs: Found) -> str:
    """How two answers differ, in words; empty where they agree."""
    if ours.refused or theirs.refused:
        return f"refused: {ours.refused or theirs.refused}"
    said = []
    for name, a, b in (("match", set(ours.matches), set(theirs.matches)), ("include", ours.included, theirs.included)):
        if more := sorted(a - b):
            said.append(f"only ours ({name}): {', '.join(more[:8])}")
        if less := sorted(b - a):
            said.append(f"only theirs ({name}): {', '.join(less[:8])}")
    if not said and "_sort=" in search and ours.matches != theirs.matches:
        said.append(f"order: {', '.join(ours.matches[:8])} against {', '.join(theirs.matches[:8])}")
    return "; ".join(said)
