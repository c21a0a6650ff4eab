"""What a criterion asks of a chart, as typed data: written by rules or a model, edited by a coordinator, run by code.

The same models are the YAML of `chartline trials compile`, the schema under which a model proposes a check, and the
data that a pre-screening of many patients compiles. Texts for people are read and written: a limit is `>= 7.0 %`, a
length of time `6 months`. Validation raises pydantic's ValidationError; `agent.trials.sheet` tells it by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter, model_validator

from fhir_tools import dates
from fhir_tools.dates import Window

__all__ = [
    "MANY",
    "MOST_LIMITS",
    "Age",
    "All",
    "Any_",
    "AtLeast",
    "Check",
    "Concept",
    "Length",
    "Limit",
    "Measurement",
    "NoChart",
    "Not",
    "Period",
    "Pregnancy",
    "Reader",
    "Record",
    "RecordKind",
    "Sex",
    "Sign",
    "Smoking",
    "checker",
    "walk",
]

RecordKind = Literal[
    "condition", "medication", "allergy", "procedure", "immunization", "encounter", "family", "device", "imaging"
]

_NAME, _WORDS = 120, 200
MANY = 40
"""The most parts of a check."""
MOST_LIMITS = 8
"""The most comparisons with one value."""
Text = Annotated[str, Field(min_length=1, max_length=_WORDS)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Concept(_Data):
    """A thing by its name, as the lexicon or the chart has it; `codes` (`system|code`) name it as well."""

    name: Annotated[str, Field(min_length=1, max_length=_NAME)]
    codes: Annotated[
        tuple[Annotated[str, Field(max_length=_NAME, pattern=r"^[^|\s]*\|\S+$")], ...], Field(max_length=MANY)
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


def _written(concepts: tuple[Concept, ...]) -> Any:
    told = [c.name if not c.codes else c.model_dump(mode="json") for c in concepts]
    return told[0] if len(told) == 1 else told


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict | Concept) else value


Concepts = Annotated[
    tuple[Concept, ...], BeforeValidator(_several), Field(max_length=MANY), PlainSerializer(_written, when_used="json")
]

Sign = Literal[">", ">=", "<", "<=", "="]
_SIGNS: dict[str, Sign] = {">=": ">=", "≥": ">=", "<=": "<=", "≤": "<=", ">": ">", "<": "<", "=": "="}
_LIMIT = re.compile(r"\s*(>=|<=|≥|≤|>|<|=)\s*(-?\d+(?:\.\d+)?)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A comparison with a number. `unit` is as written (UCUM or a usual spelling); `ULN` and `LLN` are multiples of
    the upper and lower limit of the result's own reference range."""

    sign: Sign
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.value:.12g} {self.unit}".strip()

    def holds(self, number: float) -> bool:
        """Whether a number, in the same unit, passes. `=` allows for the last digit that charts do not show."""
        if self.sign == "=":
            return abs(number - self.value) <= 1e-9 * max(1.0, abs(self.value))
        above = number > self.value if ">" in self.sign else number < self.value
        return above or ("=" in self.sign and number == self.value)


def _limit(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _LIMIT.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} is no limit; write a sign, a number and a unit, such as '>= 7.0 %'")
    return Limit(sign=_SIGNS[found[1]], value=float(found[2]), unit=found[3])


Limits = Annotated[
    tuple[Annotated[Limit, BeforeValidator(_limit), PlainSerializer(str, return_type=str)], ...],
    BeforeValidator(lambda v: (v,) if isinstance(v, str | Limit) else v),
    Field(max_length=MOST_LIMITS),
]

