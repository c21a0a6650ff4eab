"""The event that a time is told by ("when hypertension was diagnosed", "since the admission in March")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from agent.types import Anchor, Ask, Target
from agent.understand.patterns import any_of, words
from agent.understand.reading import Reading, is_stay
from fhir_tools.dates import Window

__all__ = [
    "Found",
    "anchor_of",
    "find_anchor",
    "left_after",
    "tells_arrival",
    "tells_end",
    "timed",
    "windows",
    "without",
]

Relation = Literal["closest", "at", "before", "after", "during", "since"]

_FILL = (
    r"the|a|an|their|his|her|its|this|that|patient|patients|pt|s|he|she|they|was|were|is|got|had|has|of|with|in|on|"
    r"for|to"
    r"|first|last|latest|most|recent|current|initial|previous|time|date|day|t\d|diagnosis|diagnosed|dx|dxd|dxed|onset"
    r"|start|starting|started|began|beginning|put|being|having|developing|developed|develop|receiving|undergoing"
    r"|record|recording|recorded|found|known|told|noted|have|that"
)
_TAIL = (
    r"was|is|were|got|being|first|in|on|t\d|diagnosed|diagnosis|dx|onset|started|start|began|found|made|recorded|"
    r"performed|done|given|"
    r"prescribed|appeared|identified|occurred|developed|date|day"
)
_RELATION = re.compile(
    r"\b(?P<rel>(?:closest|nearest)(?: in time)? to|closest|nearest|around|near|about"
    r"|(?:at|around|by) the time of|at time of|on the day of|when|at|on|before|earlier than|prior to|preceding"
    r"|after|later than|following|since|during|for|in|from|with|of|upon)\b"
    rf"(?P<fill>(?: (?:{_FILL}))*) (?P<m>m\d+)\b(?P<tail>(?: (?:{_TAIL}))*)"
)
_TO_EVENT = re.compile(
    r"\b(?:closest|nearest)\b.* (?P<rel>to) (?:the )?"
    r"(?:(?:\w+ )?(?:onset|diagnosis|dx|start|time|date|day) of "
    r"|(?:date|day|time|moment) (?:(?:at|on) which|when|that) (?:the |his |her )?)?"
    r"(?P<m>m\d+)\b"
    r"(?: being (?:diagnosed|found|made|given|done)| (?:diagnosis|dx|onset|start)(?: (?:date|day))?| (?:date|day)\b)?"
)
"""The event apart from its relation: "the closest weight to the onset of gout"."""
_EVENT = re.compile(
    r"\b(diagnos\w*|dx|dxd|dxed|onset|start\w*|began|beginning|develop\w*|first|put on|when|time of|day of|found to)\b"
)
_NAMED: Mapping[str, Relation] = {
    "before": "before", "earlier than": "before", "prior to": "before", "preceding": "before",
    "after": "after", "later than": "after", "following": "after", "since": "since", "during": "during",
}  # fmt: skip
_NEAR = ("closest", "nearest", "around", "near", "at the time", "at time", "by the time", "on the day", "when", "upon")
_NEAREST = ("closest", "nearest")
_ENDED = re.compile(r"(was |were |is |got |being )?(stop\w*|discontinu\w*|end(s|ed)?|resolv\w*|finish\w*|held|over)\b")
"""After an event's name: its end is meant, which rules do not know the time of."""
_OF_STAY = any_of(
    words(
        "why, reason, admitting, chief complaint, how long, length, los, tell me about, discharged?, what for, for what"
    ),
    words("happened, details, describe, what was done"),
)
"""What is asked about a stay itself, not about something during it."""
_DATED_STAY = re.compile(r"\bt\d+ m(\d+)\b")
"""A stay told by its date alone: "the March 2025 admission"."""
_STANDALONE = re.compile(
    r"\b(labs?|meds?|medications?|vitals?|procedures?|imaging|started|prescribed|results|notes?|drugs?|given|"
    r"administered|happened|vaccines?|diagnosed|diagnos[ei]s|dx|conditions|visits?)\b"
)


