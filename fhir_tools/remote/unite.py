"""What came back of several pages and searches as one: each resource once, in its newest version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_tools.search.elements import time_range

__all__ = ["Union", "key_of"]

Resource = Mapping[str, Any]


class Union:
    """Resources in order of their first appearance, each `Type/id` once, in its newest version."""

    def __init__(self) -> None:
        self._found: dict[str, Resource] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._found.values())

    def __contains__(self, key: object) -> bool:
        return key in self._found

    def add(self, resources: Iterable[Resource]) -> None:
        """Take more; a newer version replaces an older one in its place. Resources without an id are all kept."""
        for resource in resources:
            key = key_of(resource) or f"#{len(self._found)}"
            kept = self._found.get(key)
            if kept is None or _is_newer(resource, kept):
                self._found[key] = resource


def key_of(resource: Resource) -> str | None:
    """`Type/id`, or None for a resource without an id."""
    id_ = resource.get("id")
    return f"{resource.get('resourceType')}/{id_}" if isinstance(id_, str) and id_ else None


def _is_newer(new: Resource, old: Resource) -> bool:
    """By meta.lastUpdated where both tell it, else by numbers of versionId."""
    metas = [m if isinstance(m := r.get("meta"), dict) else {} for r in (new, old)]
    times = [time_range(t) if isinstance(t := m.get("lastUpdated"), str) else None for m in metas]
    if times[0] and times[1]:
        return times[0][0] > times[1][0]
    versions = [str(m.get("versionId", "")) for m in metas]
    return all(v.isascii() and v.isdecimal() for v in versions) and int(versions[0]) > int(versions[1])
