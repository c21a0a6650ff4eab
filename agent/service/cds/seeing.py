"""Who sees a card: by what the request, its token and the user's own resource say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.service.cds.configuring import Who
from agent.service.cds.gate import Admitted
from agent.service.cds.requests import Context
from fhir_tools.facts.elements import codes_of, elements_of, reference_of

__all__ = ["sees"]

User = Sequence[Mapping[str, Any]]


def sees(who: Who, context: Context, admitted: Admitted, user: User) -> bool:
    """Whether all that the card asks of its reader holds. What is asked and not known does not hold."""
    return (
        _among(context.userId.partition("/")[0], who.users)
        and _among(admitted.client.issuer, who.issuers)
        and _among(admitted.tenant, who.tenants)
        and (not who.roles or any(code in who.roles for code in _roles(user)))
        and (not who.organizations or any(id_ in who.organizations for id_ in _organizations(user)))
    )


def _among(value: str | None, allowed: tuple[str, ...]) -> bool:
    return not allowed or value in allowed


def _roles(user: User) -> Iterator[str]:
    for resource in user:
        yield from codes_of(resource.get("code"))
        for one in elements_of(resource.get("qualification")):
            yield from codes_of(one.get("code"))


def _organizations(user: User) -> Iterator[str]:
    for resource in user:
        reference = reference_of(resource.get("organization"))
        if reference:
            yield reference.id
