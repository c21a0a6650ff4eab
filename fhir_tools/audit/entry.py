"""The lines of the audit log: what was asked of the source, and which answer was given. Nothing clinical is in them.

No code, value, name or date of the chart, no value of a search, no question and no answer: references, types, names of
parameters, counts and classes of errors only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from fhir_tools.scope import addresses
from fhir_tools.search.control import RESULT
from fhir_tools.search.query import R4_TYPES, parameters
from fhir_tools.types import Reference

__all__ = ["AnswerEntry", "Entry", "Outcome", "RequestEntry", "Who", "answer_record", "known_names", "safe_reference"]

Outcome = Literal["ok", "incomplete", "not-found", "refused", "failed", "cancelled"]
"""How it ended: `refused` was not sent (ScopeError, QueryError); `incomplete` gave a part."""

_RESULT = RESULT | {
    "_content", "_contained", "_containedType", "_filter", "_has", "_list", "_query", "_text", "_type", "_since",
    "_revinclude", "_include", "_id", "_lastUpdated", "_tag", "_profile", "_security", "_source",
}  # fmt: skip
_WORDS = frozenset(
    """above below code-text contains exact identifier in iterate missing not not-in of-type text text-advanced
    recurse""".split()
)
"""Modifiers (R4 3.1.1.4.5 and later versions)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who asks, about which patient, what for.

    `agent` is a user or a system: a name the operator's systems know, or a literal reference (`Practitioner/7`).
    `purpose` is a code of HL7 v3 PurposeOfUse (`TREAT`, `HRESCH`, …) or the operator's own word.
    """

    agent: str
    patient: Reference
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEntry:
    """One request. `at` is UTC, ISO 8601 with milliseconds; `seconds` is how long it took.

    `what` is the type searched, the reference read or created, or the place fetched (host alone where it is not FHIR).
    `parameters` are names; `references` are the resources that came (`Type/id/_history/version` where a version is
    known); `found` counts the matches. `error` is the class of the error, `status` the server's HTTP status.
    """

    at: str
    who: Who
    action: Literal["read", "vread", "search", "fetch", "operation", "create"]
    what: str
    parameters: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    found: int = 0
    outcome: Outcome = "ok"
    error: str | None = None
    status: int | None = None
    seconds: float = 0.0

    def line(self) -> Mapping[str, Any]:
        """The entry as one JSON object; what is not there is left out."""
        return _line("request", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEntry:
    """One answer. `id` is a UUID that the answer can be found by; `cited` are references with their versions."""

    at: str
    who: Who
    id: str
    status: str
    reasoner: str
    cited: tuple[str, ...] = ()
    seconds: float = 0.0

    def line(self) -> Mapping[str, Any]:
        """The entry as one JSON object; what is not there is left out."""
        return _line("answer", self)


Entry = RequestEntry | AnswerEntry


def answer_record(
    who: Who,
    *,
    status: str,
    reasoner: str,
    cited: Iterable[tuple[str, str | None]] = (),
    id: str | None = None,  # noqa: A002  FHIR's own name for it
    at: datetime | None = None,
    seconds: float = 0.0,
) -> AnswerEntry:
    """The entry of an answer. `cited` are (reference, version or None); neither its words nor its question are kept."""
    references = (safe_reference(f"{ref}/_history/{version}" if version else ref) for ref, version in cited)
    return AnswerEntry(
        at=stamp(at),
        who=who,
        id=id or str(uuid4()),
        status=status,
        reasoner=reasoner,
        cited=tuple(dict.fromkeys(references)),
        seconds=round(seconds, 3),
    )


def stamp(at: datetime | None = None) -> str:
    """A moment (default: now) in UTC as ISO 8601 with milliseconds."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def safe_reference(text: str) -> str:
    """A literal reference as it is, relative or absolute; `?` for what is none: it could hold anything."""
    found = re.fullmatch(r"(https?://[^\s?#]+/)?([A-Z][A-Za-z]+/[^/]+(?:/_history/[^/]+)?)", text)
    known = addresses.plain(found[2]) if found else None
    return text if known and known.partition("/")[0] in R4_TYPES else "?"


def known_names(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names of search parameters, each once; `?` for each that R4 does not know: a mistake could hold a value."""
    return tuple(dict.fromkeys(name if _is_known(kind, name) else "?" for name in names))


def _is_known(kind: str, name: str) -> bool:
    first, *rest = re.split(r"[.:]", name)
    table = parameters(kind) if kind in R4_TYPES else {}
    if not (first in table or first in _RESULT):
        return False
    return _known_words().issuperset(rest)


@cache
def _known_words() -> frozenset[str]:
    """What the name of a parameter may go on with: modifiers, types, and the parameters that chains lead to."""
    return frozenset((*_WORDS, "_has", *R4_TYPES, *(name for kind in R4_TYPES for name in parameters(kind))))


def place(url: str) -> tuple[str, tuple[str, ...]]:
    """What a fetched URL is, and its parameter names: a reference, an operation on one, or the host of any other."""
    path, _, query = url.partition("?")
    head, _, operation = path.rpartition("/$")
    given = (name for name, _ in parse_qsl(query, keep_blank_values=True))
    safe = [n if n in _RESULT or n in ("as_of", "start", "end", "profile") else "?" for n in given]
    if head and re.fullmatch(r"[a-z-]{1,40}", operation) and safe_reference(head) != "?":
        return f"{head}/${operation}", tuple(dict.fromkeys(safe))
    if safe_reference(path) != "?":
        return path, tuple(dict.fromkeys(safe))
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    return (host or "?"), ()


def _line(kind: str, entry: Entry) -> Mapping[str, Any]:
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name not in ("at", "who")}
    head = {"at": entry.at, "kind": kind, "agent": entry.who.agent, "patient": str(entry.who.patient)}
    told = {name: value for name, value in fields.items() if value not in (None, ())}
    return {**head, "purpose": entry.who.purpose, **told}
