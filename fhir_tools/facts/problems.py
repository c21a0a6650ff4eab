"""Conditions, allergies and the family's conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir_tools.facts.elements import (
    Details,
    Resource,
    age_or_text,
    code_of,
    codes_of,
    concept_of,
    details_of,
    elements_of,
    fact_of,
    first_concept,
    labels,
    pick,
    standing_of,
    text_of,
    when_of,
)
from fhir_tools.types import Concept, Fact, Standing

__all__ = ["NO_KNOWN", "allergy", "condition", "family"]

NO_KNOWN = frozenset(
    ("716186003", "409137002", "428607008", "429625007", "428197003", "160244002", "no-known-allergies")
)
"""Codes for an explicit "no known allergy" (all, drug, environmental, food, insect; R4 AllergyIntolerance.code)."""


_VERIFIED: Mapping[str, Standing] = {
    "refuted": "refuted",
    **dict.fromkeys(("unconfirmed", "provisional", "differential"), "unconfirmed"),
}


def condition(r: Resource) -> Iterator[Fact]:
    """The condition; its time is its onset, else when it was recorded."""
    verification = code_of(r.get("verificationStatus"))
    clinical = code_of(r.get("clinicalStatus"))
    onset_raw, abatement_raw = pick(r, "onset"), pick(r, "abatement")
    onset, abatement = when_of(onset_raw), when_of(abatement_raw)
    recorded = when_of(r.get("recordedDate"))
    standing = standing_of(verification, _VERIFIED)
    details = details_of(
        onset=onset or age_or_text(onset_raw),
        abatement=abatement or ("yes" if abatement_raw is True else age_or_text(abatement_raw)),
        recorded=recorded,
        clinical=clinical,
        verification=verification,
        category=codes_of(r.get("category")),
        severity=labels(r.get("severity")),
        body_site=labels(r.get("bodySite")),
        stage=labels([s.get("summary") for s in elements_of(r.get("stage"))]),
        when_from="recorded" if recorded and not onset else "",
    )
    when = onset or recorded
    status = clinical or ("resolved" if details.get("abatement") else "")
    yield fact_of(
        r,
        "condition",
        concept_of(r.get("code")),
        path="Condition.code",
        standing=standing,
        status=status,
        when=when,
        details=details,
    )


def allergy(r: Resource) -> Iterator[Fact]:
    """The allergy, or the explicit statement that there is none (`negation`)."""
    verification, clinical = code_of(r.get("verificationStatus")), code_of(r.get("clinicalStatus"))
    reactions, given = elements_of(r.get("reaction")), r.get("category")
    concept = concept_of(r.get("code")) or first_concept([x["substance"] for x in reactions if "substance" in x])
    details = details_of(
        clinical=clinical,
        verification=verification,
        criticality=text_of(r.get("criticality")),
        category=tuple(x for x in given if isinstance(x, str)) if isinstance(given, list) else (),
        reaction=", ".join(filter(None, (labels(x.get("manifestation")) for x in reactions))),
        negation="yes" if concept and _none_known(concept) else "",
    )
    when = when_of(pick(r, "onset")) or when_of(r.get("recordedDate"))
    standing = standing_of(verification, _VERIFIED)
    yield fact_of(
        r,
        "allergy",
        concept,
        path="AllergyIntolerance.code",
        standing=standing,
        status=clinical,
        when=when,
        details=details,
    )


def _none_known(concept: Concept) -> bool:
    said = concept.label.lower().startswith(("no known", "nka", "nkda"))
    return said or any(c.code in NO_KNOWN for c in concept.codings)


def family(r: Resource) -> Iterator[Fact]:
    """The relative's conditions, never the patient's own; without any, only that there is such a relative."""
    status = text_of(r.get("status"))
    relation = concept_of(r.get("relationship"), "relative")
    common: Details = {"standing": standing_of(status), "status": status, "when": when_of(r.get("date"))}
    conditions = elements_of(r.get("condition"))
    for i, c in enumerate(conditions):
        details = details_of(
            relationship=relation, onset=age_or_text(pick(c, "onset")), outcome=labels(c.get("outcome"))
        )
        yield fact_of(
            r,
            "family",
            concept_of(c.get("code")),
            path=f"FamilyMemberHistory.condition[{i}].code",
            details=details,
            **common,
        )
    if not conditions:
        yield fact_of(
            r,
            "family",
            relation,
            path="FamilyMemberHistory.relationship",
            details=details_of(relationship=relation),
            **common,
        )
