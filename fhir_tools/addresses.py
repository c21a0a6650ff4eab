"""The addresses that stand in a resource, and what each may be used for: links to follow and bodies to fetch."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fhir_tools.query import R4_TYPES
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Reference

__all__ = ["is_binary", "is_body", "links", "operation_on", "plain"]

_OPERATIONS = frozenset((CATALOGUE_OPERATION, "$everything", "$summary"))
_OPERATION_PARAMS = frozenset(("as_of", "start", "end", "_since", "_type", "_count", "profile"))
_BINARY = re.compile(r"Binary/[A-Za-z0-9\-._]{1,128}(?:/_history/[A-Za-z0-9\-._]{1,128})?", re.ASCII)
_PARENTS = frozenset(("presentedForm", "photo", "image", "content"))
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


def plain(text: str) -> str:
    """A literal reference as `Type/id`, without server and version; the text itself where it is none."""
    try:
        return str(Reference.parse(text))
    except ValueError:
        return text


def is_binary(url: str) -> bool:
    """Whether it is `Binary/[id]` on the chart's own server, with or without a version."""
    return bool(_BINARY.fullmatch(url)) and not {".", ".."} & set(url.split("/"))


def is_body(url: str) -> bool:
    """Whether the URL can be that of an attachment: a Binary, or a file; never a FHIR resource, search or operation.

    A chart is data that others wrote: an attachment may point to `Patient/[other]/$everything`.
    """
    if is_binary(url):
        return True
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    path = parts.path.split("/")
    decoded = unquote(unquote(parts.path))
    if parts.scheme not in ("http", "https") or not parts.netloc or " " in url or _ODD.search(decoded):
        return False
    if {".", ".."} & set(decoded.split("/")) or decoded.count("/") != len(path) - 1 or "$" in decoded:
        return False
    return not _is_fhir(decoded.strip("/").split("/"))


def _is_fhir(path: list[str]) -> bool:
    """Whether a path ends as one of a FHIR server: `Type`, `Type/id`, `Type/id/_history/…` (R4 http, 3.1.0.1.2)."""
    if "_history" in path[-2:]:
        path = path[: path.index("_history")]
    other = R4_TYPES - {"Binary"}
    return bool(path) and (path[-1] in {*other, "_search"} or (len(path) > 1 and path[-2] in other))


def operation_on(url: str, patients: Collection[str]) -> str | None:
    """The name of the operation, if the URL is one that reads the whole of one of these patients and nothing else."""
    head, _, query = url.partition("?")
    patient, _, name = head.partition("/$")
    if patient not in patients or f"${name}" not in _OPERATIONS or "#" in query:
        return None
    named = {key for key, _ in parse_qsl(query, keep_blank_values=True)}
    return f"${name}" if named <= _OPERATION_PARAMS else None


def links(resource: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What a resource refers to: its references (as written and as `Type/id`), and the URLs of its attachments.

    A URL of an extension or a profile is neither. An absolute URL of a Binary is no leave to read the
    chart's own server under the same id.
    """
    references: set[str] = set()
    attached: set[str] = set()
    waiting: list[tuple[str, Any]] = [("", resource)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list):
            waiting += [(name, item) for item in value if isinstance(item, dict | list)]
        elif isinstance(value, dict):
            text, url = value.get("reference"), value.get("url")
            if isinstance(text, str):
                references |= {text} if "/Binary/" in text else {text, plain(text)}
            if isinstance(url, str) and (name in _PARENTS or name.lower().endswith("attachment")):
                attached.add(url)
            waiting += [(key, item) for key, item in value.items() if isinstance(item, dict | list)]
    return references, attached
