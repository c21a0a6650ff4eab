"""Good and bad of a measurement as higher and lower: "worst pain" is the highest, "poorest saturation" the lowest.

Which way is bad is known for some measurements only; of others such a word is not understood, as before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from fhir_tools.codes import Mention

__all__ = ["WORDS", "graded"]

_BAD_LOW = frozenset(
    (
        "albumin", "ankle-brachial index", "apgar score", "arterial oxygen saturation", "asthma control test",
        "barthel index", "bone density t-score", "braden scale", "creatinine clearance", "dlco", "egfr",
        "ejection fraction", "fev1", "fev1/fvc", "fvc", "gcs eye", "gcs motor", "gcs verbal", "glasgow coma score",
        "hematocrit", "hemoglobin", "karnofsky", "mmse", "moca", "oxygen saturation", "p/f ratio", "peak flow",
        "platelets", "po2", "quality of life", "six minute walk", "urine output",
    )
)  # fmt: skip
_BAD_HIGH = frozenset(
    (
        "alkaline phosphatase", "alt", "apnea-hypopnea index", "ast", "audit", "audit-c", "bnp", "body temperature",
        "cat score", "cholesterol", "ciwa", "ck-mb", "cows", "creatine kinase", "creatinine", "crp", "d-dimer",
        "das28", "dast-10", "direct bilirubin", "epds", "epworth sleepiness scale", "esr", "gad-2", "gad-7", "ggt",
        "hemoglobin a1c", "high-sensitivity crp", "lactate", "ldh", "ldl", "lipase", "meld score", "mmrc",
        "modified rankin scale", "news2", "nih stroke scale", "nt-probnp", "pain score", "pco2", "phq-2", "phq-9",
        "phq-a", "procalcitonin", "qsofa", "sofa score", "total bilirubin", "triglycerides", "troponin i",
        "troponin t", "urea", "urea nitrogen", "urine albumin/creatinine ratio",
    )
)  # fmt: skip

_SUPERLATIVE = r"(?P<word>worst|poorest|best)"
_WAYS: tuple[tuple[str, str], ...] = (
    (rf"\b{_SUPERLATIVE}(?P<rest>(?: (?:ever|recorded|measured|noted|of|the|his|her|all))*) (?P<m>m\d+)\b", "est"),
    (rf"\b(?P<m>m\d+)\b(?P<rest>(?: \w+){{0,3}}?) at (?:its|his|her|their|the) {_SUPERLATIVE}\b", "est"),
    (r"\bhow (?P<word>bad|poor|good)(?:ly)?(?P<rest> (?:did|has|was|is)(?: his| her| the)*) (?P<m>m\d+)\b", "est"),
    (
        r"\b(?P<m>m\d+)\b(?P<rest>(?: \w+){0,5}?) (?P<word>worse|poorer|better)\b(?= than\b| now\b| at\b| latest\b|$)",
        "er",
    ),
    (r"\b(?P<m>m\d+)\b(?P<rest>(?: \w+){0,3}?) (?P<word>worsen\w*|deteriorat\w*|improv\w*)\b", "en"),
)
WORDS = re.compile(r"worst|poorest|poorer|worse|better|best|worsen\w*|deteriorat\w*|improv\w*|bad(?:ly)?|poor(?:ly)?")
_FORMS = {"est": ("highest", "lowest"), "er": ("higher", "lower"), "en": ("risen", "fallen")}
_IS_GOOD = re.compile(r"best|better|good|improv\w*")


def graded(skeleton: str, mentions: Sequence[Mention]) -> str:
    """The skeleton with such words as higher and lower, where the measurement beside them says which it is."""
    for pattern, form in _WAYS:
        skeleton = re.sub(pattern, partial(_plain, form=form, mentions=mentions), skeleton)
    return skeleton


def _plain(m: re.Match[str], *, form: str, mentions: Sequence[Mention]) -> str:
    high = _bad_is_high(mentions[int(m["m"][1:])])
    if high is None:
        return m[0]
    up, down = _FORMS[form]
    word = up if high != bool(_IS_GOOD.fullmatch(m["word"])) else down
    return f"{word}{m['rest']} {m['m']}" if m.start("word") < m.start("m") else f"{m['m']}{m['rest']} {word}"


def _bad_is_high(mention: Mention) -> bool | None:
    """None where it is not known, or not one measurement."""
    names = {c.id for c in mention.classes if c.kind == "lab"}
    return True if names and names <= _BAD_HIGH else False if names and names <= _BAD_LOW else None
