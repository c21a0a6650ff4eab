"""The cards that a site shows: a YAML file, checked line by line; the shipped one stands beside this module."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agent.located import read_yaml
from agent.service.cds.requests import Hook
from agent.service.cds.responses import Indicator
from fhir_tools import units
from fhir_tools.lexicon import lexicon
from fhir_tools.substances import known

__all__ = [
    "SHIPPED",
    "AllergyCard",
    "AnyCard",
    "CardConfig",
    "Cards",
    "DuplicateCard",
    "KidneyCard",
    "MonitoringCard",
    "QuestionCard",
    "RepeatCard",
    "ResultCard",
    "TestKind",
    "Who",
    "read_cards",
]

SHIPPED = Path(__file__).with_name("cards.yaml")
_KINDS = ("allergy", "kidney", "result", "duplicate", "repeat", "monitoring", "question")


def _drug(name: str) -> str:
    if not known(name):
        raise ValueError(f"{name!r} is no drug and no drug class of the lexicon; see drugs.tsv and drug_classes.tsv")
    return name


def _lab(name: str) -> str:
    entry = lexicon().by_id("lab", name)
    if entry is None or not entry.codes:
        raise ValueError(f"{name!r} is no laboratory value of the lexicon with a LOINC code; see labs.tsv")
    return name


def _unit(unit: str) -> str:
    if units.canonical(None, unit) is None:
        raise ValueError(f"{unit!r} is no UCUM unit")
    return unit


Drug = Annotated[str, AfterValidator(_drug)]
Lab = Annotated[str, AfterValidator(_lab)]
Unit = Annotated[str, AfterValidator(_unit)]
Drugs = Annotated[tuple[Drug, ...], Field(min_length=1)]
Text = Annotated[str, Field(min_length=1, max_length=300)]
Which = Literal["ordered", "current", "both"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Who(_Part):
    """Who sees a card; empty is everybody. All that is given must hold.

    `users` are types of `context.userId`; `roles` and `organizations` are codes of PractitionerRole.code or
    Practitioner.qualification and ids of PractitionerRole.organization, read by the prefetch key `user`; `issuers`
    and `tenants` are those of the client's token.
    """

    users: tuple[Literal["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"], ...] = (
        "Practitioner",
        "PractitionerRole",
    )
    roles: tuple[Text, ...] = ()
    organizations: tuple[Text, ...] = ()
    issuers: tuple[Text, ...] = ()
    tenants: tuple[Text, ...] = ()

    @property
    def asks_of_user(self) -> bool:
        """Whether the user's own resource is needed to know."""
        return bool(self.roles or self.organizations)


class OverrideReason(_Part):
    """A reason that the EHR offers to who dismisses the card."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    display: Text


class CardConfig(_Part):
    """What all kinds of cards have. `summary` replaces the wording: its fields in braces are those of the kind."""

    fields: ClassVar[tuple[str, ...]] = ()

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    hooks: Annotated[tuple[Hook, ...], Field(min_length=1)]
    who: Who = Who()
    indicator: Indicator = "warning"
    summary: Text | None = None
    override_reasons: tuple[OverrideReason, ...] = ()

    @model_validator(mode="after")
    def _worded(self) -> CardConfig:
        try:
            used = {name for _, name, _, _ in string.Formatter().parse(self.summary or "") if name is not None}
        except ValueError as error:
            raise ValueError("summary has a brace that is not closed") from error
        if unknown := sorted(used - set(self.fields)):
            raise ValueError(f"summary may have {{{'}, {'.join(self.fields)}}}, and not {unknown[0]!r}")
        return self

    def worded(self, shipped: str, **fields: str) -> str:
        """The summary in the site's wording, else in ours."""
        return self.summary.format(**fields) if self.summary else shipped


class AllergyCard(CardConfig):
    """An allergy to what is being ordered: the ingredient, its class, or another of a class that cross-reacts."""

    fields: ClassVar[tuple[str, ...]] = ("drug", "allergy")
    kind: Literal["allergy"]
    indicator: Indicator = "critical"
    class_indicator: Indicator = "warning"
    cross_reactive: tuple[Drug, ...] = ()


