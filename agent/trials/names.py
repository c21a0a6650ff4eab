"""What the names of criteria mean: the lexicon's entries by kind of record, and words that narrow a name."""

from __future__ import annotations

from fhir_tools.codes import turned
from fhir_tools.lexicon import Entry, lexicon, normalise

__all__ = ["ANY_VACCINE", "LEXICAL", "fits", "is_given_otherwise", "meanings", "narrowing"]

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

ANY_VACCINE = "vaccine"
"""The name of whatever is recorded as given to immunize."""
_SITES = frozenset("knee hip hand wrist ankle shoulder elbow foot spine neck back".split())
_PAIRS = (
    ("left", "right"),
    ("upper", "lower"),
    ("ischemic", "hemorrhagic"),
    ("systolic", "diastolic"),
    ("reduced", "preserved"),
)
_AGAINST: dict[str, frozenset[str]] = {
    **{site: _SITES - {site} for site in _SITES},
    **{a: frozenset((b,)) for pair in _PAIRS for a, b in (pair, pair[::-1])},
    "viral": frozenset(("bacterial", "fungal", "chronic", "streptococcal")),
    "bacterial": frozenset(("viral", "fungal")),
    "fungal": frozenset(("viral", "bacterial")),
    "drug": frozenset(("tobacco", "nicotine", "alcohol", "alcoholism")),
    "acute": frozenset(("chronic",)),
    "chronic": frozenset(("acute", "viral")),
    **dict.fromkeys(("suspected", "possible"), frozenset()),
    **dict.fromkeys(("steroid", "alcoholic", "nonalcoholic", "familial", "juvenile", "bilateral"), frozenset()),
}
"""Words that make a name mean less than the lexicon's entry for it, with those that say another thing."""
_LOCAL = frozenset("topical cream ointment lotion inhaler inhalation inhalant actuat nasal ophthalmic otic".split())
_SWALLOWED = frozenset("oral tablet capsule".split())
_INJECTED = frozenset("injection injectable injector syringe".split())
_GIVEN: dict[str, frozenset[str]] = {
    "systemic": _LOCAL, "oral": _LOCAL | _INJECTED, "intravenous": _LOCAL | _SWALLOWED, "iv": _LOCAL | _SWALLOWED,
    "topical": _SWALLOWED | _INJECTED, "inhaled": _SWALLOWED | _INJECTED | {"cream", "ointment", "lotion", "topical"},
}  # fmt: skip
"""How a drug is given, with the words of a label that say it is given otherwise."""
_COURSE = frozenset(("acute", "chronic"))


def meanings(name: str, kind: str) -> tuple[Entry, ...]:
    """What a name means in records of a kind, by the lexicon; none where only the chart's own words can tell.

    Of a thing and what it is a kind of ("CKD stage 3" is a name of both), it means the narrower.
    """
    found = lexicon().lookup(name, LEXICAL.get(kind, ()))
    for phrase in () if found else turned(normalise(name)):
        found = found or lexicon().lookup(phrase, LEXICAL.get(kind, ()))
    if not found and kind == "immunization":
        found = lexicon().lookup(f"{name} vaccine", ("vaccine",))
    wider = {p for e in found for p in e.parents}
    return tuple(e for e in found if e.id not in wider) or found


def narrowing(name: str, entry: Entry) -> frozenset[str]:
    """The words of a name that narrow what the lexicon has under it: "osteoarthritis of the knee" is one of several.

    "Acute" and "chronic" narrow only what the lexicon knows as both.
    """
    said = set(normalise(name).split()) & _AGAINST.keys() - set(normalise(entry.label).split())
    words = {w for term in entry.terms for w in term.split()}
    return frozenset(w for w in said if w not in _COURSE or words >= _COURSE or words & _AGAINST[w])


def fits(narrow: frozenset[str], label: str) -> bool | None:
    """Whether a chart's label says all that a name narrows; None where it leaves that open."""
    said = set(normalise(label).split())
    if narrow <= said:
        return True
    return False if any(_AGAINST[w] & said and w not in said for w in narrow) else None


def is_given_otherwise(name: str, label: str) -> bool:
    """Whether a drug's label says another way of giving than a name does: "systemic corticosteroid" is no cream."""
    said = set(normalise(label).split())
    return any(w in _GIVEN and w not in said and _GIVEN[w] & said for w in normalise(name).split())
