"""What a server says that it can do: its CapabilityStatement, read once (R4 http, 3.1.0.8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_tools.errors import SourceError

__all__ = ["Statement", "read_statement"]

Json = Mapping[str, Any]

_SMART_URIS = "oauth-uris"  # tail of the extension's URL (SMART App Launch 1.0; later by .well-known)
_SMART = "SMART-on-FHIR"
_LEVELS = re.compile(r"^(?:i|t|s|it|is|ts|its)-")
_OTHERS = {"0": "DSTU1", "1": "DSTU2", "3": "STU3", "5": "R5", "6": "R6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A CapabilityStatement as the planner needs it. A server without one has `declared` False and empty tables.

    `search` has the parameter names by type (those for every type included); `includes` the `_include` values by
    type (`*` for any); `interactions` by type (`read`, `vread`, `search-type`); `system` those of the whole server
    (`batch`, `transaction`, `search-system`); `operations` names with `$`, with their type in front where they are
    of one (`Patient/$everything`). `security` has the codes of the security services, `oauth` the endpoints of the
    SMART extension (`token`, `authorize`, …). `base` is implementation.url, or what the caller knows it to be.
    """

    declared: bool = False
    fhir_version: str = ""
    software: str = ""
    software_version: str = ""
    publisher: str = ""
    base: str = ""
    search: Mapping[str, frozenset[str]] = field(default_factory=dict)
    includes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    revincludes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    interactions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    system: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    security: frozenset[str] = frozenset()
    oauth: Mapping[str, str] = field(default_factory=dict)


def read_statement(resource: Json) -> Statement:
    """From a CapabilityStatement; lenient where real servers are loose. Raises SourceError for another version of FHIR.

    What is not one, or names no resource type, gives a Statement with `declared` False.
    """
    _check_version(resource)
    if resource.get("resourceType") != "CapabilityStatement":
        return Statement()
    rests = [r for r in _items(resource, "rest") if r.get("mode", "server") == "server"]
    types = _by_type(rests)
    software = _object(resource, "software")
    return Statement(
        declared=bool(types),
        fhir_version=_text(resource, "fhirVersion"),
        software=_text(software, "name"),
        software_version=_text(software, "version"),
        publisher=_text(resource, "publisher"),
        base=_text(_object(resource, "implementation"), "url").rstrip("/"),
        search=_search(rests, types),
        includes={name: _strings(rows, "searchInclude") for name, rows in types.items()},
        revincludes={name: _strings(rows, "searchRevInclude") for name, rows in types.items()},
        interactions={name: _codes(rows) for name, rows in types.items()},
        system=_codes(rests),
        operations=_operations(rests, types),
        formats=frozenset(x.lower() for x in _strings([resource], "format")),
        security=_security(rests),
        oauth=_oauth(rests),
    )


def _check_version(resource: Json) -> None:
    version = str(resource.get("fhirVersion") or "").strip()
    if resource.get("resourceType") == "Conformance":  # its name before STU3
        version = version or "1.0.2"
    # 4.1 and 4.3 are R4B, whose clinical resources are those of R4; 4.2 to 4.6 otherwise were ballots of R5.
    known = _OTHERS.get(version.partition(".")[0]) or ("an R5 ballot" if re.match(r"4\.[24-9]", version) else None)
    if known and version[:1].isdigit() and "." in version:
        raise SourceError(
            f"the server speaks FHIR {version} ({known}); chartline reads R4 (4.0.1) and R4B (4.3.0): "
            "give the base URL of the server's R4 endpoint"
        )


def _by_type(rests: list[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for row in (row for rest in rests for row in _items(rest, "resource")):
        if name := _text(row, "type"):
            found.setdefault(name, []).append(row)
    return found


def _search(rests: list[Json], types: Mapping[str, list[Json]]) -> dict[str, frozenset[str]]:
    every = _names(rests, "searchParam")
    return {name: own | every if (own := _names(rows, "searchParam")) else own for name, rows in types.items()}


def _operations(rests: list[Json], types: Mapping[str, list[Json]]) -> frozenset[str]:
    whole = {_operation(row, "") for rest in rests for row in _items(rest, "operation")}
    typed = {
        f"{name}/{operation}"
        for name, rows in types.items()
        for row in rows
        for item in _items(row, "operation")
        if (operation := _operation(item, name))
    }
    return frozenset(x for x in whole | typed if x)


def _operation(row: Json, type_: str) -> str:
    """`$name`, from the name or the end of the definition: `…/OperationDefinition/Patient-i-everything`."""
    definition = row.get("definition")
    link = definition.get("reference") if isinstance(definition, Mapping) else definition  # STU3's shape is still met
    tail = link.partition("|")[0].rstrip("/").rpartition("/")[2] if isinstance(link, str) else ""
    if type_ and tail.startswith(f"{type_}-"):
        tail = _LEVELS.sub("", tail[len(type_) + 1 :])
    name = (_text(row, "name") or tail).lstrip("$")
    return f"${name}" if name else ""


def _security(rests: list[Json]) -> frozenset[str]:
    found: set[str] = set()
    for service in (s for rest in rests for s in _items(_object(rest, "security"), "service")):
        codes = {_text(c, "code") or _text(c, "display") for c in _items(service, "coding")} - {""}
        found |= codes or {_text(service, "text")}
    if _oauth(rests):
        found.add(_SMART)
    return frozenset(found - {""})


def _oauth(rests: list[Json]) -> dict[str, str]:
    found: dict[str, str] = {}
    for outer in (e for rest in rests for e in _items(_object(rest, "security"), "extension")):
        if _text(outer, "url").endswith(_SMART_URIS):
            found |= {
                _text(e, "url"): _text(e, "valueUri") or _text(e, "valueUrl")
                for e in _items(outer, "extension")
                if _text(e, "valueUri") or _text(e, "valueUrl")
            }
    return found


# Reading what may be missing or of another shape.


def _items(node: Json, key: str) -> list[Json]:
    value = node.get(key)
    return [x for x in (value if isinstance(value, list) else [value]) if isinstance(x, Mapping)]


def _object(node: Json, key: str) -> Json:
    found = _items(node, key)
    return found[0] if found else {}


def _text(node: Json, key: str) -> str:
    value = node.get(key)
    return value.strip() if isinstance(value, str) else ""


def _strings(rows: list[Json], key: str) -> frozenset[str]:
    return frozenset(x.strip() for x in _values(rows, key) if isinstance(x, str) and x.strip())


def _values(rows: list[Json], key: str) -> Iterator[Any]:
    for row in rows:
        value = row.get(key)
        yield from value if isinstance(value, list) else (value,)


def _names(rows: list[Json], key: str) -> frozenset[str]:
    return frozenset(_text(x, "name") for row in rows for x in _items(row, key)) - {""}


def _codes(rows: list[Json]) -> frozenset[str]:
    """The interactions; a bare text in place of `{"code": …}` is taken as well."""
    bare = (x for x in _values(rows, "interaction") if isinstance(x, str))
    return (frozenset(_text(x, "code") for row in rows for x in _items(row, "interaction")) | frozenset(bare)) - {""}
