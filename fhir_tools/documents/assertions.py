"""What a sentence asserts of a term in it: affirmed, negated, uncertain, of a relative, or past.

Rules after NegEx (Chapman et al., J Biomed Inform 2001;34:301-310: a trigger phrase, its direction, pseudo-triggers
and a scope that ends at a conjunction) and ConText (Harkema et al., J Biomed Inform 2009;42:839-851: the same for
experiencer and time). Where several apply the order is: family, negated, uncertain, historical.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = ["Assertion", "Judged", "judge"]

Assertion = Literal["affirmed", "negated", "uncertain", "family", "historical"]
Trigger = tuple[Assertion, int, int]
_ORDER: tuple[Assertion, ...] = ("family", "negated", "uncertain", "historical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The assertion, and the stretch of the sentence that makes it one (the term itself when affirmed)."""

    assertion: Assertion
    start: int
    end: int


_PARTS = {
    "RELATIVE": (
        r"(?:(?:maternal|paternal|great|half|step)[ -])*(?:(?:grand)?(?:mother|father|parent)|mom|dad|brother|sister|"
        r"sibling|aunt|uncle|cousin|niece|nephew|son|daughter|wife|husband|spouse)s?(?:'s)?"
    ),
    "NOTABLE": r"(?:(?:is|was|significant|notable|remarkable|positive|negative) )*",
    "SMALL": r"(?:(?:significant|interval|further|real|major|definite|recent) )*",
    "PAST": r"(?:(?:past|prior|previous|remote|known|personal|medical|significant|surgical|long|longstanding) )*",
    "TELLS": (r"(?:reports?|reported|states?|stated|says|said|notes|noted|brought|brings|calls|called|is (?:at|here))"),
    "SEEN": (
        r"(?:seen|detected|present|identified|found|demonstrated|appreciated|noted|observed|evident|visuali[sz]ed|given|"
        r"started|taken|used|prescribed|administered|performed|done|continued|reported|elicited|palpable|audible|felt|"
        r"heard|occur(?:red)?|recur(?:red)?|develop(?:ed)?)"
    ),
}
"""Pieces that the phrases below share."""


def _any(phrases: str) -> re.Pattern[str]:
    """Any of the phrases, one a line or parted by spaced bars; the longest is tried first."""
    for name, piece in _PARTS.items():
        phrases = phrases.replace(f"{{{name}}}", piece)
    longest = sorted(filter(None, re.split(r"\s+\|\s+|\s*\n\s*", phrases)), key=len, reverse=True)
    return re.compile(r"(?<![\w'-])(?:" + "|".join(longest).replace(" ", r"\s+") + r")(?![\w'])", re.IGNORECASE)