class KidneyCard(CardConfig):
    """A drug whose label asks for care at the patient's last kidney function. `limits` replace those of the table."""

    fields: ClassVar[tuple[str, ...]] = ("drug", "egfr", "date", "limit")
    kind: Literal["kidney"]
    drugs: Which = "ordered"
    recent_months: Annotated[int, Field(ge=1, le=120)] = 12
    missing: Literal["say", "silent"] = "say"
    adjust_indicator: Indicator = "info"
    limits: dict[Drug, Annotated[float, Field(gt=0, le=200)]] = Field(default_factory=dict)


class ResultCard(CardConfig):
    """Drugs with a last result below or above a limit, such as an anticoagulant with few platelets."""

    fields: ClassVar[tuple[str, ...]] = ("drug", "result", "date", "limit")
    kind: Literal["result"]
    of: Drugs
    drugs: Which = "both"
    lab: Lab
    below: float | None = None
    above: float | None = None
    unit: Unit
    recent_days: Annotated[int, Field(ge=1, le=3650)] = 90

    @model_validator(mode="after")
    def _one(self) -> ResultCard:
        if (self.below is None) == (self.above is None):
            raise ValueError("give either below or above")
        return self


class DuplicateCard(CardConfig):
    """An order of what is listed active already, or of another drug of one of the `classes`."""

    fields: ClassVar[tuple[str, ...]] = ("drug", "active")
    kind: Literal["duplicate"]
    classes: tuple[Drug, ...] = ()
    class_indicator: Indicator = "info"
    suggest_removal: bool = True


TestKind = Literal["laboratory", "imaging", "other"]
Days = Annotated[int, Field(ge=0, le=3650)]


class RepeatCard(CardConfig):
    """A test that was ordered or done within so many days; kinds that have no window are not looked at."""

    fields: ClassVar[tuple[str, ...]] = ("test", "found")
    kind: Literal["repeat"]
    indicator: Indicator = "info"
    windows: Annotated[dict[TestKind, Days], Field(min_length=1)]


class Watch(_Part):
    """A laboratory value that one of the drugs wants every so many months."""

    drugs: Drugs
    labs: Annotated[tuple[Lab, ...], Field(min_length=1)]
    months: Annotated[int, Field(ge=1, le=120)]


class MonitoringCard(CardConfig):
    """A drug that is listed active, and no result in time of a value that it wants."""

    fields: ClassVar[tuple[str, ...]] = ("drug", "lab", "months")
    kind: Literal["monitoring"]
    indicator: Indicator = "info"
    watch: Annotated[tuple[Watch, ...], Field(min_length=1)]


class QuestionCard(CardConfig):
    """The answer to a question about the chart, computed ahead (`chartline service ahead`)."""

    fields: ClassVar[tuple[str, ...]] = ("answer",)
    kind: Literal["question"]
    indicator: Indicator = "info"
    question: Annotated[str, Field(min_length=3, max_length=500)]
    show: Annotated[tuple[Literal["answered", "not_found"], ...], Field(min_length=1)] = ("answered",)


AnyCard = Annotated[
    AllergyCard | KidneyCard | ResultCard | DuplicateCard | RepeatCard | MonitoringCard | QuestionCard,
    Field(discriminator="kind"),
]


class Cards(_Part):
    """The file. `label` names the source on cards.

    `unread` says what is done about cards whose data cannot be had while others were checked: `tell` it by a card of
    its own, `refuse` the call (412), or be `silent`.
    """

    label: Text = "chartline"
    unread: Literal["tell", "refuse", "silent"] = "tell"
    cards: Annotated[tuple[AnyCard, ...], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _apart(self) -> Cards:
        names = [card.name for card in self.cards]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two cards are named {twice!r}; feedback is kept by the name")
        return self

    def of(self, hook: Hook) -> tuple[Any, ...]:
        """The cards of a hook."""
        return tuple(card for card in self.cards if hook in card.hooks)

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions that answers are computed ahead for, each once."""
        return tuple(dict.fromkeys(card.question for card in self.cards if isinstance(card, QuestionCard)))


def read_cards(path: Path | None) -> Cards:
    """The cards of a file, or those that ship. Raises UserError with the line of each fault."""
    return read_yaml(path or SHIPPED, Cards, tags=_KINDS)
