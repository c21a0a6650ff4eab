"""Procedures, encounters, documents, imaging studies and the types that need only concept, status and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fhir_tools.facts.elements import (
    Resource,
    codes_of,
    concept_of,
    details_of,
    display_of,
    elements_of,
    fact_of,
    first_concept,
    labels,
    mapping_of,
    pick,
    reasons_of,
    references_of,
    standing_of,
    text_of,
    when_of,
)
from fhir_tools.types import (
    Fact,
    Kind,
    Reference,
    Standing,
)
from fhir_tools.writing.elements import is_own

__all__ = ["document", "encounter", "imaging", "plain", "procedure"]

_PROCEDURE: Mapping[str, Standing] = {"preparation": "planned", "not-done": "not-done"}


def procedure(r: Resource) -> Iterator[Fact]:
    """One procedure, done, under way, planned or not done."""
    status = text_of(r.get("status"))
    details = details_of(
        reason=reasons_of(r),
        body_site=labels(r.get("bodySite")),
        outcome=labels(r.get("outcome")),
        status_reason=labels(r.get("statusReason")),
        category=codes_of(r.get("category")),
    )
    performed = "performedPeriod" if "performedPeriod" in r else "performedDateTime"
    yield fact_of(
        r,
        "procedure",
        concept_of(r.get("code")),
        path=f"Procedure.{performed}",
        standing=standing_of(status, _PROCEDURE),
        status=status,
        when=when_of(pick(r, "performed")),
        details=details,
    )


def encounter(r: Resource) -> Iterator[Fact]:
    """One encounter; its concept is its type, else its class."""
    status = text_of(r.get("status"))
    raw_class = mapping_of(r.get("class"))
    kind, code = first_concept(r.get("type")), text_of(raw_class.get("code"))
    display = text_of(raw_class.get("display")) or code
    stay = mapping_of(r.get("hospitalization"))
    details = details_of(
        class_=code,
        type=kind,
        reason=reasons_of(r),
        disposition=labels(stay.get("dischargeDisposition")),
        location=", ".join(
            dict.fromkeys(filter(None, (display_of(x.get("location")) for x in elements_of(r.get("location")))))
        ),
        service=labels(r.get("serviceType")),
        provider=display_of(r.get("serviceProvider")),
    )
    concept = kind or concept_of(None, display or "encounter")
    yield fact_of(
        r,
        "encounter",
        concept,
        path="Encounter.period",
        standing=standing_of(status, {"planned": "planned", "cancelled": "cancelled"}),
        status=status,
        when=when_of(r.get("period")),
        encounter=Reference(type="Encounter", id=str(r.get("id", ""))),
        details=details,
    )


def document(r: Resource) -> Iterator[Fact]:
    """One DocumentReference or Composition; entered-in-error may stand in `status` or in `docStatus`.

    What chartline itself wrote states nothing.
    """
    if is_own(r):
        return
    attachments = [elements_of(c.get("attachment")) for c in elements_of(r.get("content"))]
    titles = [text_of(a.get("title")) for group in attachments for a in group]
    title = text_of(r.get("description")) or text_of(r.get("title")) or next(filter(None, titles), "")
    details = details_of(
        category=codes_of(r.get("category")),
        title=title,
        author=", ".join(filter(None, (display_of(a) for a in elements_of(r.get("author"))))),
        content_types=tuple(text_of(a.get("contentType")) for group in attachments for a in group),
    )
    context = mapping_of(r.get("context"))
    status, error = text_of(r.get("status")), "entered-in-error"
    encounter = next(iter(references_of(context.get("encounter"))), None)
    when = when_of(r.get("date")) or when_of(context.get("period")) or when_of(r.get("indexed"))
    concept = concept_of(r.get("type"), title)
    yield fact_of(
        r,
        "document",
        concept,
        path=f"{r['resourceType']}.type",
        standing=standing_of(error if error in (status, r.get("docStatus")) else status),
        status=status,
        when=when,
        encounter=encounter,
        details=details,
    )


def imaging(r: Resource) -> Iterator[Fact]:
    """One imaging study; its concept is the procedure, else the description, else modality and body site."""
    status, series = text_of(r.get("status")), elements_of(r.get("series"))
    modalities = _shown([*elements_of(r.get("modality")), *(x for s in series for x in elements_of(s.get("modality")))])
    sites = _shown([x for s in series for x in elements_of(s.get("bodySite"))])
    made = " ".join(x for x in (modalities, "of", sites.lower()) if x) if sites else modalities
    concept = first_concept(r.get("procedureCode")) or concept_of(
        None, text_of(r.get("description")) or made or "imaging study"
    )
    details = details_of(
        modality=modalities,
        modality_codes=tuple(
            dict.fromkeys(
                c for s in (r, *series) for x in elements_of(s.get("modality")) if (c := text_of(x.get("code")))
            )
        ),
        body_site=sites,
        description=text_of(r.get("description")),
        made=made,
        series=_number(r.get("numberOfSeries"), len(series)),
        instances=_number(r.get("numberOfInstances"), sum(len(elements_of(s.get("instance"))) for s in series)),
        reason=reasons_of(r),
    )
    yield fact_of(
        r,
        "imaging",
        concept,
        path="ImagingStudy.started",
        standing=standing_of(status, {"cancelled": "cancelled", "registered": "planned"}),
        status=status,
        when=when_of(r.get("started")),
        details=details,
    )


def _shown(codings: list[Mapping[str, Any]]) -> str:
    shown = (text_of(c.get("display")) or text_of(c.get("code")) for c in codings)
    return ", ".join(dict.fromkeys(filter(None, shown)))


def _number(told: Any, counted: int) -> str:
    return str(told if isinstance(told, int) and told else counted)


def plain(
    kind: Kind, element: str, when: tuple[str, ...], table: Mapping[str, Standing]
) -> Callable[[Resource], Iterator[Fact]]:
    """A reader for types that need only their concept, status and time."""

    def read(r: Resource) -> Iterator[Fact]:
        status = text_of(r.get("status")) or text_of(r.get("lifecycleStatus"))
        fallback = text_of(r.get("title")) or text_of(r.get("description"))
        standing = standing_of(status, table)
        found = next((w for w in (when_of(pick(r, k)) for k in when) if w), None)
        details = details_of(
            reason=reasons_of(r),
            category=codes_of(r.get("category")),
            intent=text_of(r.get("intent")),
            body_site=labels(r.get("bodySite")),
        )
        yield fact_of(
            r,
            kind,
            first_concept(r.get(element), fallback),
            path=f"{r['resourceType']}.{element}",
            standing="not-done" if standing == "fact" and r.get("doNotPerform") is True else standing,
            status=status,
            when=found,
            details=details,
        )

    return read
