"""One concept of the lexicon, and the two spellings under which terms are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CVX", "DICOM", "ENTRY_KINDS", "ICD10", "LOINC", "RXNORM", "V3_ACT", "V3_ROLE", "Entry", "fold", "normalise"]

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
V3_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
V3_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

ENTRY_KINDS = (
    "lab",
    "drug",
    "drug_class",
    "condition",
    "vaccine",
    "allergen",
    "procedure",
    "modality",
    "body_site",
    "document",
    "encounter",
    "relationship",
    "icd10",
)

_SPACES = str.maketrans(dict.fromkeys('-_,;:()[]{}<>"!?*#=|\\^~@$•–—®™', " ") | dict.fromkeys("'’‘`´") | {"&": " and "})
_DOT = re.compile(r"(?<!\d)\.|\.(?!\d)")
_PLURALS = (("sses", "ss"), ("ches", "ch"), ("xes", "x"), ("ies", "y"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A concept: `terms` are normalised, label first; `codes` are (system URI, code); `parents` are ids.

    ICD-10-CM codes are prefixes. Parents are of the same kind, but those of a drug are drug classes.
    `attributes` holds what one kind has: `unit` (UCUM), `molar_mass` (g/mol) and `category` of a lab,
    `targets` of a vaccine (`|`-separated), `group` of an allergen, `ingredients` (drug ids,
    `|`-separated) of a drug entry that is a combination product.
    """

    id: str
    kind: str
    label: str
    terms: tuple[str, ...]
    codes: tuple[tuple[str, str], ...] = ()
    parents: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def normalise(text: str) -> str:
    """Lower case without accents; punctuation to single spaces, but `+ % /` and decimal points stay."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = text.lower().translate(_SPACES)
    if "." in text:
        text = _DOT.sub(" ", text)
    return " ".join(text.split())


def fold(term: str) -> str:
    """A normalised term without spaces, slashes, plural endings and British vowels.

    `x ray`, `xrays` and `x/ray` are one, as `anaemia` and `anemia`, `tumour` and `tumor` are.
    """
    if "s " in term or term.endswith("s"):
        term = "".join(_singular(word) for word in term.split())
    return term.replace(" ", "").replace("/", "").replace("ae", "e").replace("oe", "e").replace("umour", "umor")


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    for ending, instead in _PLURALS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + instead
    return word[:-1]
