"""What an EHR sends: the request of a hook with its context, and feedback (CDS Hooks 2.0.1).

Types are strict; members that the specification does not name are passed over, since a later version may add them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from agent.errors import UserError
from agent.sources import check_place, is_url

__all__ = [
    "CONTEXTS",
    "HOOKS",
    "Authorization",
    "Coding",
    "Context",
    "Draft",
    "Feedback",
    "FeedbackIn",
    "Hook",
    "HookIn",
    "Orders",
]

Hook = Literal["patient-view", "order-select", "order-sign", "encounter-discharge"]
HOOKS: tuple[Hook, ...] = Hook.__args__  # type: ignore[attr-defined]

DRAFTS = ("MedicationRequest", "ServiceRequest", "NutritionOrder", "DeviceRequest", "VisionPrescription")
"""The resources that the hooks name as orders; others in the Bundle are what they refer to (Medication)."""

_ID = r"^[A-Za-z0-9\-.]{1,64}$"
_USER = r"^(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}$"
Id = Annotated[str, Field(pattern=_ID)]
Draft = Mapping[str, Any]


class _In(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class Authorization(_In):
    """`fhirAuthorization`: the client's token for its FHIR server."""

    access_token: Annotated[SecretStr, Field(min_length=1, max_length=16_000)]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(ge=0)]
    scope: Annotated[str, Field(max_length=8000)]
    subject: Annotated[str, Field(max_length=1000)]
    patient: Id | None = None


class Context(_In):
    """What all four hooks say: who looks at whom."""

    userId: Annotated[str, Field(pattern=_USER)]  # noqa: N815  the specification's own names, here and below
    patientId: Id  # noqa: N815
    encounterId: Id | None = None  # noqa: N815

    def drafts(self) -> tuple[Draft, ...]:
        """The resources of the draft orders; none where the hook has none."""
        return ()

    def means(self, draft: Draft) -> bool:
        """Whether the hook is about this draft order."""
        return True


class Discharge(Context):
    """`encounter-discharge` 1.0: the encounter is named."""

    encounterId: Id  # noqa: N815


def _bundle(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("resourceType") != "Bundle":
        raise ValueError("a Bundle is meant")
    entries = value.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("entry is an array of objects")
    for entry in entries:
        resource = entry.get("resource")
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise ValueError("each entry has a resource with its resourceType")
        if resource["resourceType"] in DRAFTS and not isinstance(resource.get("id"), str):
            raise ValueError("each draft order has an id")
    return value


class Orders(Context):
    """`order-sign` 1.1: the orders that are about to be signed."""

    draftOrders: Annotated[dict[str, Any], AfterValidator(_bundle)]  # noqa: N815

    def drafts(self) -> tuple[Draft, ...]:
        """The resources of the Bundle."""
        return tuple(entry["resource"] for entry in self.draftOrders.get("entry", []))


class Selected(Orders):
    """`order-select` 1.0: the orders of the session, and which were just selected."""

    selections: Annotated[tuple[str, ...], Field(min_length=1, max_length=200, strict=False)]

    @model_validator(mode="after")
    def _there(self) -> Selected:
        here = {name for draft in self.drafts() for name in _names(draft)}
        if missing := sum(text not in here for text in self.selections):
            raise ValueError(f"{missing} of the selections are in no entry of draftOrders")
        return self

    def means(self, draft: Draft) -> bool:
        """Whether it was just selected: the others are there to be compared with."""
        return any(name in self.selections for name in _names(draft))


def _names(draft: Draft) -> tuple[str, str]:
    """How `selections` may name a draft: "the FHIR id", which by the example is `MedicationRequest/103`."""
    return f"{draft['resourceType']}/{draft.get('id')}", str(draft.get("id"))


CONTEXTS: Mapping[Hook, type[Context]] = {
    "patient-view": Context,
    "order-select": Selected,
    "order-sign": Orders,
    "encounter-discharge": Discharge,
}


def _place(url: str | None) -> str | None:
    if url is not None:
        try:
            check_place(url)
        except UserError:
            raise ValueError("the address of a FHIR server is meant: https://host/path") from None
        if not is_url(url):
            raise ValueError("the address of a FHIR server is meant: https://host/path")
    return url


class HookIn(_In):
    """The body of a call; its context is read by the hook's own model."""

    hook: Hook
    hookInstance: Annotated[str, Field(min_length=1, max_length=200)]  # noqa: N815
    fhirServer: Annotated[str | None, Field(max_length=2000), AfterValidator(_place)] = None  # noqa: N815
    fhirAuthorization: Authorization | None = None  # noqa: N815
    context: dict[str, Any]
    prefetch: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _server(self) -> HookIn:
        if self.fhirAuthorization and not self.fhirServer:
            raise ValueError("fhirServer is needed where fhirAuthorization is given")
        return self

    @property
    def read(self) -> Context:
        """The context, checked. Raises ValidationError."""
        return CONTEXTS[self.hook].model_validate(self.context)


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character is in it, which no database keeps")
    return text


Stored = Annotated[str, AfterValidator(_storable)]


class Coding(_In):
    """A reason as it was offered on the card."""

    code: Annotated[Stored, Field(min_length=1, max_length=200)]
    system: Annotated[Stored | None, Field(default=None, max_length=1000)]
    display: Annotated[Stored | None, Field(default=None, max_length=1000)]


class Accepted(_In):
    """A suggestion that was taken."""

    id: Annotated[Stored, Field(min_length=1, max_length=200)]


class OverrideReason(_In):
    """Why a card was dismissed."""

    reason: Coding | None = None
    userComment: Annotated[Stored | None, Field(default=None, max_length=4000)]  # noqa: N815


class Feedback(_In):
    """What a reader did with one card."""

    card: Annotated[Stored, Field(min_length=1, max_length=200)]
    outcome: Literal["accepted", "overridden"]
    acceptedSuggestions: Annotated[tuple[Accepted, ...], Field(default=(), max_length=100, strict=False)]  # noqa: N815
    overrideReason: OverrideReason | None = None  # noqa: N815
    outcomeTimestamp: Annotated[AwareDatetime, Field(strict=False)]  # noqa: N815

    @model_validator(mode="after")
    def _taken(self) -> Feedback:
        if self.outcome == "accepted" and not self.acceptedSuggestions:
            raise ValueError("acceptedSuggestions are needed where the outcome is accepted")
        return self

    @property
    def when(self) -> datetime:
        """The time of it."""
        return self.outcomeTimestamp


class FeedbackIn(_In):
    """The body of a call of the feedback endpoint."""

    feedback: Annotated[tuple[Feedback, ...], Field(min_length=1, max_length=500, strict=False)]
