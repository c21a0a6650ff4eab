"""The agent's records: what was understood, what is claimed, and the answer everybody sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fhir_tools.dates import Window
from fhir_tools.documents import Document
from fhir_tools.imaging.types import Image
from fhir_tools.types import Card, Kind, Mark, Search

__all__ = [
    "AGAINST",
    "IN_NOTES",
    "IN_REPORTS",
    "ORDINALS",
    "Absence",
    "Anchor",
    "Answer",
    "Ask",
    "Citation",
    "Claim",
    "ClaimOut",
    "Draft",
    "Evidence",
    "Look",
    "Need",
    "Op",
    "Reading",
    "Removed",
    "SearchedOut",
    "SpanOut",
    "Status",
    "Support",
    "Target",
    "Turn",
    "Usage",
    "ValueOut",
    "Verified",
    "View",
]

IN_NOTES = "In the notes"
"""The title of a card of quotes that a question about notes asks for."""
IN_REPORTS = "In the reports of this image"
"""The title of a card of quotes of the reports of an image that is asked about."""
AGAINST = "In the notes, against the record"
"""The title of a card of quotes that say otherwise than the structured chart, or say what it does not."""

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
"""The words for the places in an order, the first first."""

Op = Literal[
    "latest", "previous", "first", "highest", "lowest", "on", "closest", "list", "count", "count_by_year", "mean",
    "change", "trend", "compare", "exists", "taking", "when", "started", "ended", "age", "age_at", "dose", "reason",
    "status", "duration", "describe", "find", "attribute", "abnormal", "range", "order", "interval", "planned",
]  # fmt: skip
"""What a question asks to be done with its subject; see `agent.understand` for the words of each."""

Status = Literal["answered", "not_found", "incomplete", "refused", "failed"]
Support = Literal["direct", "computed", "searched", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that a question names, as found in this chart's catalogue or, failing that, the lexicon.

    `keys` are the catalogue concepts meant (empty: the chart has none), `known` is False when neither
    the chart nor the lexicon knows the words. `choices` holds labels when several distinct concepts fit;
    `labels` narrows a code that the chart uses for several things to the one that was named.
    """

    words: str
    label: str
    kinds: tuple[Kind, ...] = ()
    keys: tuple[str, ...] = ()
    lexicon: tuple[tuple[str, str], ...] = ()
    known: bool = True
    labels: tuple[str, ...] = ()
    corrected: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An event that a time is told by: "when X was diagnosed", "during the March admission".

    `relation` is `closest`, `at`, `before`, `after`, `during` or `since`; the event is `target`'s first
    record (`which` = first), its last, or an encounter; `window` is when the event was, if the question says so, and
    `cause` the condition that a stay was for ("during the pneumonia stay").
    """

    relation: Literal["closest", "at", "before", "after", "during", "since"]
    target: Target
    which: Literal["first", "last"] = "first"
    window: Window | None = None
    cause: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be seen on an image: `finding` as the question writes it, empty for whatever there is.

    `prior`: against the earlier image. `pixels` is False where a report answers the question as well.
    """

    finding: str = ""
    prior: bool = False
    pixels: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question as rules understood it. `unknown` are the content words that nothing accounts for.

    `state` keeps only what is (no longer) going on, `relative` is the family member asked about, `purpose`
    the condition that a drug was ordered for, `threshold` a comparison with its number, `n` how many or how far back.
    `relies` are the kinds whose records, were they not read, could make the question mean something else. `reads_as`
    are the words that a model put in place of a question that rules did not understand; `question` stays as asked.
    `look` is set where it asks for what is to be seen on the image that the rest of the question names. `asides` are
    phrases that were set aside because they only say who asks, or what for. `against` is the earlier time whose
    result that of `window` is held against ("higher in May than in March"); `nth` picks the second, third … by time.
    `parts` are the questions that it is made of, where it is several in one; its own fields are then those of the
    first. `judged` is the judgement that is asked for ("stable"), which the reader makes of the results told. `summary`
    is the kind of summary that answers instead.
    """

    question: str
    op: Op
    kinds: tuple[Kind, ...] = ()
    targets: tuple[Target, ...] = ()
    window: Window | None = None
    anchor: Anchor | None = None
    direction: Literal["higher", "lower", "different"] | None = None
    n: int | None = None
    attribute: str = ""
    expects: Literal["number", "date", "bool", "text", "set"] | None = None
    current: bool = False
    state: Literal["", "active", "resolved", "stopped"] = ""
    relative: str = ""
    purpose: Target | None = None
    unknown: tuple[str, ...] = ()
    relies: tuple[Kind, ...] = ()
    threshold: tuple[str, float, str | None] | None = None
    reads_as: str = ""
    look: Look | None = None
    asides: tuple[str, ...] = ()
    against: Window | None = None
    nth: int = 0
    parts: tuple[Ask, ...] = ()
    judged: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence that a reasoner wants to tell, and the marks it names for it.

    `value` is what the sentence says as data (the answer's `value`), where the reasoner knows it;
    verify holds it against the marks like the words. `part` numbers the part of the question that it answers, from 1;
    0 is the whole.
    """

    text: str
    marks: tuple[str, ...] = ()
    value: Mapping[str, Any] | None = None
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A call of one of the typed read-only tools that a reasoner asks the graph to make."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a reasoner returns: claims, or needs, or a status that says why there is nothing to claim.

    `status` is `answered` for claims (`note` then tells what else was asked and is not there); `not_found`,
    `incomplete` and `refused` come with `note`, the sentence for the reader, built by code, with nothing
    clinical in it that is not in `claims`. `by` names who reasoned, where a reasoner has several to choose from.
    `reads_as` asks that the question be understood anew, in the first of these wordings that rules know.
    """

    status: Status = "answered"
    claims: tuple[Claim, ...] = ()
    needs: tuple[Need, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    usage: Usage | None = None
    by: str = ""
    reads_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A subject that the chart does not hold (in the window asked for), and how that is known.

    `searched` are ids of search marks. `opaque` counts entries of these kinds that neither a code nor an
    understood label explains: the subject could hide in them. `near` are labels the chart does have. `notes` is what
    is told of the notes, where they were read as well.
    """

    label: str
    kinds: tuple[Kind, ...]
    searched: tuple[str, ...]
    window: str = ""
    opaque: int = 0
    near: tuple[str, ...] = ()
    complete: bool = True
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An image that a question asks to look at, with the mark it has; the one before it, where they are compared.

    `reports` are the texts of its reports: never shown to a model that looks, and held against what it says.
    """

    image: Image
    mark: str
    prior: Image | None = None
    prior_mark: str = ""
    reports: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What retrieve brought for one question: the cards, and the searches behind them.

    `catalogue` is the few lines about the rest of the chart that a model may read (no marks in it), and `overview`
    its concepts by kind, where the question was not understood. `patient` is the patient's line: age and sex, no name.
    `view` is the image to look at; `readings` what a model read from pixels, `read_by` which one, and `unseen` why
    pixels that were asked about were not read; `spent` is what that took, and was not counted yet. `parts` is the
    evidence of each part of a question that is several in one, whose marks no other part has.
    """

    cards: tuple[Card, ...] = ()
    searched: tuple[Search, ...] = ()
    absent: tuple[Absence, ...] = ()
    search_marks: tuple[Mark, ...] = ()
    catalogue: str = ""
    overview: str = ""
    patient: str = ""
    warnings: tuple[str, ...] = ()
    view: View | None = None
    readings: tuple[Reading, ...] = ()
    read_by: str = ""
    unseen: str = ""
    spent: Usage | None = None
    parts: tuple[Evidence, ...] = ()

    @property
    def complete(self) -> bool:
        return all(s.complete for s in self.searched)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Removed(_Out):
    """A claim that verify took out: what kind of fault, and a reason without clinical content."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The claims that are left, with the marks that really hold them, and what was taken out."""

    claims: tuple[Claim, ...] = ()
    supports: tuple[Support, ...] = ()
    removed: tuple[Removed, ...] = ()
    feedback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One finished question of a thread: enough for "and the one before?" to keep its subject.

    `subject` is the understood question as plain data (see `agent.understand`).
    """

    question: str
    text: str
    subject: Mapping[str, Any] = field(default_factory=dict)
    as_of: date | None = None


class ValueOut(_Out):
    """The answer as data, worked out by code from the surviving claims."""

    kind: Literal["number", "date", "bool", "text", "set"]
    value: float | int | str | bool | list[str]
    unit: str | None = None
    date: str | None = None


class ClaimOut(_Out):
    text: str
    marks: list[str]
    support: Support


class SpanOut(_Out):
    """A stretch of a document's text: `start` and `end` count its Unicode characters, `quote` is what stands there."""

    start: int
    end: int
    quote: str


