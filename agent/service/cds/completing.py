"""What a request lacks, read from the client's FHIR server with the token that it sent along."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from agent.auditing import audited
from agent.service.callers import Access, Caller
from agent.service.cds.clients import Client
from agent.service.cds.prefetch import request_of
from agent.service.cds.requests import Context, HookIn
from agent.service.desk import Desk
from agent.service.problems import Problem
from agent.sources import same_place
from fhir_tools.auth import Bearer
from fhir_tools.auth.base import is_safe
from fhir_tools.errors import ChartlineError, NotFound
from fhir_tools.facts.elements import reference_of
from fhir_tools.scope import Scoped
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference

__all__ = ["completed", "granted"]

Resources = tuple[Mapping[str, Any], ...]


def granted(asked: HookIn, context: Context, client: Client, caller: Caller) -> Caller:
    """The caller with the access that it sent; as it was where it sent none.

    Raises Problem 403 for a server that is not the client's, and 422 where the token is for another patient or would
    travel unencrypted.
    """
    grant = asked.fhirAuthorization
    if asked.fhirServer is None or grant is None:
        return caller
    if not any(same_place(asked.fhirServer, server) for server in client.servers):
        raise Problem(403, "fhir-server", "fhirServer is not among the servers that this client may send us to")
    if not is_safe(asked.fhirServer):
        raise Problem(422, "fhir-server", "fhirServer is to be an https address: a token would travel unencrypted")
    if grant.patient not in (None, context.patientId):
        raise Problem(422, "another-patient", "fhirAuthorization is for another patient than context.patientId")
    token = grant.access_token.get_secret_value()
    try:
        auth = Bearer(asked.fhirServer, token, scope=grant.scope)
    except ChartlineError as error:
        raise Problem(422, "token", "fhirAuthorization.access_token cannot be used as a bearer token") from error
    # Of this call alone: what one call has opened and closes is no other's.
    access = Access(base=asked.fhirServer, auth=auth, key=f"cds:{uuid.uuid4()}")
    return Caller(id=caller.id, name=caller.name, via="cds", patient=caller.patient, scopes=auth.granted, access=access)


async def completed(
    keys: Iterable[str], context: Context, caller: Caller, desk: Desk
) -> tuple[dict[str, Resources], dict[str, str]]:
    """The resources of each key that could be read, and why others could not. The token is forgotten afterwards.

    What is not there within the settings' `cds_seconds` counts as not read.
    """
    assert caller.access is not None  # noqa: S101  the caller asks only then
    patient = Reference(type="Patient", id=context.patientId)
    found: dict[str, Resources] = {}
    failed: dict[str, str] = {}

    async def one(source: Source, key: str) -> None:
        try:
            resources = await _read(source, request_of(key, context))
            found[key] = (*resources, *await _drugs(source, resources))
        except ChartlineError as error:
            failed[key] = f"the FHIR server could not be asked ({type(error).__name__})"

    try:
        async with asyncio.timeout(desk.settings.cds_seconds), desk.source(caller) as whole:
            settings = desk.settings.model_copy(update={"user": caller.name})
            scoped = audited(desk.record, settings, patient, str, Scoped(whole, patient))
            open_ = audited(desk.record, settings, patient, str, whole)
            wanted = [key for key in keys if request_of(key, context)]
            await asyncio.gather(*(one(open_ if _is_staff(key, context) else scoped, key) for key in wanted))
    except TimeoutError:
        failed |= {key: "the FHIR server did not answer in time" for key in keys if key not in found}
    except ChartlineError as error:
        failed |= {key: f"the FHIR server could not be asked ({type(error).__name__})" for key in keys}
    finally:
        await desk.forget(caller.access.key)
    return found, failed


def _is_staff(key: str, context: Context) -> bool:
    """Whether a key is the clinician who asks: in nobody's chart, and so not to be read within the patient's."""
    return key == "user" and context.userId.startswith("Practitioner")


async def _drugs(source: Source, resources: Resources) -> Resources:
    """The Medications that orders refer to; one that cannot be read leaves its order without a name, which is told."""
    links = dict.fromkeys(link for r in resources if (link := reference_of(r.get("medicationReference"))))
    read = await asyncio.gather(*(_drug(source, link) for link in links))
    return tuple(r for found in read for r in found)


async def _drug(source: Source, link: Reference) -> Resources:
    try:
        return (await source.read(link),)
    except ChartlineError:
        return ()


async def _read(source: Source, asked: Query | Reference | None) -> Resources:
    """All of a search, or one resource. Raises ChartlineError for what could not be read to its end."""
    if isinstance(asked, Reference):
        return (await source.read(asked),)
    if asked is None:
        return ()
    result = await source.search(asked)
    if not result.complete:
        raise NotFound("the search was cut short")
    return result.matches
