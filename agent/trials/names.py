"""What the names of criteria mean: the lexicon's entries by kind of record, and words that narrow a name."""

from __future__ import annotations

from fhir_tools.lexicon import Entry, lexicon, normalise

__all__ = ["LEXICAL", "meanings", "narrowing"]

LEXICAL: dict[str, tuple[str, ...]] = {
    "condition": ("condition", "icd10"),
    "family": ("condition", "icd10"),
    "medication": ("drug", "drug_class"),
    "allergy": ("allergen", "drug", "drug_class"),
    "procedure": ("procedure",),
    "immunization": ("vaccine",),
    "encounter": ("encounter",),
    "device": ("procedure",),
    "imaging": ("modality", "procedure"),
    "measurement": ("lab",),
}
"""The kinds of lexicon entry that a name may mean in records of a kind."""

_NARROWING = frozenset(
    """
    knee hip hand wrist ankle shoulder elbow foot spine neck back left right bilateral upper lower viral bacterial fungal ischemic hemorrhagic
    systolic diastolic reduced preserved allergic drug induced steroid alcoholic nonalcoholic hereditary familial juvenile
    """.split()
)
"""Words that make a name mean less than the lexicon's entry for it: "osteoarthritis of the knee" is one of several."""


def meanings(name: str, kind: str) -> tuple[Entry, ...]:
    """What a name means in records of a kind, by the lexicon; none where only the chart's own words can tell.

    Of a thing and what it is a kind of ("CKD stage 3" is a name of both), it means the narrower.
    """
    found = lexicon().lookup(name, LEXICAL.get(kind, ()))
    wider = {p for e in found for p in e.parents}
    return tuple(e for e in found if e.id not in wider) or found


def narrowing(name: str, entry: Entry) -> frozenset[str]:
    """The words of a name that narrow what the lexicon has under it."""
    return frozenset(normalise(name).split()) & _NARROWING - set(normalise(entry.label).split())
