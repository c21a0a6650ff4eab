"""What the server is asked and what it answers: the same for a request over HTTP and for an entry of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FHIR_JSON", "Answer", "Ask", "Params", "Refusal", "Resource", "outcome"]

FHIR_JSON = "application/fhir+json"
Params = tuple[tuple[str, str], ...]
Resource = Mapping[str, Any]

_CODES = {
    400: "invalid", 404: "not-found", 405: "not-supported", 406: "not-supported", 409: "conflict", 410: "deleted",
    412: "conflict", 413: "too-long", 415: "not-supported", 421: "security", 422: "processing", 429: "throttled",
    500: "exception", 501: "not-supported", 503: "transient",
}  # fmt: skip
"""HTTP status → the issue type that an OperationOutcome gives with it (R4 valueset issue-type)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `path` are its segments below `base` (absolute, without a slash at the end), percent-decoded.

    Names of `headers` are in lower case. `raw` says that a Binary may be answered with its bytes. `new_id` is the id
    that a transaction has given to what this creates, since its other entries refer to it.
    """

    method: str
    path: tuple[str, ...]
    base: str
    params: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bool = False
    new_id: str | None = None

    def prefers(self, name: str) -> str:
        """The value of one preference of the Prefer header (RFC 7240), in lower case; empty where it is not given."""
        for part in self.headers.get("prefer", "").replace(";", ",").split(","):
            key, _, value = part.strip().partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"').lower() or "true"
        return ""

    def last(self, name: str) -> str | None:
        """The last value of a parameter, or None."""
        return next((value for key, value in reversed(self.params) if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response: a resource, or `body` with its `content_type`, or a `file` to be sent, or nothing but headers."""

    status: int = 200
    resource: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = FHIR_JSON
    file: Path | None = None


class Refusal(Exception):
    """A request that is not done: its status, and an OperationOutcome that says why and what would do."""

    def __init__(self, status: int, text: str, *, code: str | None = None, headers: Mapping[str, str] | None = None):
        self.status, self.headers = status, dict(headers or {})
        self.outcome = outcome(text, code=code or _CODES.get(status, "processing"))
        super().__init__(text)

    @property
    def answer(self) -> Answer:
        return Answer(status=self.status, resource=self.outcome, headers=self.headers)


def outcome(text: str, *, code: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome with one issue; control characters of the text are left out (R4 2.24.0.1, string)."""
    told = "".join(c if c.isprintable() else " " for c in text).strip() or "no more is known"
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": told}],
    }
