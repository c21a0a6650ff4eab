"""Where audit entries go: append-only files, JSON lines or FHIR, and a FHIR server."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

from fhir_tools.audit.entry import AnswerEntry, Entry
from fhir_tools.audit.events import audit_event, provenance
from fhir_tools.errors import OperatorError, SourceError

__all__ = ["AuditLog", "FhirLog", "FhirServer", "Poster"]

_LOG = logging.getLogger("chartline.audit")


class _Sink:
    """What to do when an entry cannot be kept.

    `strict` (the default) raises OperatorError, so that nothing is read or answered without a record. Otherwise
    the first failure is logged as a warning, and `lost` counts the entries that were not kept.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict
        self.lost = 0
        self._warned = False

    def _failed(self, why: str, remedy: str, number: int = 1) -> None:
        message = f"the audit record could not be kept: {why}; {remedy}"
        if self.strict:
            raise OperatorError(f"{message}, or set auditing not to be strict")
        if not self._warned:
            _LOG.warning(message)
        self._warned = True
        self.lost += number


class _File(_Sink):
    """An append-only file of lines: mode 0600 when it is made, one write a line, so that processes can share it.

    It may be moved away while it is open (rotation by the system): the next line starts a new one at the path.
    """

    def __init__(self, path: str | Path, *, strict: bool = True) -> None:
        super().__init__(strict=strict)
        self.path = Path(path).expanduser()
        self._file: int | None = None
        self._torn = False
        self._write(())

    def close(self) -> None:
        """Close the file; closing twice is allowed, and a later entry opens it again."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _write(self, lines: Sequence[bytes]) -> None:
        try:
            file = self._opened()
            for line in lines:
                # A line that was cut short must not run into the next one.
                whole = (b"\n" if self._torn else b"") + line + b"\n"
                self._torn = os.write(file, whole) != len(whole)
                if self._torn:
                    raise OSError(errno.ENOSPC, "no space left on the device, the last line is cut short")
        except OSError as error:
            why = f"{str(self.path)!r}: {error.strerror or type(error).__name__}"
            self._failed(why, "make room or make it writable", len(lines))

    def _opened(self) -> int:
        if self._file is not None and not self._is_current(self._file):
            self.close()
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self.path, flags, 0o600)
        return self._file

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except FileNotFoundError:
            return False


class AuditLog(_File):
    """Entries as JSON lines (`RequestEntry.line`, `AnswerEntry.line`). Opened at once: a bad path shows at the start.

    Raises OperatorError when strict and the line could not be written whole.
    """

    def __call__(self, entry: Entry) -> None:
        self._write([orjson.dumps(entry.line())])


class FhirLog(_File):
    """Entries as FHIR resources in NDJSON: an AuditEvent for each, and a Provenance for each answer."""

    def __call__(self, entry: Entry) -> None:
        self._write([orjson.dumps(r) for r in resources(entry)])


class Poster(Protocol):
    """What `fhir_tools.http.Http` has: one request, by its method and URL."""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Any:
        """The answer, with `status`; raises SourceError."""
        ...


class FhirServer(_Sink):
    """Entries as FHIR resources that are created on a server, with the credentials of its own `Http`.

    Raises OperatorError when strict and the server did not take one. A POST is not repeated: an event counts once.
    """

    def __init__(self, http: Poster, *, strict: bool = True) -> None:
        super().__init__(strict=strict)
        self._http = http

    async def __call__(self, entry: Entry) -> None:
        for resource in resources(entry):
            await self._create(resource)

    async def _create(self, resource: Mapping[str, Any]) -> None:
        kind = resource["resourceType"]
        kinds = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json", "Prefer": "return=minimal"}
        remedy = f"see that the server is up and takes {kind} (scope system/{kind}.c)"
        try:
            answer = await self._http.send("POST", kind, headers=kinds, body=orjson.dumps(resource))
        except SourceError as error:
            self._failed(str(error), remedy)
            return
        if not 200 <= answer.status < 300:
            self._failed(f"the server answered {answer.status} to the create of {kind}", remedy)


def resources(entry: Entry) -> tuple[Mapping[str, Any], ...]:
    """The FHIR resources that stand for an entry."""
    return (audit_event(entry), *((provenance(entry),) if isinstance(entry, AnswerEntry) else ()))
