"""Questions about what is to be seen on an image: what to look for, on which image, and whether against the one before.

Such a question is two: the words for the image ("the chest film of last March") are understood as a question about
imaging studies; the words for what is to be seen stay as they are, since only a model or a report can answer them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.types import Turn
from agent.understand.patterns import any_of
from fhir_tools.lexicon import lexicon

__all__ = ["Looking", "looking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """`image` names the image, empty for the one of the last turn; `finding` is what is looked for, empty for anything.

    `prior`: against the earlier one. `pixels` is False where a report answers the words as well ("what does it show").
    """

    image: str
    finding: str = ""
    prior: bool = False
    pixels: bool = True


_PICTURED = ("CT", "MR", "US", "CR", "DX", "MG", "NM", "PT", "RF", "SM", "OP", "XC", "PX", "IO", "ES")
"""Modalities whose studies are pictures to look at; a tracing or a film of a catheter is told by its report."""
_AMBIGUOUS = frozenset(("us", "es", "op", "io", "pt", "rf", "nm", "sm", "px", "mg", "xc", "fluoro"))
"""Codes of modalities that are words, or other abbreviations, in a question."""
_GENERAL = ("image", "images", "picture", "pictures", "scan", "scans", "study", "cxr", "kub", "films", "film", "pixels")


def _nouns() -> str:
    """Every word for a kind of image, as the lexicon has them."""
    entries = (lexicon().by_id("modality", code) for code in _PICTURED)
    known = (t.lower() for e in entries if e for t in (e.label, *e.terms))
    words = dict.fromkeys((*_GENERAL, *(w for w in known if w not in _AMBIGUOUS and len(w) > 1)))
    longest = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]*") for word in longest)


_KIND = rf"(?:{_nouns()})s?"
_IMAGE = (
    rf"(?P<image>(?:\S+\s+){{0,6}}?{_KIND}\b(?:\s+(?:images?|films?|scans?|pictures?))?"
    r"(?:\s+(?:of|from|on|in|during|at|taken|dated)\b.*?)?)"
)
_PRIOR = (
    r"(?:(?:the|its|his|her|their|any|an?)\s+)?(?:(?:most\s+recent|last)\s+)?"
    rf"(?:prior|previous|earlier|older|preceding|last|old)(?:\s+(?:one|exam|(?P<kind>{_KIND})))?"
)
_SEEN = r"(?:\s+(?:seen|visible|present|apparent|shown|evident|visuali[sz]ed|noted|there))?"
_ANY = r"(?:(?:any|an?|the|some|signs?\s+of|evidence\s+of|a\s+sign\s+of|still|new|residual)\s+)*"
_SINCE = rf"(?:since|from|than|versus|vs\.?|compared\s+(?:to|with))\s+{_PRIOR}"
_CLEAR = (
    r"\b(?:enlarged|clear|normal|dilated|displaced|fractured|intact|collapsed|broken|visible|inflated|shifted|widened)"
)
_END = r"\s*[?.!]*$"
_POLITE = re.compile(
    r"^\s*(?:(?:please|pls|ok|okay|so|and|now|then|hi|hello|hey)\b[\s,]*)*"
    r"(?:(?:can|could|would|will)\s+you\s+)?(?:please\s+)?(?:tell\s+me\s+)?",
    re.IGNORECASE,
)


def _each(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"^{p}{_END}", re.IGNORECASE) for p in patterns)


_COMPARED = _each(
    (
        rf"compare\s+(?:(?:it|this|that)\s+)?(?:with|to|and|against)\s+{_PRIOR}",
        rf"compare\s+{_IMAGE}\s+(?:with|to|and|against)\s+{_PRIOR}",
        rf"how\s+does\s+{_IMAGE}\s+compare\s+(?:with|to|against)\s+{_PRIOR}",
        rf"(?:has|have|did|is|are)\s+{_ANY}(?P<finding>\S.*)\s+on\s+{_IMAGE}\s+(?:changed?|progressed|improved|"
        rf"worsened|"
        rf"better|worse|larger|smaller|grown)\s+{_SINCE}",
        rf"(?:(?:is|are)\s+there\s+)?(?:any|an|a)\s+(?:interval\s+|new\s+)?(?:changes?|differences?|findings?|"
        rf"progression)\s+(?:on|in)\s+{_IMAGE}\s+{_SINCE}",
        rf"what\s+(?:has\s+|is\s+)?(?:changed|different|new)\s+(?:on|in)\s+{_IMAGE}\s+{_SINCE}",
    )
)
_FOUND = _each(
    (
        rf"(?:is|are|was|were)\s+there\s+{_ANY}(?P<finding>\S.*?){_SEEN}\s+(?:on|in)\s+{_IMAGE}",
        rf"(?:do|can|could|did)\s+(?:you|we|it|the\s+model)\s+see\s+{_ANY}(?P<finding>\S.*?)\s+(?:on|in)\s+{_IMAGE}",
        rf"(?:any|signs?\s+of|evidence\s+of)\s+{_ANY}(?P<finding>\S.*?){_SEEN}\s+(?:on|in)\s+{_IMAGE}",
        rf"(?:does|do|did)\s+{_IMAGE}\s+(?:show|have|demonstrate|reveal|suggest)\s+{_ANY}(?P<finding>\S.*?)",
        rf"(?:is|are|was|were)\s+(?:the\s+)?(?P<finding>\S.*{_CLEAR})\s+(?:on|in)\s+{_IMAGE}",
        rf"where\s+(?:is|are)\s+{_ANY}(?P<finding>\S.*?)\s+(?:on|in)\s+{_IMAGE}",
    )
)
_SHOWS = _each(
    (
        rf"(?:(?:(?:have|take)\s+a\s+(?:close\s+)?)?look\s+at|read|interpret|analy[sz]e|inspect|examine|"
        rf"describe(?:\s+what\s+(?:you|we)\s+see\s+(?:on|in))?)\s+{_IMAGE}",
        rf"what\s+(?:do|can)\s+(?:you|we)\s+see\s+(?:on|in)\s+{_IMAGE}",
        rf"what\s+(?:is|are|can\s+be)\s+(?:seen|visible|abnormal|wrong|there|to\s+be\s+seen)\s+(?:on|in)\s+{_IMAGE}",
        rf"(?:is|are)\s+(?:there\s+)?(?:anything|something)\s+(?:\w+\s+)?(?:on|in)\s+{_IMAGE}",
        rf"(?:what|which)\s+(?:abnormalities|findings)\s+(?:are\s+there\s+|do\s+you\s+see\s+|are\s+)?"
        rf"(?:on|in)\s+{_IMAGE}",
    )
)
_TOLD = _each((rf"what\s+(?:does|do|did)\s+{_IMAGE}\s+(?:show|reveal|demonstrate)",))
_NOTHING = any_of(r"\b(?:report|reports|reported|note|notes|impression|conclusion|file|record|chart)\b")
"""Words that ask for what is written, not for what is to be seen."""


def looking(question: str, history: tuple[Turn, ...] = ()) -> Looking | None:
    """How a question asks for pixels; None where it does not."""
    text = " ".join(_POLITE.sub("", question, count=1).split())
    if _NOTHING.search(text.lower()):
        return None
    found = next(_matches(text), None)
    if found and not found.image and not (history and history[-1].subject.get("look")):
        return None
    return found


def _matches(text: str) -> Iterator[Looking]:
    for patterns, prior, pixels in _WAYS:
        for found in filter(None, (pattern.match(text) for pattern in patterns)):
            parts = found.groupdict()
            image = _WHOSE.sub("", parts.get("image") or parts.get("kind") or "")
            finding = " ".join((parts.get("finding") or "").split()).strip("?.,! ")
            finding, image = _placed(finding, image)
            yield Looking(image=image, finding=finding, prior=prior, pixels=pixels)


def _placed(finding: str, image: str) -> tuple[str, str]:
    """ "A nodule in the left lobe on the CT" is looked for on the CT: what stands before the image is where to look."""
    place = _PLACED.match(image) if finding else None
    return (f"{finding} in the {place['where']}", image[place.end() :]) if place else (finding, image)


_WAYS = ((_COMPARED, True, True), (_SHOWS, False, True), (_FOUND, False, True), (_TOLD, False, False))
_PLACED = re.compile(rf"(?P<where>.+?)\s+(?:on|in)\s+(?:the\s+)?(?={_KIND}\b|\w+\s+{_KIND}\b)", re.IGNORECASE)
_WHOSE = re.compile(r"^(?:the|his|her|their|this|that|patient'?s?)\s+", re.IGNORECASE)
