"""The audit record that the settings ask for: where entries go, who asks and what for."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agent.errors import UserError
from agent.settings import Settings
from agent.sources import check_place, credentials_for, is_url, same_place
from agent.types import Answer
from fhir_tools.audit import AnswerEntry, Audited, AuditLog, Entry, FhirLog, FhirServer, Record, Who, answer_record
from fhir_tools.source import Source
from fhir_tools.types import Reference

if TYPE_CHECKING:
    from fhir_tools.auth import FhirAuth

__all__ = ["audited", "cohort_entry", "entry", "keep", "open_record", "user", "who"]


@asynccontextmanager
async def open_record(settings: Settings) -> AsyncIterator[Record | None]:
    """Where entries go by the settings; None where auditing is off. Raises OperatorError where it cannot be opened."""
    if settings.audit is None:
        yield None
    elif is_url(settings.audit):
        from fhir_tools.http import Http

        auth = _credentials(settings.audit, settings)
        async with Http(settings.audit, auth=auth, ca=str(settings.fhir_ca) if settings.fhir_ca else None) as http:
            yield FhirServer(http, strict=settings.audit_strict)
    else:
        log = (FhirLog if settings.audit_format == "fhir" else AuditLog)(settings.audit, strict=settings.audit_strict)
        try:
            yield log
        finally:
            log.close()


def _credentials(base: str, settings: Settings) -> FhirAuth | None:
    """Those of the settings that say that they are for this server, or that can be for no other.

    Raises UserError where there are some that do not: a token that was given for charts is not sent elsewhere.
    """
    check_place(base)
    own = len(settings.fhir) == 1 and same_place(base, settings.fhir[0])
    if settings.fhir_token and not own:
        raise UserError(
            "CHARTLINE_FHIR_TOKEN is for the FHIR server that charts are read from, and CHARTLINE_AUDIT names another: "
            "use CHARTLINE_FHIR_AUTH, whose file says which credentials are for which server"
        )
    return credentials_for(base, settings.model_copy(update={"fhir": (base,)}), alone=own)


def who(settings: Settings, patient: Reference) -> Who:
    """Who asks: the user of the settings, else that of the operating system."""
    return Who(agent=user(settings), patient=patient, purpose=settings.purpose)


def user(settings: Settings) -> str:
    """Who is at the keyboard, by the settings or the operating system."""
    return settings.user or _login()


def audited(
    record: Record | None, settings: Settings, patient: Reference, locate: Callable[[Reference], str], source: Source
) -> Source:
    """The source with every request on record, or as it is where auditing is off."""
    if record is None:
        return source
    asker = who(settings, patient)
    return Audited(source, record, agent=asker.agent, patient=patient, purpose=asker.purpose, locate=locate)


def entry(asker: Who, answer: Answer) -> AnswerEntry:
    """The entry of an answer: its status and what it cites, inputs of computations included."""
    cited = {c.reference: c.version for c in answer.citations if c.reference}
    cited |= {name: None for c in answer.citations for name in c.inputs if name not in cited}
    return answer_record(
        asker, status=answer.status, reasoner=answer.reasoner, cited=cited.items(), seconds=answer.usage.seconds
    )


def cohort_entry(settings: Settings, digest: str) -> AnswerEntry:
    """The entry of a run over a cohort: who looked at which (a digest of what was loaded); nothing of what was found.

    It is for health research unless the settings say what for.
    """
    known = "purpose" in settings.model_fields_set
    purpose = settings if known else settings.model_copy(update={"purpose": "HRESCH"})
    asker = who(purpose, Reference(type="Group", id=f"cohort-{digest}"))
    return answer_record(asker, status="answered", reasoner="cohort")


async def keep(record: Record | None, entry: Entry) -> None:
    """Put an entry on record, where auditing is on. Raises OperatorError where it cannot be and that is strict."""
    done = record(entry) if record else None
    if done is not None:
        await done


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