class Citation(_Out):
    """Where a mark points; `inputs` are the resources of a computation, `span` is where a document is quoted."""

    mark: str
    reference: str
    version: str | None = None
    path: str
    excerpt: str
    inputs: list[str] = Field(default_factory=list)
    span: SpanOut | None = None


class SearchedOut(_Out):
    query: str
    found: int
    complete: bool
    error: str | None = None


class Reading(_Out):
    """What a model read from pixels: told apart from claims, never one of them.

    `image` is the mark of the image among the citations. `region` is left, top, right, bottom in pixels of the stored
    image, on frame number `frame` (from 1, in the order of reading); None where the finding is not shown by a box.
    """

    text: str
    image: str
    region: tuple[float, float, float, float] | None = None
    frame: int | None = None
    model: str


class Usage(_Out):
    llm_calls: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def plus(self, more: Usage | None) -> Usage:
        """Both together."""
        if more is None:
            return self
        return Usage(**{name: value + getattr(more, name) for name, value in self.model_dump().items()})


class Answer(_Out):
    """The public answer: the one shape of the API, `--json`, evals and the page."""

    question: str
    patient: str
    as_of: str
    thread: str | None = None
    status: Status
    text: str
    value: ValueOut | None = None
    claims: list[ClaimOut] = Field(default_factory=list)
    citations: list[Citation] = Field(default_factory=list)
    searched: list[SearchedOut] = Field(default_factory=list)
    readings: list[Reading] = Field(default_factory=list)
    removed: list[Removed] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    usage: Usage = Field(default_factory=Usage)
    reasoner: str
    trace: str = ""
