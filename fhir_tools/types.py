"""The records that pass between rooms: frozen, keyword-only, without behaviour that needs a server or a model.

Times are timezone-aware datetimes that keep the offset they were written with; where FHIR gives
no offset (dates of day precision or coarser) UTC stands in, and only the calendar date is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fhir_tools.documents.types import Document

__all__ = [
    "KINDS",
    "ROLES",
    "STANDINGS",
    "Card",
    "Coding",
    "Components",
    "Computation",
    "Concept",
    "Fact",
    "Fetched",
    "Interval",
    "Kind",
    "Mark",
    "Missing",
    "Quantity",
    "Query",
    "Reference",
    "Search",
    "SearchResult",
    "Span",
    "Standing",
    "Value",
]

Kind = Literal[
    "patient",
    "measurement",
    "social",
    "condition",
    "medication",
    "allergy",
    "immunization",
    "procedure",
    "encounter",
    "report",
    "document",
    "imaging",
    "family",
    "order",
    "careplan",
    "goal",
    "device",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]

Standing = Literal["fact", "error", "refuted", "planned", "cancelled", "not-done", "unconfirmed"]
STANDINGS: tuple[Standing, ...] = Standing.__args__  # type: ignore[attr-defined]
"""What a resource says about itself before its clinical content is read.

`fact` is the only standing that is counted, shown or cited as having happened. `error` is
entered-in-error, `refuted` a refuted verificationStatus, `planned` and `cancelled` are encounters,
procedures and orders that did not take place (yet), `not-done` has a notDone status, `unconfirmed`
is a differential or unconfirmed condition: told, but only as such.
"""

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-._]{1,128})(?:/_history/([^/\s]+))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A literal reference: `Type/id`, without version and server (R4 2.3.0.1)."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """From `Type/id`, an absolute URL or a versioned one. Raises ValueError for anything else."""
        found = _REFERENCE.search(text)
        if not found:
            raise ValueError(f"not a literal FHIR reference: {text!r}")
        return cls(type=found[1], id=found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """One code of a code system; `system` is None where the chart gives none."""

    system: str | None
    code: str
    display: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """What a fact is about: the label as the chart writes it, and its codes in the order given."""

    label: str
    codings: tuple[Coding, ...] = ()

    @property
    def key(self) -> str:
        """`system|code` of the first coding, else `text|` and the label in lower case.

        Two facts are of one concept when their keys are equal.
        """
        if self.codings:
            return f"{self.codings[0].system or ''}|{self.codings[0].code}"
        return f"text|{self.label.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit. `code` is the UCUM code (system http://unitsofmeasure.org) or None.

    `unit` is what the chart displays. `comparator` is `<`, `<=`, `>=` or `>`; None means exactly.
    """

    value: float
    unit: str | None = None
    code: str | None = None
    comparator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of time: `low` is its first instant, `high` the first one after it; None is open.

    `precision` is that of the value as written; `text` is the value as written, shortened to the day
    (`2012`, `2012-06`, `2012-06-12`). FHIR's rules for partial dates (R4 2.24.0.21) hold: `2012`
    covers the whole year.
    """

    low: datetime | None
    high: datetime | None
    precision: Literal["year", "month", "day", "time"] = "day"
    text: str = ""

    @property
    def day(self) -> date | None:
        """The calendar date of `low` in the offset it was written with (first day if coarser)."""
        return self.low.date() if self.low else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A value that is absent for a stated reason (dataAbsentReason), e.g. `not-performed`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The parts of a panel such as a blood pressure, each a measurement fact of its own."""

    parts: tuple[Fact, ...]


