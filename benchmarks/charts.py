"""Charts of any size, made from a demo chart: copies under other ids, on other days, with other numbers."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import orjson

from fhir_tools import demo
from fhir_tools.local import LocalStore

__all__ = ["PATIENT", "fill"]

PATIENT = demo.patients()[1]
_SHARED = ("Patient", "Practitioner", "Organization", "Location")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Resource = dict[str, Any]


def fill(store: LocalStore, size: int) -> None:
    """Put a chart of `size` resources of the demo patient into the store."""
    with store.transaction():
        for resource in _resources(size):
            store.put(resource)


def _resources(size: int) -> Iterator[Resource]:
    entries = orjson.loads(gzip.decompress(demo.paths()[1].read_bytes()))["entry"]
    chart: list[Resource] = [entry["resource"] for entry in entries]
    shared = [r for r in chart if r["resourceType"] in _SHARED]
    own = [r for r in chart if r["resourceType"] not in _SHARED]
    yield from shared
    ids = {f"{r['resourceType']}/{r['id']}" for r in own}
    for number in range(size - len(shared)):
        copy, at = divmod(number, len(own))
        # Copies go back in time, so that as_of leaves none out; 37 days apart, they mix with one another.
        yield _copied(own[at], ids, f"-{copy}", timedelta(days=-37 * copy), random.Random(number))


def _copied(resource: Resource, ids: set[str], tail: str, shift: timedelta, rng: random.Random) -> Resource:
    def moved(text: str) -> str:
        if text in ids:
            return text + tail
        if _DATE.match(text):
            return (date.fromisoformat(text[:10]) + shift).isoformat() + text[10:]
        return text

    copy: Resource = _changed(resource, moved, rng)
    copy["id"] = resource["id"] + tail
    return copy


def _changed(node: Any, moved: Callable[[str], str], rng: random.Random) -> Any:
    if isinstance(node, dict):
        return {key: _changed(value, moved, rng) for key, value in node.items()}
    if isinstance(node, list):
        return [_changed(value, moved, rng) for value in node]
    if isinstance(node, str):
        return moved(node)
    return round(node * rng.uniform(0.9, 1.1), 2) if isinstance(node, float) else node