class Found:
    """An anchor's mention, its relation, and the stretch of the skeleton that tells it."""

    def __init__(self, number: int, relation: Relation, start: int, end: int, cause: int | None = None) -> None:
        self.number, self.relation, self.start, self.end, self.cause = number, relation, start, end, cause

    @property
    def numbers(self) -> tuple[int, ...]:
        """The mentions that tell the time and are no subject: the event, and what a stay was for."""
        return (self.number,) if self.cause is None else (self.number, self.cause)


def find_anchor(reading: Reading) -> Found | None:
    """Which mention is the event that a time is told by; None when every mention is a subject."""
    caused = next(filter(None, (_for_a_cause(m, reading) for m in _CAUSED.finditer(reading.skeleton))), None)
    if caused:
        return caused
    apart = _TO_EVENT.search(reading.skeleton)
    if apart and len(reading.mentions) > 1:
        return Found(int(apart["m"][1:]), "closest", apart.start("rel"), apart.end())
    for match in _RELATION.finditer(reading.skeleton):
        found = _judge(match, reading)
        if found:
            return found
    dated = _DATED_STAY.search(reading.skeleton)
    if dated and is_stay(reading.mentions[int(dated[1])]) and _tells_time(reading, dated):
        return Found(int(dated[1]), "during", dated.start(), dated.end())
    return None


_CAUSED = re.compile(
    rf"\b(?:during|in|on|throughout|over|of|for|from|at)(?: (?:{_FILL}))* (?P<cause>m\d+) (?P<stay>m\d+)\b(?: t\d+)?"
    r"|\b(?:during|in|on|throughout|over|of|for|from|at)(?: (?:the|his|her|their|that|this|last|first))* "
    r"(?P<stay2>m\d+) (?:for|with|because of|due to)(?: (?:the|his|her|their|a|an))? (?P<cause2>m\d+)\b(?: t\d+)?"
)
"""A stay told by what it was for: "the pneumonia stay", "his admission for asthma"."""


def _for_a_cause(match: re.Match[str], reading: Reading) -> Found | None:
    stay, cause = (int((match[a] or match[b])[1:]) for a, b in (("stay", "stay2"), ("cause", "cause2")))
    conditions = {c.kind for c in reading.mentions[cause].classes} | {e.kind for e in reading.mentions[cause].entries}
    if not is_stay(reading.mentions[stay]) or not conditions <= {"condition", "icd10"} or not conditions:
        return None
    beside = reading.skeleton[: match.start()] + reading.skeleton[match.end() :]
    told = len(reading.mentions) > 2 or (_STANDALONE.search(beside) and not _OF_STAY.search(beside))
    return Found(stay, "during", match.start(), match.end(), cause) if told else None


def _tells_time(reading: Reading, match: re.Match[str]) -> bool:
    """Whether something else is asked about than the event of the match, which then only says when."""
    beside = reading.skeleton[: match.start()] + reading.skeleton[match.end() :]
    return len(reading.mentions) > 1 or (bool(_STANDALONE.search(beside)) and not _OF_STAY.search(beside))


def _judge(match: re.Match[str], reading: Reading) -> Found | None:
    skeleton, number, rel = reading.skeleton, int(match["m"][1:]), match["rel"]
    before, after = skeleton[: match.start()], skeleton[match.end() :]
    if rel == "when" and re.match(r"when (was|were|did|is|has|had|does)\b", skeleton[match.start() :]):
        return None  # it asks for the time, it does not tell it
    if re.search(r"\bhow (old|young)\b|\bage\b|\byears old\b", before):
        return None
    if len(reading.mentions) < 2 and not _STANDALONE.search(before + after):
        return None
    stay = is_stay(reading.mentions[number])
    if stay and len(reading.mentions) == 1 and _OF_STAY.search(before + after):
        return None
    told = f"{rel}{match['fill']}{match['tail']}"
    event = bool(_EVENT.search(told))
    near = rel.startswith(_NEAR)
    fits = (
        rel in _NAMED or near or (rel == "at" and event) or (rel in ("at", "on", "in", "from", "for", "with") and stay)
    )
    if not fits or (near and not (event or stay or rel.startswith(("closest", "nearest", "around", "near")))):
        return None
    relation = _NAMED.get(rel) or ("closest" if rel.startswith(_NEAREST) or not stay else "during")
    return Found(number, relation, match.start(), match.end())


