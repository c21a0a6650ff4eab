"""What is told, in the one form from which every resource is made: sections of lines, and the sources behind them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from fhir_tools.audit import Who
from fhir_tools.audit.entry import safe_reference
from fhir_tools.writing.elements import narrative, plain, urn

__all__ = ["NOTICE", "Output", "Part", "Request", "Role", "Source", "identity", "moment", "program"]

NOTICE = "Preliminary: put together by a program from the chart, and not verified by a clinician."
Role = Literal["source", "quotation", "derivation"]
"""How something was used (R4 provenance-entity-role): looked up, quoted word for word, or computed with."""
_VERSION = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asked, of whom and what for, and when it was answered (with its offset).

    `key` names the question where it is kept, so that what is written for it is the same each time; without one the
    same answer at the same moment is the same resource.
    """

    who: Who
    made: datetime
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A resource (`reference`, with its `version` where known) or a search (`query`) that something rests on.

    `path` is the cited element and `excerpt` what stands there; `marks` are those that lines name it by.
    """

    marks: tuple[str, ...]
    excerpt: str = ""
    reference: str = ""
    version: str | None = None
    path: str = ""
    query: str = ""
    role: Role = "source"

    @property
    def literal(self) -> str:
        """The reference where it is a literal one, relative or absolute; empty otherwise."""
        told = safe_reference(self.reference)
        return "" if told == "?" else told

    @property
    def versioned(self) -> str:
        """The literal reference, of its version where that is known (R4 2.3.0.1)."""
        known = self.literal and self.version and _VERSION.fullmatch(self.version) and "/_history/" not in self.literal
        return f"{self.literal}/_history/{self.version}" if known else self.literal

    @property
    def line(self) -> str:
        """`[1] 2019-03-02 Hemoglobin A1c 6.9 % (Observation/…, version 2, Observation.valueQuantity)`."""
        where = ", ".join(filter(None, (self.reference, f"version {self.version}" if self.version else "", self.path)))
        marks = "".join(f"[{m}]" for m in self.marks)
        return " ".join(filter(None, (marks, self.excerpt or self.query, f"({where})" if where else "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines under a title, with the marks that they name."""

    title: str
    lines: tuple[str, ...]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Something that chartline tells. `id` is a UUID; `kind` a CodeableConcept; `state` the status of the answer."""

    id: str
    kind: Mapping[str, Any]
    title: str
    parts: tuple[Part, ...]
    sources: tuple[Source, ...]
    reasoner: str
    state: str
    as_of: str
    seconds: float
    request: Request

    @property
    def url(self) -> str:
        return urn(self.id)

    @property
    def patient(self) -> str:
        return str(self.request.who.patient)

    @property
    def made(self) -> str:
        return moment(self.request.made)

    @property
    def narrative(self) -> Mapping[str, Any]:
        """All of it as a Narrative."""
        return narrative([(self.title, ()), *((p.title, p.lines) for p in self.parts)])

    @property
    def text(self) -> str:
        """All of it as plain text, for viewers that show nothing else."""
        told = [self.title]
        for part in self.parts:
            told += ["", *([part.title] if part.title else []), *(f"- {line}" for line in part.lines)]
        return plain("\n".join(told)) + "\n"

    def footer(self) -> Part:
        """What to know of it: that nobody has verified it yet, its day, and who made it."""
        by = f"chartline {program()}" + (f", reasoner {self.reasoner}" if self.reasoner else "")
        return Part(title="About this", lines=(NOTICE, f"As of {self.as_of}. Made by {by} at {self.made}."))

    @property
    def literals(self) -> tuple[str, ...]:
        """The references of its sources, each once."""
        return tuple(dict.fromkeys(s.literal for s in self.sources if s.literal))


def program() -> str:
    """The version of chartline."""
    return version("chartline")


def moment(at: datetime) -> str:
    """A moment as a FHIR instant in UTC. Raises ValueError for one without an offset."""
    if at.tzinfo is None:
        raise ValueError("a moment without an offset is none that FHIR can tell")
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def identity(what: str, said: Any, request: Request) -> str:
    """The UUID of an output: of its key, or else of what is said and when."""
    if request.key:
        return str(uuid5(NAMESPACE_URL, f"chartline/{what}/{request.key}"))
    text = json.dumps(said, sort_keys=True).encode()  # any text of a chart, lone surrogates too, is written as ASCII
    return str(uuid5(NAMESPACE_URL, f"chartline/{what}/{hashlib.sha256(text).hexdigest()}/{moment(request.made)}"))
