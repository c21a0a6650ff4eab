"""What requests about trials say, and what they are answered with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.service.bound import AsOf
from agent.trials.types import Screened

__all__ = [
    "AskCohortIn",
    "AskCohortOut",
    "CompileIn",
    "CompiledOut",
    "CriterionOut",
    "FindIn",
    "FoundOut",
    "MatchIn",
    "ScreenCohortIn",
    "ScreenCohortOut",
    "ScreenIn",
    "TrialIn",
]

_TEXT = """Inclusion Criteria:
* Age 18 years or older
* HbA1c above 7.0 % within 6 months

Exclusion Criteria:
* History of stroke
"""
Patient = Annotated[str | None, Field(default=None, max_length=80, examples=["demo-maria-santos"])]
Least = Annotated[int, Field(default=0, ge=0, le=1000, description="Counts of patients below this are masked.")]
Names = Annotated[bool, Field(default=True, description="Whether patients are told by name as well.")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TrialIn(_In):
    """A protocol in one of four forms: its criteria as text, a study as JSON, its number, or an edited sheet."""

    text: Annotated[str | None, Field(default=None, min_length=1, max_length=30_000, examples=[_TEXT])]
    study: dict[str, Any] | None = Field(
        default=None, description="ClinicalTrials.gov API v2, or FHIR ResearchStudy with its Groups contained."
    )
    number: str | None = Field(
        default=None, pattern=r"^NCT\d{8}$", description="Looked up only where the operator has set a registry."
    )
    sheet: Annotated[
        str | None, Field(default=None, min_length=1, max_length=100_000, description="YAML, as `compile` gives it.")
    ]
    name: str = Field(default="protocol", min_length=1, max_length=120, description="What a text is called.")

    @model_validator(mode="after")
    def _one(self) -> TrialIn:
        if sum(v is not None for v in (self.text, self.study, self.number, self.sheet)) != 1:
            raise ValueError("give one of text, study, number and sheet")
        return self


class CompileIn(_In):
    """Which protocol to read."""

    trial: TrialIn


class CriterionOut(BaseModel):
    """A statement and how it was understood: `told` in words, `check` as data; `doubts` are words passed over.

    `number` is 0 for the registry's own fields (age, sex); `span` is where it stands in the text; `by` wrote the check.
    """

    number: int
    section: str
    text: str
    span: tuple[int, int]
    by: str
    told: str
    understood: bool
    doubts: list[str]
    check: dict[str, Any]


class CompiledOut(BaseModel):
    """A protocol as understood. `not_understood` are the numbers of statements that nobody or only a reader can check;
    `sheet` is the YAML to edit and send back."""

    trial: str
    title: str
    criteria: list[CriterionOut]
    not_understood: list[int]
    sheet: str


class MatchIn(_In):
    """One patient, one trial."""

    trial: TrialIn
    patient: Patient
    as_of: AsOf


class FindIn(_In):
    """One patient, several trials."""

    trials: Annotated[list[TrialIn], Field(min_length=1, max_length=50)]
    patient: Patient
    as_of: AsOf


class FoundOut(BaseModel):
    """The trials, those that fit best first."""

    trials: list[Screened]


class ScreenIn(_In):
    """A trial and the patients to hold against it, by their ids; none named is all that the source lists."""

    trial: TrialIn
    patients: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(default=[], max_length=20_000)]
    as_of: AsOf
    min_cell: Least
    names: Names


class AskCohortIn(_In):
    """A question over the loaded cohort."""

    question: Annotated[str, Field(min_length=1, max_length=2000, examples=["how many patients with diabetes?"])]
    as_of: AsOf
    min_cell: Least
    names: Names


class AskCohortOut(BaseModel):
    """How many patients the question holds for, does not, and cannot be told of; `<N` and `masked` hide small counts.

    `listed` are those for whom it holds, where a list was asked for; at most `most`, and `complete` says whether all.
    """

    question: str
    understood: list[str]
    as_of: str
    patients: dict[str, int | str]
    listed: list[dict[str, Any]] | None
    complete: bool
    warnings: list[str]


class ScreenCohortIn(_In):
    """A trial over the loaded cohort."""

    trial: TrialIn
    as_of: AsOf
    min_cell: Least
    names: Names


class ScreenCohortOut(BaseModel):
    """How many patients pass or are excluded, the words of each statement, and who passes with the facts behind it."""

    trial: str
    as_of: str
    patients: dict[str, int | str]
    criteria: list[dict[str, Any]]
    passing: list[dict[str, Any]]
    complete: bool