_PSEUDO = _any(
    r"""
    no {SMALL}(?:change|increase|decrease|difference|improvement|worsening) (?:in|of|to|from)
    no {SMALL}change | not only | not necessarily | gram[- ]negative | rh[- ]negative
    no (?:reason|need|plan|plans|indication) to (?:stop|hold|discontinue|change) | no doubt
    without (?:difficulty|delay)
    (?:did|do|does|should|must|will|to|not to) ?not (?:stop|discontinue|hold|skip|miss)
    not (?:stopped|discontinued|held) | history of (?:the )?present(?:ing)? (?:illness|complaint)
    history (?:and|&) physical | used to (?:treat|manage|control) | (?:mother|father|parent) of | prior to
    previous(?:ly)? (?:noted|mentioned|described|documented|seen)
    lives? (?:alone )?with (?:his |her |their )?{RELATIVE} | living with (?:his |her |their )?{RELATIVE}
    (?:by|from|with|accompanied by|per) (?:(?:his|her|their|the) )?{RELATIVE}
    {RELATIVE} {TELLS}
    family (?:meeting|members? (?:present|at)|planning|medicine|physician|doctor|practice|updated|informed|aware|at)
    """
)  # fmt: skip
_BEFORE: dict[Assertion, re.Pattern[str]] = {
    "negated": _any(
        r"""
        no | not | n't | non | never | none | nor | neither | without | w/o | den(?:y|ies|ied|ying) | lacks?
        negative(?: for)? | neg for | absence of | free of | absent | no longer | cannot | unable to
        no (?:signs?|evidence|history|hx|sign|complaints?|known|new|suspicion)(?: (?:of|for))?
        (?:was|were|is|are|been) ruled out for | ruled out(?: for)? | rules out | ruling out | excluded
        resolution of | refus(?:es|ed) | declin(?:es|ed)
        (?:is|are|was|were|has|have|had|do|does|did|ca|could|wo|would)n['’]t
        """
    ),
    "uncertain": _any(
        r"""
        possib(?:le|ly|ility of) | probabl[ey] | likely | suspect(?:s|ed|ing)? | suspici(?:on|ous)(?: (?:of|for))?
        concern(?:s|ing|ed)?(?: (?:for|about|of))? | r/o | (?:to )?rule out | to exclude
        (?:cannot|can not|can't|could not|unable to|not) (?:be )?(?:rule[d]? out|exclude[d]?)
        evaluat(?:e|ion|ed) for | assess(?:ed|ment)? for | question of | questionable | query | consider(?:ing)?
        differential(?: diagnosis)?(?: includes?)? | ddx | presum(?:ed|ptive|ably)
        may (?:have|be|represent|reflect|indicate|develop|need) | might | could (?:be|represent|have|reflect)
        not (?:certain|sure|clear)(?: (?:if|whether))? | unclear(?: (?:if|whether))? | doubt(?:ful)?
        (?:at |increased |high |low )*risk (?:of|for|factors? for) | if | in case of
        screen(?:ing|ed)?(?: (?:for|of)) | test(?:ing|ed)? for | monitor(?:ing)? for | watch(?:ing)? for
        return for | call for | prophyla(?:xis|ctic) (?:for|against) | to prevent | prevention of | versus | vs\.?
        work-?up (?:for|of) | vaccin(?:e|ation) (?:for|against) | educat(?:ed|ion) (?:about|on|regarding)
        borderline | equivocal(?: for)?
        """
    ),
    "historical": _any(
        r"""
        {PAST}(?:history|hx)(?: {NOTABLE}(?:of|for|includes?|including))?
        h/o | hx of | s/p | status[- ]post | previous(?:ly)? | prior | pmhx? | pshx? | former(?:ly)? | used to
        in the past | as a child | childhood
        """
    ),
    "family": _any(
        r"""
        family (?:medical )?(?:history|hx)(?: {NOTABLE}(?:of|for))?
        family h/o | fhx? | (?:runs )?in (?:the|his|her) family
        (?:his |her |their |a |one |two |both )?{RELATIVE}
        """
    ),
}  # fmt: skip
_AFTER: dict[Assertion, re.Pattern[str]] = {
    "negated": _any(
        r"""
        (?:(?:was|were|is|are|has been|have been|had been|being) )?(?:also )?(?:ruled out|excluded|denied|refuted)
        (?:was|were|is|are|has been|have been) (?:negative|absent|unlikely) | negative | absent
        unlikely | unremarkable
        (?:not|never|none|n't)(?: been)? {SEEN}
        (?:has|have) resolved | (?:was|were|been) (?:stopped|discontinued) | (?:(?:was|were|been) )?avoided
        """
    ),
    "uncertain": _any(
        r"""
        (?:is |was |are |were )?(?:possible|probable|suspected|likely|questionable|uncertain|unclear|equivocal|doubtful)
        versus | vs\.? | (?:cannot|can not|could not|can't) be (?:ruled out|excluded)
        (?:was |were |is |are |has |have )?not (?:been )?(?:ruled out|excluded) | to be (?:ruled out|excluded)
        prophylaxis | screen(?:ing)? | precautions | risk | work-?up | vaccin(?:e|ation) | differential
        """
    ),
    "historical": _any(
        r"""
        in the past | (?:\w+ )?(?:years?|months?|decades?) ago | as a child
        in (?:his|her) (?:teens|youth|childhood) | previously | resolved
        """
    ),
    "family": _any(
        r"""
        in (?:(?:his|her|their|the|a|one|two|both|several) )*{RELATIVE} | in (?:the|his|her|their) family
        runs in (?:the|his|her) family | \(? ?(?:his |her )?{RELATIVE} ?\) | family history | fhx?
        """
    ),
}  # fmt: skip
_VERBAL = frozenset(("ruled", "excluded", "denied", "family", "in"))
_ASSERTS = (
    r"is|was|are|were|has|have|had|reports?|reported|endorses?|complains?|presents?|admits?|takes?|took|uses?|carries|"
    r"continues?|started|restarted|begins?|began|remains?|positive|shows?|showed|reveals?|revealed|does|will|given|keep"
)
_END = re.compile(
    r";|(?<![\w'])(?:but|however|although|though|except(?:\s+for)?|aside\s+from|apart\s+from|nevertheless|nonetheless|yet|"
    r"whereas|other\s+than|because(?:\s+of)?|secondary\s+to|due\s+to|which|who|instead|then|"
    rf"(?:and|,)\s+(?:(?:he|she|they|patient|pt)\s+)?(?:{_ASSERTS})|"
    r"(?:reports?|reported|endorses?|complains?\s+of|admits?\s+to|positive\s+for|presents?\s+with))(?![\w'])",
    re.IGNORECASE,
)
_FAMILY_END = re.compile(r"(?<!\w)(?:patient|pt|himself|herself|the\s+patient's|he|she)(?!\w)", re.IGNORECASE)
_SECTIONS: tuple[tuple[re.Pattern[str], Assertion], ...] = (
    (re.compile(r"\bfamily\b|^fhx?$", re.IGNORECASE), "family"),
    (re.compile(r"\bpast\b.*\bhistory\b|^pmhx?$|^pshx?$|\bhistory of past\b", re.IGNORECASE), "historical"),
)
_AFTER_WORDS = 8
_NEAREST = 20
"""Triggers to either side of a term that are looked at: what is farther off says nothing of it."""
_KEPT = 64
"""Sentences whose triggers are remembered: each of their terms asks for them."""
_PARTED = re.compile(r",|\S\s*:")
_OPEN = re.compile(
    r"(?:not|n't)\s+(?:be\s+|been\s+)?(?:rule|exclude)|not\s+(?:certain|sure|clear)|unable\s+to\s+(?:rule|exclude)",
    re.IGNORECASE,
)


