"""A search over several servers, put into the words of one of them. Pure."""

from __future__ import annotations

from dataclasses import replace

from fhir_tools.scope import addresses
from fhir_tools.search.control import SortKey
from fhir_tools.search.definitions import R4_TYPES, parameters
from fhir_tools.servers.relabel import Labels
from fhir_tools.types import Query

__all__ = ["query_for", "with_sorted_elements"]


def query_for(labels: Labels, label: str, query: Query) -> Query | None:
    """The search as this server is asked it; None where it names only resources of other servers: nothing can match.

    Of alternatives (`patient=Patient/7,Patient/b.9`) each server gets its own.
    """
    params: list[tuple[str, str]] = []
    for name, value in query.params:
        told = _value_for(labels, label, query.type, name, value)
        if told is None and name == "_id:not":
            continue  # what another server has is not here anyway
        if told is None:
            return None
        params.append((name, told))
    return replace(query, params=tuple(params))


def _value_for(labels: Labels, label: str, type_: str, name: str, value: str) -> str | None:
    """The alternatives of a value that are this server's, or nobody's; None where there is none."""
    sort = _holds(type_, name)
    if not sort:
        return value
    kept = [
        told for one in value.split(",") if (told := _one_for(labels, label, one, always=sort == "ids")) is not None
    ]
    return ",".join(kept) if kept else None


def _holds(type_: str, name: str) -> str:
    """What a parameter's values are: `ids` (references or ids), `some` that may be (the end of a chain), or neither."""
    base, _, modifier = name.partition(":")
    if "." in name or base == "_has":
        return "some"
    if base == "_id":
        return "ids"
    spec = parameters(type_).get(base) if type_ in R4_TYPES else None
    return "ids" if spec and spec.type == "reference" and modifier in ("", *R4_TYPES) else ""


def _one_for(labels: Labels, label: str, text: str, *, always: bool) -> str | None:
    if "/" in text:
        found = labels.url_outside(text)
        return text if found is None else found[1] if found[0] == label else None
    if not addresses.ID.fullmatch(text):
        return text
    owner, id_ = labels.outside(text)
    if not always and id_ == text:
        return text  # the end of a chain is a code as likely as an id
    return id_ if owner == label else None


def with_sorted_elements(query: Query, sort: tuple[SortKey, ...]) -> Query:
    """The search with what it is sorted by among its `_elements`: matches of several servers are put in order here."""
    if not sort or not any(name == "_elements" for name, _ in query.params):
        return query
    needed = {path[0].partition("[")[0].rstrip("?") for key in sort for path in _paths(query.type, key) if path}
    more = ",".join(sorted(needed - {"id", "meta"}))
    params = ((n, f"{v},{more}" if n == "_elements" and more else v) for n, v in query.params)
    return replace(query, params=tuple(params))


def _paths(type_: str, key: SortKey) -> tuple[tuple[str, ...], ...]:
    spec = parameters(type_).get(key.name)
    return spec.paths if spec else ()
