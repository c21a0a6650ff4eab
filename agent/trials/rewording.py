"""Turns of phrase of protocols, said as the rest of the reader knows them: "hyper- or hypothyroidism" is two diseases.

Nothing that narrows a criterion is left out: what is not said otherwise stays as a word, and so becomes a doubt.
"""

from __future__ import annotations

import re

__all__ = ["labelled", "reworded"]

_PREFIXES = "hyper|hypo|pre|post|micro|macro|brady|tachy|mono|poly|uni|bi|intra|extra|endo|peri|myo|hemi|para|quadri"
_SUSPENDED = re.compile(
    rf"\b(?P<one>{_PREFIXES})-\s*(?P<joint>or|and|and/or|/)\s*(?P<two>{_PREFIXES})(?P<rest>[a-z]{{4,}})", re.IGNORECASE
)
_PROVEN = re.compile(
    r"\b(?:histo|cyto|patho|radio|micro|sero|immuno)\w{0,8}log\w{1,6}\s*(?:or|and/or|and|/)\s*(?=(?:histo|cyto|patho|radio|micro|sero|immuno)\w{0,8}log\w{1,6}\s)",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    r"\(?(?:(?:as\s+)?(?:calculated|estimated|determined|computed|assessed)\s+)?(?:(?:by|using|with|per|according\s+to)\s+)?(?:the\s+)?(?:\d{4}\s+)?"
    r"\b(?:CKD-?EPI|MDRD)\b(?:\s+\d{4})?(?:\s+(?:creatinine\s+)?(?:formula|equation|method))?\s*\)?",
    re.IGNORECASE,
)
"""How a filtration rate was estimated: of the two common equations, charts hold one and seldom say which."""
_ALONE = re.compile(
    r"(?:,\s?)?(?:\beither\s+)?\b(?P<alone>alone|as\s+monotherapy|monotherapy)\s+or\s+(?:in\s+combination|combined|together)\s+with\s+[^,.;:()]{1,60}",
    re.IGNORECASE,
)
_DEGREE = (
    r"(?:uncontrolled|recurrent|refractory|persistent|resistant|untreated|severe|moderate|mild|symptomatic|serious"
    r"|progressive|advanced|relapsed|unresectable)"
)
_DEGREES = re.compile(
    rf"\b(?P<all>{_DEGREE}(?:(?:,\s?|\s|/)(?:(?:or|and|and/or)\s)?{_DEGREE}){{1,4}})(?=\s[a-z])", re.IGNORECASE
)
_JOINTS = re.compile(r"(?:,|/|\b(?:and/or|or|and)\b)\s?", re.IGNORECASE)
"""Degrees side by side are of one disease: "uncontrolled or recurrent gout" names no disease "uncontrolled"."""
_HINDERS = re.compile(
    r",\s?(?P<all>(?:which\s+(?:would\s+|may\s+)?)?(?:contraindicat|preclud|prohibit|prevent|imped|complicat|confound)(?:ing|es|e|s)?\b[^,.;:()]{1,120})$",
    re.IGNORECASE,
)
"""What a reason to exclude leads to: ", contraindicating intramuscular injection"."""
_EITHER_WAY = re.compile(
    r"\(\s?with\s+or\s+without\s+[^()]{1,80}\)|\bwith\s+or\s+without\s+(?:an?\s+|the\s+)?[a-z-]+(?=\s*(?:$|[,;.]|for\b|within\b|in\b|at\b|since\b))",
    re.IGNORECASE,
)
_CORONARY = re.compile(
    r"\b(?P<all>(?:coronary(?:\s+artery)?|myocardial)\s+revasculari[sz]ations?(?:\s+procedures?)?)(?!\s*\()\b",
    re.IGNORECASE,
)
"""Of the heart's vessels it is either of two procedures, by which charts name it."""
_SITE = r"(?:lumbar\s+spine|spine|total\s+hip|hip|femoral\s+neck|forearm|distal\s+radius|wrist|L1-L4)"
_AT_SITE = re.compile(
    rf"\b(?P<all>(?:at|of|in)\s+(?:either\s+|any\s+of\s+)?(?:the\s+)?{_SITE}(?:\s*(?:,|or|and/or|and)\s*(?:the\s+)?{_SITE}){{0,4}})\s*$",
    re.IGNORECASE,
)
_DENSITY = re.compile(r"\b(?:T-?\s?scores?|BMD|bone\s+mineral\s+density|DE?XA)\b", re.IGNORECASE)
_WHO = r"(?:patients?|subjects?|participants?|individuals?|persons?|people|wom[ae]n|m[ae]n|females?|males?)"
_LABEL = re.compile(
    rf"\W*(?P<label>[A-Za-z][A-Za-z/ -]{{2,60}}):\s*(?P<rest>(?:(?:the|all|any|eligible)\s+)*{_WHO}\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO_LABEL = re.compile(r"\b(?:of|to|with|for|following|these|if|when|unless|no|not|or|and)\b", re.IGNORECASE)


def reworded(text: str) -> str:
    """The text with such turns said plainly. `text` is levelled."""
    text = _SUSPENDED.sub(lambda m: f"{m['one']}{m['rest']} {m['joint']} {m['two']}{m['rest']}", text)
    text = _FORMULA.sub(" ", _PROVEN.sub("", text))
    text = _DEGREES.sub(lambda m: _JOINTS.sub(" ", m["all"]), text)
    text = _CORONARY.sub(lambda m: f"{m['all']} (PCI or CABG)", _EITHER_WAY.sub(" ", text))
    text = _ALONE.sub(lambda m: f" {m['alone']}", text)
    text = _HINDERS.sub(lambda m: f" ({m['all']})", text)
    return _AT_SITE.sub(lambda m: f"({m['all']})", text) if _DENSITY.search(text) else text


def labelled(text: str) -> tuple[str, str]:
    """The label in front of a sentence, and the sentence: "Asthma: Subjects with a diagnosis of asthma".

    ("", text) where what stands before the colon governs what follows, or nothing does.
    """
    found = _LABEL.fullmatch(text)
    if not found or len(found["label"].split()) > 5 or _NO_LABEL.search(found["label"]):
        return "", text
    return found["label"].strip(), found["rest"]
