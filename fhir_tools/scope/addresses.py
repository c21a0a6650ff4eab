"""The addresses that stand in a resource, and what each may be used for: links to follow and bodies to fetch."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from fhir_tools.search.query import R4_TYPES
from fhir_tools.source import OWN_OPERATIONS

__all__ = ["ID", "is_absolute", "is_binary", "is_body", "links", "operation_on", "plain", "relative"]

ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9\-._]{1,128}", re.ASCII)
"""An id as real servers write it (R4: 64 characters, without `_`); never only dots, which are steps in a path."""

_OPERATIONS = frozenset((*OWN_OPERATIONS, "$everything", "$summary"))
_OPERATION_PARAMS = frozenset(("as_of", "start", "end", "_since", "_type", "_count", "profile"))
_LITERAL = re.compile(
    rf"([A-Z][A-Za-z]+/{ID.pattern})(?:/_history/{ID.pattern})?".replace(r"\Z", r"(?=/|\Z)"), re.ASCII
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:", re.ASCII)
_PARENTS = frozenset(("presentedForm", "photo", "image", "content"))
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")
_PORTS = {"http": 80, "https": 443}


def is_absolute(url: str) -> bool:
    """Whether it names its server, or a scheme of any kind (`https://…`, `urn:…`, `//host/…`)."""
    return bool(_SCHEME.match(url)) or url.startswith(("//", "/", "\\"))


def relative(url: str, bases: Collection[str] = ()) -> str | None:
    """What follows the base of an absolute URL of one of these servers; None for one of another server.

    http and https are the same server here (R4 references, 2.3.0.2), as are `host` and `HOST:443`. A URL that names no
    server is given back as it is; whether it is a reference is not said by this.
    """
    if not is_absolute(url):
        return url
    return next((rest for base in bases if (rest := _below(url, base)) is not None), None)


def _below(url: str, base: str) -> str | None:
    try:
        parts, own = urlsplit(url), urlsplit(base.rstrip("/") + "/")
        same = _host(parts) == _host(own)
    except ValueError:
        return None
    if " " in url or _ODD.search(url) or not same or not parts.path.startswith(own.path):
        return None
    query = f"?{parts.query}" if parts.query else ""
    return parts.path[len(own.path) :] + query + (f"#{parts.fragment}" if parts.fragment else "")


def _host(parts: SplitResult) -> tuple[str | None, int | None, str | None]:
    """Host, port (None for the usual one) and credentials, which no base has."""
    if parts.scheme not in _PORTS:
        raise ValueError("not a web address")
    port = None if parts.port == _PORTS[parts.scheme] else parts.port
    return parts.hostname, port, parts.username


def plain(text: str, bases: Collection[str] = ()) -> str | None:
    """A literal reference to this server as `Type/id`, without base and version.

    None for a contained one, a URN, one of another server, and what is no reference at all (R4 references, 2.3.0.1).
    """
    return _plain(text, tuple(bases))


@lru_cache(maxsize=10_000)
def _plain(text: str, bases: tuple[str, ...]) -> str | None:
    # All resources of a chart name the same few patients, people and places.
    rest = relative(text, bases)
    found = _LITERAL.fullmatch(rest) if rest else None
    return found[1] if found else None


def is_binary(url: str) -> bool:
    """Whether it is `Binary/[id]` on the chart's own server, with or without a version."""
    return url.startswith("Binary/") and bool(_LITERAL.fullmatch(url))


def is_body(url: str, bases: Collection[str] = ()) -> bool:
    """Whether the URL can be that of an attachment: a Binary, or a file; never a FHIR resource, search or operation.

    A chart is data that others wrote: an attachment may point to `Patient/[other]/$everything`. On the origin of
    a base, where credentials go along, it is a Binary, or a file outside the base that is named without a query.
    """
    if is_binary(url):
        return True
    try:
        parts = urlsplit(url)
        own = [urlsplit(base) for base in bases]
        near = any(_host(parts) == _host(one) for one in own)
    except ValueError:
        return False
    path = parts.path.split("/")
    decoded = unquote(unquote(parts.path))
    if parts.scheme not in _PORTS or not parts.netloc or parts.username is not None or " " in url:
        return False
    if _ODD.search(url + decoded):
        return False
    if {".", ".."} & set(decoded.split("/")) or decoded.count("/") != len(path) - 1 or "$" in decoded:
        return False
    rest = relative(url, bases)
    if rest is not None:
        return is_binary(rest)
    if near and (parts.query or any(f"{decoded}/".startswith(f"{one.path.rstrip('/')}/") for one in own)):
        return False
    return not _is_fhir(decoded.strip("/").split("/"))


def _is_fhir(path: list[str]) -> bool:
    """Whether a path ends as one of a FHIR server: `Type`, `Type/id`, `Type/id/_history/…`, `Type/id/*` (R4 http)."""
    if "_history" in path[-2:]:
        path = path[: path.index("_history")]
    path = path[:-1] if path[-1:] == ["*"] else path
    other = R4_TYPES - {"Binary"}
    return bool(path) and (path[-1] in {*other, "_search"} or (len(path) > 1 and path[-2] in other))


def operation_on(url: str, patients: Collection[str]) -> str | None:
    """The name of the operation, if the URL is one that reads the whole of one of these patients and nothing else."""
    head, _, query = url.partition("?")
    patient, _, name = head.partition("/$")
    if patient not in patients or f"${name}" not in _OPERATIONS or "#" in query:
        return None
    named = parse_qsl(query, keep_blank_values=True)
    safe = all(key in _OPERATION_PARAMS and "Patient/" not in unquote(unquote(value)) for key, value in named)
    return f"${name}" if safe else None


def links(resource: Mapping[str, Any], bases: Collection[str] = ()) -> tuple[set[str], set[str]]:
    """What a resource refers to on this server: its references as `Type/id`, and the URLs of its attachments.

    A Binary of this server is among both, by its relative URL. A URL of an extension or a profile is neither; nor is
    a reference to another server leave to read this one under the same id.
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
            if isinstance(text, str) and (known := plain(text, bases)):
                references.add(known)
            if isinstance(url, str) and (name in _PARENTS or name.lower().endswith("attachment")):
                rest = relative(url, bases)
                attached.add(rest if rest and is_binary(rest) else url)
            waiting += [(key, item) for key, item in value.items() if isinstance(item, dict | list)]
    references |= {str(known) for url in attached if is_binary(url) and (known := plain(url))}
    return references, attached
