"""The error tree, by who can act. Messages name what failed and the remedy, and hold no patient data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "ChartlineError",
    "ImageError",
    "LoadError",
    "MissingExtra",
    "ModelError",
    "NeedError",
    "NotFound",
    "OperatorError",
    "QueryError",
    "ScopeError",
    "SourceError",
    "UnknownPatient",
    "Unsupported",
    "UserError",
]


class ChartlineError(Exception):
    """Root of every error that chartline raises on purpose."""


class NeedError(ChartlineError):
    """The model asked a tool for something it cannot do; told back to it, and retried."""


class UserError(ChartlineError):
    """The person at the keyboard can act: a wrong patient, file, question or option."""


class ImageError(UserError):
    """An image could not be read or shown: says what and the remedy. `reason` is a word for programs (`broken`)."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


class LoadError(UserError):
    """A file could not be loaded; nothing of it was. `where` is a line or an entry, from 1."""

    def __init__(self, message: str, *, path: str = "", where: str = "") -> None:
        self.path, self.where = path, where
        super().__init__(": ".join(x for x in (path, where, message) if x))


class MissingExtra(UserError):
    """A feature's packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs the {extra!r} extra: pip install 'chartline[{extra}]'")


class UnknownPatient(UserError):
    """The source does not hold the patient that was named."""


class QueryError(UserError):
    """A FHIR search that the source cannot run as written; an unknown parameter is refused, not ignored."""


class Unsupported(QueryError):
    """A search that is right by FHIR and that this server has no way to run: what it would find is not known."""


class OperatorError(ChartlineError):
    """Who runs the FHIR server or the model server can act."""


class ModelError(OperatorError):
    """The chat model or its server failed; the message says what to change. Without text of the prompt or answer."""


class SourceError(OperatorError):
    """The FHIR source failed. `outcome` is its OperationOutcome, where it sent one."""

    def __init__(self, message: str, *, status: int | None = None, outcome: Mapping[str, Any] | None = None) -> None:
        self.status, self.outcome = status, outcome
        super().__init__(message)


class NotFound(SourceError):
    """The source is in order and does not hold the resource, or holds it as deleted (404, 410)."""


class ScopeError(ChartlineError):
    """A request that would leave the one patient, or write. It was not sent."""
