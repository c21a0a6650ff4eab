"""A question of several: "when was the colonoscopy and what did it show", "creatinine on admission and at discharge".

Each part is made a question that stands by itself. What points back to the first gets its subject's words; what only
says another time, event or aspect leans on the first as a follow-up would.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agent.types import Anchor, Ask
from agent.understand.targets import measured

__all__ = ["AGE_THEN", "POINTS_BACK", "around", "at_visit", "bare", "leaning", "parted", "pointed"]

_ASKS = (
    r"(?:what(?:'?s)?|when(?:'?s)?|why|how|who|whom|which|where|was|were|is|are|does|did|do|has|have|had|would|"
    r"for (?:what|which|how long)|by whom|since when|until when|at what|on what|under what)"
)
_AND = re.compile(
    rf"(?:\s*\?+\s*(?:and\s+|so\s+)?|\s*,?\s+(?:and|&|plus|then)\s+(?:also\s+|then\s+)?|\s*[,;]\s*(?:and\s+)?(?=if\s))"
    rf"(?P<next>(?:if (?:so|yes|not)\b\W*|so\s+)?{_ASKS}\b.*)$",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_DATE = re.compile(
    r"(?:on |at )?(?:when|(?:what|which) (?:dates?|days?|year)|which(?: ones?)?|who|where)\b"
    r"(?: (?:was|were|is) (?:it|that|this|they|those|he|she)| (?:it|that|they) (?:was|were)|"
    r" (?:was |is )?the (?:date|day)s?|(?: (?:last|first))? (?:done|taken|measured|checked|given)| last| first"
    r"| most recently)*\W*$"
    r"|what (?:was|is|were) (?:its|the) (?:date|day|value|result)s?\b(?! of| at| on| before| after)"
    r"|if (?:so|yes),? (?:what|which|to what|when)(?: (?:is|are|was|were) (?:it|they|those|that))?\W*$",
    re.IGNORECASE,
)
"""A second half that the answer to the first tells anyway: a value has its date, and a date its value."""
AGE_THEN = re.compile(
    r"(?:who )?(?:at (?:what|which) age|how old)(?: (?:was|were) (?:he|she|they))?\W*$", re.IGNORECASE
)
"""What a family member's disease is told with anyway."""
_IF_SO = re.compile(r"^(?:if (?:so|yes|not)\b\W*|so\s+)", re.IGNORECASE)
_RELATION = r"(?:before|after|on|at|during|since|in)"
_BOTH = re.compile(
    r"^(?P<head>.*\S)\s+(?:before|pre)\s*(?:and|&|vs\.?|versus|/)\s*(?:after|post|since)\s+(?P<event>.+)$",
    re.IGNORECASE,
)
_AGAINST = r"(?:and|&|vs\.?|versus|compared (?:to|with)|against)"
_TWO_TIMES = re.compile(
    rf"^(?P<head>.*\S)\s+(?P<one>{_RELATION}\s+(?:(?!\band\b|,).)+?)\s*,?\s+{_AGAINST}\s+(?:again\s+)?(?:what\s+)?"
    rf"(?P<two>{_RELATION}\s+.+|(?:19|20)\d\d|now|today)\W*$",
    re.IGNORECASE,
)
_NOW_FIRST = re.compile(
    rf"^(?P<head>.*\S)\s+(?:now|today)\s*,?\s+{_AGAINST}\s+(?P<two>(?:before|after|on|at|during|in|when)\s+.+)$",
    re.IGNORECASE,
)
_AND_AFTER = re.compile(
    r"^(?P<head>.*\S)\s+before\s+(?P<event>.+?)\s+and\s+(?:after|since)(?: (?:it|that))?\W*$", re.IGNORECASE
)
_NOW_AND_THEN = re.compile(
    r"^(?:compare|how (?:does|do|did|is|are))?\s*(?P<head>.*?\S)\s+(?:now|today|currently|these days|is now)?\s*"
    r"(?:compared?\s+)?(?:to|with|vs\.?|versus|against|and)\s+(?:(?:that|what it was|the (?:one|value))\s+)?"
    r"(?P<two>(?:(?:from\s+)?(?:a|one|two|three|four|five|six|\d+)\s+(?:year|month|week)s?\s+(?:ago|before|earlier|back))"
    r"|last\s+(?:year|month|week)|in\s+(?:january|february|march|april|may|june|july|august|september|october|november|"
    r"december|\d{4})\b.*|(?:19|20)\d\d)\W*$",
    re.IGNORECASE,
)


def parted(question: str) -> tuple[str, ...]:
    """The parts of a question, in the words of each; one part where it is a single question."""
    text = question.strip()
    if times := _times(text):
        return times
    found = _AND.search(text)
    if found is None or not text[: found.start()].strip() or _ONLY_DATE.match(found["next"]):
        return (text,)
    return (text[: found.start()].strip(), *parted(found["next"]))


def _times(text: str) -> tuple[str, ...]:
    """One subject at two times: "before and after", "on admission and at discharge", "now and a year ago"."""
    if both := _BOTH.match(text) or _AND_AFTER.match(text):
        return f"{both['head']} before {both['event']}", f"{both['head']} after {both['event']}"
    if two := _TWO_TIMES.match(text):
        return f"{two['head']} {two['one']}", _at(two["head"], two["two"])
    if two := _NOW_FIRST.match(text):
        return f"latest {two['head']}", f"{two['head']} {two['two']}"
    if two := _TWO_OF_PERSON.match(text):
        return two[1], two[2]
    if (two := _TWO_ORDERS.match(text)) and (orders := _orders(two)):
        return orders
    if then := _NOW_AND_THEN.match(text):
        head = then["head"].strip()
        return f"latest {head}", f"{head} {then['two']}"
    return ()


