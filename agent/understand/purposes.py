"""What drugs are for: "meds for bronchitis", "her blood pressure pills"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.types import Target
from fhir_tools.codes import Matcher
from fhir_tools.types import Kind

__all__ = ["goes_on", "purpose_of"]

_DRUGS = r"(?:meds?|medications?|medicines?|drugs?|pills?|tablets?|therapy|treatments?)"
_GIVEN_FOR = re.compile(rf"\b(?:for|to (?:treat|control|lower)|treating|against)\b(?: \w+){{0,3}} m\d|\bm\d {_DRUGS}\b")
_GOES_ON = re.compile(
    r"\b(?:is|are)\b(?: \w+){1,3} (?:on|taking|getting|using)\b|\btak(?:es|ing)\b"
    r"|\b(?:does|do)\b(?: \w+){1,2} (?:take|use)\b|\b(?:is|are) for\b"
)
_TAKEN_FOR = re.compile(
    r"^(?:and |so )*(?:what|whats|which|anything)\b.*"
    r"\b(?:on|takes?|taking|uses?|using|gets?|getting|given|prescribed)\b(?: now| currently)? for (?:\w+ ){0,2}m\d\W*$"
    r"|\b(?:on|taking|takes?|using|given) (?:anything|something|treatment|therapy) for (?:\w+ ){0,2}m\d\W*$"
    r"|^(?:is there |has he got |has she got )?(?:anything|something) for (?:(?:the|his|her|their) )?m\d\W*$"
)
"""What somebody takes for something is a drug, though no word says so."""
_TREATED = {
    "blood pressure": "hypertension",
    "systolic blood pressure": "hypertension",
    "cholesterol": "hyperlipidemia",
    "ldl": "hyperlipidemia",
    "triglycerides": "hyperlipidemia",
    "lipid panel": "hyperlipidemia",
    "glucose": "diabetes",
    "hemoglobin a1c": "diabetes",
    "pain score": "pain",
}
"""What is measured, and the condition that drugs "for" it treat."""


def goes_on(s: str) -> bool:
    """Whether the skeleton of a question about drugs asks for what is taken now."""
    return bool(_GOES_ON.search(s))


def purpose_of(
    s: str, cued: Sequence[Kind], targets: tuple[Target, ...], matcher: Matcher
) -> tuple[Target | None, tuple[Target, ...]]:
    """The condition that drugs were ordered for, and the subjects that are left."""
    if len(targets) == 1 and (named := _of_class(targets[0], matcher)):
        return named, ()
    if len(targets) != 1 or not (("medication" in cued and _GIVEN_FOR.search(s)) or _TAKEN_FOR.search(s)):
        return None, targets
    if targets[0].kinds[:1] == ("condition",):
        return targets[0], ()
    treated = next((_TREATED[name] for kind, name in targets[0].lexicon if kind == "lab" and name in _TREATED), "")
    known = matcher.lexicon.by_id("condition", treated) if treated else None
    if known is None or targets[0].kinds[:1] != ("measurement",):
        return None, targets
    keys = tuple(e.key for e in matcher.entries_of((("condition", treated),), ("condition",)))
    named = replace(targets[0], label=known.label, kinds=("condition",), keys=keys, lexicon=(("condition", treated),))
    return named, ()


def _of_class(target: Target, matcher: Matcher) -> Target | None:
    """ "Heart failure meds" as the drugs ordered for it, where the chart has none of the class that is called so."""
    words = re.fullmatch(rf"(.+) {_DRUGS}", target.words)
    if target.keys or not words or target.kinds[:1] != ("medication",):
        return None
    known = next(iter(matcher.lexicon.lookup(words[1], ("condition",))), None)
    keys = tuple(e.key for e in matcher.entries_of((("condition", known.id),), ("condition",))) if known else ()
    if known is None or not keys:
        return None
    return replace(target, label=known.label, kinds=("condition",), keys=keys, lexicon=(("condition", known.id),))