Value = Quantity | Concept | str | bool | Interval | Missing | Components


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that one resource says, with the place where it says it.

    `when` is the clinically relevant time (effective, onset, authored, performed, period …);
    `status` is the resource's own status word; `path` is the element that holds `value`, as FHIRPath
    (`Observation.component[0].value`). `details` holds what only one kind has, by documented key
    (see `fhir_tools.facts`); its values are str, Interval, Concept, Reference, Quantity, or tuples of them.
    """

    kind: Kind
    concept: Concept
    reference: Reference
    path: str
    standing: Standing = "fact"
    status: str = ""
    value: Value | None = None
    when: Interval | None = None
    version: str | None = None
    encounter: Reference | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a document's text: `text[start:end]` is `quote`, offsets in Unicode characters."""

    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A FHIR search: `type` and its parameters in order, values not yet percent-encoded."""

    type: str
    params: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.type + ("?" + "&".join(f"{k}={v}" for k, v in self.params) if self.params else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The matches of a search, already parsed, plus what came with them by `_include`.

    `complete` is False when a page limit or an error cut it short; `error` then says why, for the
    operator, without patient data. `total` is the server's figure, or the count where it gives none.
    `pages` is how many were read; `next` continues a search whose `_count` was given. `limits` are what the server
    leaves out of such a search by its nature, in words for the answer: what was found stands, and what was not found
    may be there all the same.
    """

    query: Query
    matches: tuple[Mapping[str, Any], ...] = ()
    included: tuple[Mapping[str, Any], ...] = ()
    total: int | None = None
    complete: bool = True
    error: str | None = None
    pages: int = 1
    next: str | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The body of a Binary, an attachment or an `$operation`, with the content type it came with."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One row of proof: what was asked of the source and how it ended (the answer's `searched`).

    `limits` as in SearchResult: with any, that nothing was found proves nothing.
    """

    query: str
    found: int
    complete: bool = True
    error: str | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What code worked out over facts; verify runs it again.

    `op` is a name in `fhir_tools.compute.OPERATIONS`; `inputs` are the facts it read, all of them;
    `params` are its other arguments (a date, a unit); `result` is what it gave.
    """

    op: str
    inputs: tuple[Fact, ...]
    result: Any
    params: Mapping[str, Any] = field(default_factory=dict)


ROLES = ("latest", "previous", "first", "highest", "lowest", "on", "closest", "member", "quote")
"""What a fact is within its card; `member` is one of a list, `on` lies on the day asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a citation mark of a card stands for. Exactly one of `fact`, `computation`, `search` is set.

    `id` is unique within one answer: `1`, `c1` (computation), `s1` (search). `shown` is the card's own
    words for it, the excerpt of a citation. `span` is set for a quote from the document that `fact` is, and
    `document` is that document as it was read: the quote is held against it.
    """

    id: str
    shown: str
    roles: frozenset[str] = frozenset()
    fact: Fact | None = None
    computation: Computation | None = None
    search: Search | None = None
    span: Span | None = None
    document: Document | None = field(default=None, repr=False, compare=False)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts behind the mark: its own, or the inputs of its computation."""
        if self.fact:
            return (self.fact,)
        return self.computation.inputs if self.computation else ()

    @property
    def references(self) -> tuple[str, ...]:
        """`Type/id` of every resource behind the mark, each once, in order."""
        return tuple(dict.fromkeys(str(f.reference) for f in self.facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that a chart says about one concept (or one list) in a window, on a few lines with marks.

    `facts` are all that the card was made from, oldest first, shown or not: what "latest", "only"
    and "all" are checked against. `complete` is False when the search behind it was cut short.
    `window` is the window's words, or empty for the whole chart up to as_of. `concepts` are the chart
    concepts brought together; `names` are the words that a claim may use for them. `role` is `subject` for
    what was asked about, `event` for the event a time was told by, `also` for the closest other things.
    """

    title: str
    kind: Kind
    lines: tuple[str, ...]
    marks: tuple[Mark, ...]
    facts: tuple[Fact, ...] = ()
    concepts: tuple[Concept, ...] = ()
    names: tuple[str, ...] = ()
    window: str = ""
    complete: bool = True
    role: Literal["subject", "event", "also"] = "subject"

    @property
    def text(self) -> str:
        """The card as a model reads it: the title, then its lines, each set in by a blank."""
        return "\n ".join((self.title, *self.lines))