def _at(head: str, time: str) -> str:
    """The subject at the second of two times, which may be a bare year or now."""
    if time.lower() in ("now", "today"):
        return f"latest {head}"
    return f"{head} in {time}" if time.isdigit() else f"{head} {time}"


def _orders(found: re.Match[str]) -> tuple[str, ...]:
    """The two that are asked for by their place; the range of "lowest and highest" is one question."""
    one, other = ((found[x] or found[y] or found[z] or "").lower() for x, y, z in ("ace", "bdf"))
    subject = found["m"] or found["n"] or found["o"]
    one, other = _AS_ORDER.get(one, one), _AS_ORDER.get(other, other)
    if one == other or {one, other} == {*_EXTREMES}:
        return ()
    return f"{one} {subject}", f"{other} {subject}"


_ORDER = r"(?:first|earliest|oldest|baseline|initial|last|latest|most recent|newest|current|highest|lowest)"
_TWO_ORDERS = re.compile(
    rf"^(?P<ask>(?:what(?:'s| is| are| was| were|s)?|show(?: me)?|give me|list)?\s*(?:the |his |her |their )?)"
    rf"(?:(?P<a>{_ORDER}) (?P<m>.+?)\s*(?:,|and|&|vs\.?|versus|to)\s+(?:the |his |her )?"
    rf"(?P<b>{_ORDER})(?: one| (?P=m))?"
    rf"|(?P<n>.+?)\s+(?P<c>then|at baseline|{_ORDER})\s*(?:,|and|&|vs\.?|versus)\s+(?P<d>now|today|{_ORDER})"
    rf"|(?P<e>{_ORDER})\s*(?:,|and|&|vs\.?|versus)\s+(?P<f>{_ORDER}) (?P<o>.+?))\W*$",
    re.IGNORECASE,
)
_AS_ORDER = {"then": "first", "at baseline": "first", "now": "latest", "today": "latest"}
_EXTREMES = ("highest", "lowest")
_OF_PERSON = (
    r"(age|sex|gender|dob|date of birth|race|ethnicity|language|address|phone(?: number)?|marital status|name|mrn|job|"
    r"occupation|smoking status)"
)
_TWO_OF_PERSON = re.compile(
    rf"^(?:what(?:'s| is| are|s)? )?(?:the |his |her |their |patient )?{_OF_PERSON}\s*(?:,|and|&)\s*"
    rf"(?:the |his |her |their )?{_OF_PERSON}\W*$",
    re.IGNORECASE,
)
POINTS_BACK = re.compile(
    r"\b(?P<one>(?:(?:the )?(?P<which>last|latest|first|most recent|previous) )one)\b"
    r"|\b(?P<it>it|they|them|those|these|(?<=was )that|(?<=is )that|(?<=were )that|this(?= (?:for|one)\b|\W*$)|"
    r"that(?= (?:show|for|one)\b))\b",
    re.IGNORECASE,
)


def bare(text: str) -> str:
    """The part without "if so", which says nothing about what is asked."""
    return _IF_SO.sub("", text)


def pointed(text: str, first: Ask, words: Sequence[str]) -> str:
    """The part with the first's subject, in place of what points back to it or else after it."""
    named = " and ".join(words)
    order = {"latest": "the last ", "first": "the first "}.get(first.op, "")

    def instead(found: re.Match[str]) -> str:
        return f"the {found['which']} {named}" if found["one"] else f"{order}{named}"

    put, times = POINTS_BACK.subn(instead, bare(text), count=1)
    return put if times else f"{put.rstrip(' ?.')} {order}{named}"


def around(parts: tuple[Ask, ...]) -> tuple[Ask, ...]:
    """Of results "before and after" an event the first after it is meant, not the latest of all."""
    before = any(p.anchor and p.anchor.relation == "before" for p in parts)
    return tuple(
        replace(p, op="first") if before and p.anchor and p.anchor.relation == "after" and p.op == "latest" else p
        for p in parts
    )


def leaning(ask: Ask, first: Ask) -> Ask:
    """The part in the first's time, where it says none: "how many INRs in 2020 and which was the highest"."""
    if first.kinds == ("family",) and ask.kinds != ("family",):
        ask = replace(ask, relative=first.relative, kinds=first.kinds, targets=first.targets)
    if ask.window or ask.anchor or ask.current:
        return ask
    if first.op == "taking" and ask.kinds[:1] == ("medication",):
        ask = replace(ask, current=True)
    targets = first.targets if ask.kinds == first.kinds == ("encounter",) else ask.targets
    return replace(ask, targets=targets, window=first.window, anchor=first.anchor)


def at_visit(ask: Ask, first: Ask, text: str) -> Ask:
    """What "was" measured, asked after a visit, is of that visit: "the last prenatal visit and what was her weight"."""
    visit = first.kinds == ("encounter",) and len(first.targets) == 1 and first.op in ("latest", "first", "describe")
    timed = ask.window or ask.anchor or ask.current or ask.op not in ("latest", "list")
    if not visit or timed or not measured(ask.targets) or not re.search(r"\b(?:was|were|had|did)\b", text):
        return ask
    which: Literal["first", "last"] = "first" if first.op == "first" else "last"
    anchor = Anchor(relation="during", target=first.targets[0], which=which, window=first.window)
    return replace(ask, op="latest", anchor=anchor)
