"""Conditions, allergies and the family's conditions."""

from __future__ import annotations

from collections.abc import Iterator

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
from fhir_tools.types import (
    Fact,
)

__all__ = ["allergy", "condition", "family", "NO_KNOWN"]

NO_KNOWN = frozenset(
    ("716186003", "409137002", "428607008", "429625007", "428197003", "160244002", "no-known-allergies")
)
"""Codes for an explicit "no known allergy" (all, drug, environmental, food, insect; R4 AllergyIntolerance.code)."""


def condition(r: Resource) -> Iterator[Fact]:
    verification = code_of(r.get("verificationStatus"))
    clinical = code_of(r.get("clinicalStatus"))
    onset_raw, abatement_raw = pick(r, "onset"), pick(r, "abatement")
    onset, abatement = when_of(onset_raw), when_of(abatement_raw)
    recorded = when_of(r.get("recordedDate"))
    unsure = dict.fromkeys(("unconfirmed", "provisional", "differential"), "unconfirmed")
    standing = standing_of(verification, {"refuted": "refuted", **unsure})  # type: ignore[dict-item]
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
        when_from="" if onset else "recorded",
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
    verification, clinical = code_of(r.get("verificationStatus")), code_of(r.get("clinicalStatus"))
    reactions = elements_of(r.get("reaction"))
    concept = concept_of(r.get("code")) or first_concept([x["substance"] for x in reactions if "substance" in x])
    negation = bool(concept) and (
        any(c.code in NO_KNOWN for c in concept.codings)
        or concept.label.lower().startswith(("no known", "nka", "nkda"))
    )
    details = details_of(
        clinical=clinical,
        verification=verification,
        criticality=text_of(r.get("criticality")),
        category=tuple(x for x in r.get("category", ()) if isinstance(x, str)),
        reaction=", ".join(labels(x.get("manifestation")) for x in reactions),
        negation="yes" if negation else "",
    )
    when = when_of(pick(r, "onset")) or when_of(r.get("recordedDate"))
    standing = standing_of(verification, {"refuted": "refuted", "unconfirmed": "unconfirmed"})
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


def family(r: Resource) -> Iterator[Fact]:
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