def without(skeleton: str, found: Found | None) -> str:
    """The skeleton without the anchor's phrase, whose words say nothing about what is asked for."""
    if found is None:
        return skeleton
    return f"{skeleton[: found.start].rstrip()} {skeleton[found.end :].lstrip()}".strip()


def timed(ask: Ask, reading: Reading, found: Found | None) -> Ask:
    """Results are told that are nearest to an event; what else was so at its time rules do not work out."""
    nearest = found and ask.anchor and ask.anchor.relation in ("closest", "at")
    if nearest and ask.window and ask.kinds[:1] == ("measurement",):  # nearest to the event, or of that time
        return replace(ask, unknown=(*ask.unknown, ask.window.text))
    if not nearest or not found or ask.op == "order" or ask.kinds[:1] in (("measurement",), ("social",)):
        return ask
    return replace(ask, unknown=(*ask.unknown, _spelt(reading, found)))


_STAY = Target(words="stay", label="Inpatient stay", kinds=("encounter",))


def left_after(ask: Ask, s: str) -> Ask:
    """ "When was she discharged after the pneumonia?" asks for the end of the stay that it was treated in."""
    condition = ask.targets[0] if len(ask.targets) == 1 and ask.targets[0].kinds[:1] == ("condition",) else None
    if not condition or ask.anchor or ask.expects != "date" or not re.search(r"\bdischarged?\b", s):
        return ask
    stay = Anchor(relation="during", target=_STAY, which="last", window=ask.window, cause=condition)
    return replace(ask, op="ended", kinds=("encounter",), targets=(_STAY,), anchor=stay, window=None)


def _spelt(reading: Reading, found: Found) -> str:
    """The anchor's phrase in the question's own words, without a date."""
    phrase = re.sub(r"\bt\d+ ?", "", reading.skeleton[found.start : found.end])
    return re.sub(r"\bm(\d+)\b", lambda m: reading.mentions[int(m[1])].words, phrase)


def windows(reading: Reading, found: Found | None) -> tuple[Window | None, Window | None]:
    """The time the question asks about, and the one that only says when the anchor's event was."""
    told = [(i, t.window) for i, t in enumerate(reading.times) if t.window]
    if found is not None:
        phrase = reading.skeleton[found.start : found.end]
        near = reading.skeleton[found.end :].lstrip()
        own = [(i, w) for i, w in told if re.search(rf"\bt{i}\b", phrase) or re.match(rf"(in|on|of|from) t{i}\b", near)]
        if own:
            rest = [w for i, w in told if i != own[0][0]]
            return (rest[0] if rest else None), own[0][1]
    return (told[0][1] if told else None), None


_ARRIVAL = re.compile(r"(when|at|on|upon|around|by)\b")


def tells_arrival(reading: Reading, found: Found) -> bool:
    """Whether the words mean the beginning of a stay: "on admission", "when she was admitted"."""
    words = reading.mentions[found.number].words
    phrase = reading.skeleton[found.start : found.end]
    return bool(_ARRIVAL.match(phrase)) and bool(re.search(r"\b(admi|hospitali)", words))


def tells_end(reading: Reading, found: Found | None) -> str:
    """The words that tell a time by the end of an event ("when warfarin was stopped"); empty for its beginning."""
    told = _ENDED.match(reading.skeleton[found.end :].lstrip()) if found else None
    return told.group() if told else ""


def anchor_of(reading: Reading, found: Found, target: Target, window: Window | None) -> Anchor:
    """The anchor as a record; of encounters the last is meant unless the words say the first."""
    phrase = reading.skeleton[found.start : found.end]
    last = bool(re.search(r"\b(last|latest|recent|previous)\b", phrase))
    stay = "encounter" in target.kinds and not re.search(r"\bfirst\b", phrase)
    return Anchor(relation=found.relation, target=target, which="last" if last or stay else "first", window=window)