def judge(sentence: str, start: int, end: int, section: str = "") -> Judged:
    """What `sentence` says of its stretch `[start, end)`; `section` is the heading that the sentence stands under."""
    found: dict[Assertion, tuple[int, int]] = {}
    ahead, behind = _triggers(sentence)
    before = [t for t in ahead if t[2] <= start][-_NEAREST:]
    for assertion, first, last in before:
        if not _ended(sentence, assertion, last, start, before):
            found[assertion] = (first, end)
    for assertion, first, last in [t for t in behind if t[1] >= end][:_NEAREST]:
        if _reaches(sentence[end:first], sentence[first:last]):
            found.setdefault(assertion, (start, last))
    _mend(sentence, start, end, found)
    for assertion in _ORDER:
        if assertion in found:
            return Judged(assertion=assertion, start=found[assertion][0], end=found[assertion][1])
    under: Assertion = next((a for pattern, a in _SECTIONS if pattern.search(section)), "affirmed")
    return Judged(assertion=under, start=start, end=end)


@lru_cache(maxsize=_KEPT)
def _triggers(sentence: str) -> tuple[list[Trigger], list[Trigger]]:
    """The triggers of a sentence that work forwards and those that work backwards; what only looks like one is none."""
    pseudo = [m.span() for m in _PSEUDO.finditer(sentence)]
    ahead, behind = (_found(sentence, table) for table in (_BEFORE, _AFTER))
    return [t for t in ahead if not _inside(t[1], t[2], pseudo)], [t for t in behind if not _inside(t[1], t[2], pseudo)]


def _found(sentence: str, table: dict[Assertion, re.Pattern[str]]) -> list[Trigger]:
    """Every trigger in text order; one that lies within a longer one of another sort is no trigger."""
    every = [(a, *m.span()) for a, pattern in table.items() for m in pattern.finditer(sentence)]
    kept: list[Trigger] = []
    for one in sorted(every, key=lambda t: (t[1], -t[2])):  # what holds another comes before it
        if not kept or one[2] > kept[-1][2] or one[1:] == kept[-1][1:]:
            kept.append(one)
    return kept


def _inside(first: int, last: int, spans: list[tuple[int, int]]) -> bool:
    return any(a < last and first < b for a, b in spans)


def _ended(sentence: str, assertion: Assertion, last: int, start: int, triggers: list[Trigger]) -> bool:
    """Whether the trigger's scope is over before `start`: a conjunction, or a new clause with a trigger of its own."""
    if _END.search(sentence, last, start) or (assertion == "family" and _FAMILY_END.search(sentence, last, start)):
        return True
    others = (t for t in triggers if t[0] != assertion and last <= t[1] and t[2] <= start)
    return any(_opens(sentence[last : t[1]]) for t in others)


def _opens(between: str) -> bool:
    """Whether the text up to a trigger ends a clause: `No fever, possible pneumonia`."""
    return bool(re.search(r"(?:,|\band)\s*$", between, re.IGNORECASE))


def _reaches(between: str, trigger: str) -> bool:
    """Whether a trigger behind the term is still about it; an adjective alone does not reach over a comma."""
    if _END.search(between) or len(between.split()) > _AFTER_WORDS:
        return False
    if any(word in _VERBAL for word in trigger.lower().split()):
        return True
    return not _PARTED.search(between) and len(between.split()) <= _AFTER_WORDS // 2


_NONE = re.compile(
    r"[^.;:\n]{0,40}:\s*(?:none|nil|negative|absent|denie[sd]|no known|no(?=\s*(?:[.,;]|$)))(?![\w-])", re.IGNORECASE
)
"""`Specimens sent: none`."""


def _mend(sentence: str, start: int, end: int, found: dict[Assertion, tuple[int, int]]) -> None:
    """Signs next to the term: `?pneumonia`, `pneumonia?`, and "cannot be ruled out", which negates nothing."""
    for at in _question_marks(sentence, start, end):
        found["uncertain"] = (min(start, at), max(end, at + 1))
    if none := _NONE.match(sentence, end):
        found.setdefault("negated", (start, none.end()))
    uncertain, negated = found.get("uncertain"), found.get("negated")
    if uncertain and negated and _OPEN.search(sentence[uncertain[0] : uncertain[1]]):
        del found["negated"]


def _question_marks(sentence: str, start: int, end: int) -> Iterator[int]:
    before, after = sentence[:start].rstrip(), sentence[end:]
    if before.endswith("?"):
        yield len(before) - 1
    if after.lstrip().startswith("?"):
        yield end + after.index("?")
