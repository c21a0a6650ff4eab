"""What an EHR gets: services, cards and their parts (CDS Hooks 2.0.1). `systemActions` are never sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.service.cds.requests import Hook

__all__ = [
    "Action",
    "CardOut",
    "CardsOut",
    "Indicator",
    "Link",
    "Reason",
    "ServiceOut",
    "ServicesOut",
    "Source",
    "Suggestion",
    "plain",
]

Indicator = Literal["info", "warning", "critical"]
Url = Annotated[str, Field(pattern=r"^https?://")]
Said = Annotated[str, Field(min_length=1)]


class _Out(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Reason(_Out):
    """A Coding with its display: a topic, or a reason to override a card."""

    code: Said
    system: Said
    display: Said


class Source(_Out):
    """Where the guidance is from."""

    label: Said
    url: Url | None = None
    topic: Reason | None = None


class Link(_Out):
    """A page, or a SMART app to be launched; `appContext` is of the latter alone."""

    label: Said
    url: Url
    type: Literal["absolute", "smart"]
    appContext: str | None = None  # noqa: N815  the specification's own names, here and below

    @model_validator(mode="after")
    def _fits(self) -> Link:
        if self.appContext is not None and self.type != "smart":
            raise ValueError("appContext is of a smart link")
        return self


class Action(_Out):
    """What taking a suggestion does; here always the removal of a draft."""

    type: Literal["delete"]
    description: Said
    resourceId: Said  # noqa: N815


class Suggestion(_Out):
    """Something that the reader may choose to do."""

    label: Said
    uuid: Said
    isRecommended: bool  # noqa: N815
    actions: tuple[Action, ...]


class CardOut(_Out):
    """One card."""

    uuid: Said
    summary: Annotated[str, Field(min_length=1, max_length=139)]
    detail: str | None = None
    indicator: Indicator
    source: Source
    suggestions: tuple[Suggestion, ...] | None = None
    selectionBehavior: Literal["at-most-one", "any"] | None = None  # noqa: N815
    overrideReasons: tuple[Reason, ...] | None = None  # noqa: N815
    links: tuple[Link, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> CardOut:
        if bool(self.suggestions) != bool(self.selectionBehavior):
            raise ValueError("suggestions and selectionBehavior go together")
        return self


class CardsOut(_Out):
    """The cards of one call; an empty array where there is nothing to say."""

    cards: tuple[CardOut, ...]


class ServiceOut(_Out):
    """One service of the discovery."""

    hook: Hook
    title: Said
    description: Said
    id: Said
    prefetch: dict[str, str]
    usageRequirements: Said  # noqa: N815


class ServicesOut(_Out):
    """The discovery."""

    services: tuple[ServiceOut, ...]


def plain(model: BaseModel) -> Any:
    """The model as JSON values; what is not there is left out, as the specification asks."""
    return model.model_dump(mode="json", exclude_none=True)