_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(day|week|month|year)s?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A length of time, in calendar units: six months before 31 August is 28 or 29 February."""

    count: float
    unit: Literal["day", "week", "month", "year"]

    def __str__(self) -> str:
        return f"{self.count:g} {self.unit}{'' if self.count == 1 else 's'}"

    def before(self, day: date) -> date:
        """The day so long before a day. Part of a month or a year is counted in days."""
        whole, part = int(self.count), self.count - int(self.count)
        days = round(part * {"day": 1, "week": 7, "month": 30.4375, "year": 365.25}[self.unit])
        return dates.shift(dates.shift(day, **{f"{self.unit}s": -whole}), days=-days)

    def after(self, day: date) -> date:
        """The first day on which `day` lies longer ago than this."""
        later = dates.shift(day, **{f"{self.unit}s": int(self.count) + (self.count > int(self.count))})
        while self.before(later) <= day:
            later = dates.shift(later, days=1)
        return later


def _length(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _LENGTH.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} is no length of time; write a number and days, weeks, months or years")
    return Length(count=float(found[1]), unit=found[2])  # type: ignore[arg-type]


Lasting = Annotated[Length, BeforeValidator(_length), PlainSerializer(str, return_type=str)]


class Period(_Data):
    """When something must have been: begun `within` a length of time before the day of screening, or at least so long
    `before` it, or from `since` to `until` (both days included)."""

    within: Lasting | None = None
    before: Lasting | None = None
    since: date | None = None
    until: date | None = None

    def __str__(self) -> str:
        told = [f"within {self.within}" if self.within else "", f"at least {self.before} ago" if self.before else ""]
        told += [f"since {self.since}" if self.since else "", f"until {self.until}" if self.until else ""]
        return ", ".join(filter(None, told))

    def window(self, as_of: date) -> Window:
        """The days meant, as of a day. Raises ValueError for a period that no day is in."""
        lows = [self.within.before(as_of)] if self.within else []
        highs = [dates.shift(self.before.before(as_of), days=1)] if self.before else []
        lows += [self.since] if self.since else []
        highs += [dates.shift(self.until, days=1)] if self.until else []
        return Window(low=max(lows, default=None), high=min(highs, default=None), text=str(self))

    @model_validator(mode="after")
    def _some(self) -> Period:
        if not (self.within or self.before or self.since or self.until):
            raise ValueError("a period says within, before, since or until")
        return self


class _Doubtful(_Data):
    """`doubts` are words of the statement that the check passes over: where it is met, a reader must say whether they
    hold, so it is `unknown` until then; where nothing of the kind is there, they do not matter."""

    doubts: Annotated[tuple[Text, ...], Field(max_length=MANY)] = ()


class Age(_Data):
    """Completed years (or months, weeks, days by the limit's unit) on the day of screening."""

    type: Literal["age"] = "age"
    limits: Limits


class Sex(_Data):
    """The administrative gender on record (R4 Patient.gender)."""

    type: Literal["sex"] = "sex"
    of: Annotated[tuple[Literal["female", "male"], ...], BeforeValidator(_several), Field(min_length=1, max_length=2)]


class Record(_Doubtful):
    """Something recorded: any of `of` but not `apart`.

    `state` is `active` (a condition that goes on), `resolved`, `current` (a drug that is taken) or empty for ever.
    `least`: so many of them, on different days. `lasting`: since at least so long. `relative` narrows a family history;
    empty is any relative.
    """

    type: Literal["record"] = "record"
    kind: RecordKind
    of: Concepts
    apart: Concepts = ()
    state: Literal["", "active", "resolved", "current"] = ""
    period: Period | None = None
    lasting: Lasting | None = None
    least: Annotated[int, Field(ge=1, le=MANY)] = 1
    relative: Annotated[str, Field(max_length=_NAME)] = ""

    @model_validator(mode="after")
    def _sound(self) -> Record:
        if not self.of:
            raise ValueError("of names nothing; name at least one thing")
        allowed = {"condition": ("", "active", "resolved"), "medication": ("", "current")}.get(
            self.kind, ("", "active")
        )
        if self.state not in allowed:
            raise ValueError(f"a {self.kind} has no state {self.state!r}; it can be {', '.join(filter(None, allowed))}")
        return self


class Measurement(_Doubtful):
    """A result that keeps every limit, or is as `finding` says by its words, its flag or its reference range
    (`recorded`: there is one).

    `which`: the latest one in the period, or any one in it.
    """

    type: Literal["measurement"] = "measurement"
    of: Concepts
    limits: Limits = ()
    finding: Literal["", "positive", "negative", "abnormal", "normal", "recorded"] = ""
    which: Literal["latest", "any"] = "latest"
    period: Period | None = None

    @model_validator(mode="after")
    def _sound(self) -> Measurement:
        if not self.of or bool(self.limits) == bool(self.finding):
            raise ValueError("a measurement needs of and either limits ('>= 7.0 %') or a finding (positive)")
        return self


class Pregnancy(_Data):
    """Pregnant on the day of screening."""

    type: Literal["pregnancy"] = "pregnancy"


class Smoking(_Data):
    """Smoking status as last recorded."""

    type: Literal["smoking"] = "smoking"
    of: Annotated[
        tuple[Literal["current", "former", "never"], ...], BeforeValidator(_several), Field(min_length=1, max_length=3)
    ]


class NoChart(_Data):
    """What no chart can hold: consent, willingness, an opinion. Always `unknown`; `ask` says what to find out."""

    type: Literal["no chart"] = "no chart"
    ask: Text


class Reader(_Data):
    """What rules do not understand; `why` says which words. A model reads the chart for it where there is one."""

    type: Literal["reader"] = "reader"
    why: Text


class Not(_Data):
    """Met where the other is not."""

    type: Literal["not"] = "not"
    of: Check


class All(_Data):
    """Met where every one is."""

    type: Literal["all"] = "all"
    of: Annotated[tuple[Check, ...], Field(min_length=1, max_length=MANY)]


class Any_(_Data):  # noqa: N801  beside typing.Any
    """Met where one or more are."""

    type: Literal["any"] = "any"
    of: Annotated[tuple[Check, ...], Field(min_length=1, max_length=MANY)]


class AtLeast(_Data):
    """Met where so many are."""

    type: Literal["at least"] = "at least"
    number: Annotated[int, Field(ge=1, le=MANY)]
    of: Annotated[tuple[Check, ...], Field(min_length=1, max_length=MANY)]


Leaf = Age | Sex | Record | Measurement | Pregnancy | Smoking | NoChart | Reader
Check = Annotated[Leaf | Not | All | Any_ | AtLeast, Field(discriminator="type")]

for _model in (Not, All, Any_, AtLeast):
    _model.model_rebuild()

checker: TypeAdapter[Any] = TypeAdapter(Check)
"""Validates a check of any type: `checker.validate_python({"type": "sex", "of": "female"})`."""


def walk(check: Any) -> Iterator[Any]:
    """The leaves of a check, from left to right."""
    if isinstance(check, Not):
        yield from walk(check.of)
    elif isinstance(check, All | Any_ | AtLeast):
        for part in check.of:
            yield from walk(part)
    else:
        yield check
