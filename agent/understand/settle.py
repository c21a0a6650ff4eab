"""The operation and the expected form of answer, once the subject is known."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from agent.types import Ask, Op
from agent.understand import cues
from agent.understand.patterns import any_of, words
from agent.understand.targets import NUMERIC
from fhir_tools.dates import Window
from fhir_tools.types import Kind

__all__ = ["is_day", "settle"]

_ASKS_WHEN = any_of(
    words("when, what date, which date, what day, which day, day of, the day (?:that|when|on which), what year"),
    words("what month, since when, how far back, how recently"),
    words("how long ago, on what, (?<!to )dates?, (?:start|end|stop|discharge|diagnosis|onset) date"),
    words("date (?:first|last|started|of|when), (?:first|last) (?:rx|order|dose|prescription) date"),
    r"^(?:the )?(?:first|last) time\b(?=.*m\d)|\bsince$",
)
_VALUE_TOO = any_of(
    r"^(?!when\b|date\b|(?:and |so )*(?:what|which) (?:date|day|year)\b)"
    r".*\b(?:and|with|plus|including|incl|along with|together with) (?:(?:on |at )?(?:its|the|their|a|what|"
    r"which) )?(?:when|dates?|day)\b",
    r"^(?:and |so )*when and (?:what|how)\b|\bhow (?:high|low|much|big) (?:was|is) (?:it|that)\b",
    r"^(?!.*\bwhat (?:was|is) the date\b).*\bwhat (?:was|is) (?:it|the (?:value|result|reading|figure|number))\b",
    r"\b(?:dates?|day)(?: of)? t\d",
    r"^(?:and |so )*(?:(?:what|whats|which|how)\b(?!.*\b(?:date|day) when\b).*|(?:the |his |her )?m\d )"
    r"\bwhen (?:it|they|he|she|last|first|"
    r"we|you|i|anyone|someone|most recently|measured|checked|taken|tested|recorded|seen)\b",
    r"^when (?:m\d|he|she|they|the|his|her|we|records?|measurements?|readings?)\b(?!.*\bwhat (?:date|day|year|month)\b)"
    r".*\b(?:what|how (?:much|high|low|tall))\b",
)
"""A value is asked for, its date as well; or "when" only says which one ("what was it when it was last checked")."""
_NUMBER_TOO = re.compile(
    r"\bwhat (?:was|is|were) (?:the |his |her |their )?(?:last|latest|most recent|newest|value|result|number|it\b)"
    r"|\b(?:latest|last|most recent) (?:number|value|reading|result|figure)$"
)
"""After "is there a …": how much it was is asked for as well."""
_EARLIER = (
    r"\bprior\b|\b(?:previous|past|earlier|old)\b(?= (?:imaging|scans|studies|x rays|xrays|procedures|surgeries|"
    r"operations|admissions|visits|"
    r"encounters|appointments|vaccin\w+s|immuni\w+s|conditions|diagnoses|problems|illnesses|diseases)\b)"
)
"""What is asked for is all there was before today, not the one before the last."""
_WHO = r"(?:he|she|they|m\d|(?:the |this )?(?:patient|pt))"
_PRESENT = any_of(
    rf"\b(?:does|do) {_WHO} (?:\w+ )?(?:have|suffer|carry|live)\b|\b(?:is|are) {_WHO} (?:\w+ )?(?:suffering|living)\b",
    rf"\bhas {_WHO}(?! (?:had|ever|been))\b|\bproblem list\b",
)
"""What somebody has: what is resolved is not among it."""
_EVER = any_of(
    words(
        "ever, past, history, hx, previous*, prior, all, had, old, since, until, before, were, was, been, full,"
        " complete"
    ),
    words("entire, every, each, resolved, inactive, t\\d"),
)
_LAST = r"\b(last|latest|most recent\w*|newest|final)\b"
_ANY = r"\b(last|latest|most recent\w*|newest|final|first|earliest|oldest|initial|previous|prior)\b"


_IS_NOW = re.compile(
    r"^(?:and |so |but )*(?:(?:is|are) (?:he|she|they|(?:the |this )?(?:patient|pt|m\d)) (?:now |currently )?"
    r"|(?:does|do) (?:he|she|they|(?:the |this )?(?:patient|pt|m\d)) (?:now |currently )?have )(?:an? )?"
    r"m\d(?: (?:and|or) (?:an? )?m\d)*\W*$"
)
"""Whether somebody is something, or has it, asks for what goes on; "any" and "ever" may ask for the history."""


def settle(ask: Ask, s: str) -> Ask:
    """The question with its operation and expected answer; `s` is the skeleton without the anchor's phrase."""
    kind = ask.kinds[0] if ask.kinds else None
    and_when = bool(re.search(r"\band when\b", s))
    value_too = bool(ask.kinds[:1] in (("measurement",), ("social",)) and _NUMBER_TOO.search(s))
    yes_no = not value_too and (bool(cues.VERBS_FIRST.search(s)) or s.endswith("yes or no")) and not and_when
    asks_when = bool(_ASKS_WHEN.search(s)) and not _VALUE_TOO.search(s) and not yes_no
    if kind == "patient" and not ask.targets:
        return _person(ask, s, asks_when)
    if kind == "condition" and yes_no and ask.targets and not ask.state and _IS_NOW.search(s):
        ask = replace(ask, state="active")
    op = ask.op
    if (
        ask.anchor
        and ask.anchor.relation in ("before", "after")
        and yes_no
        and ask.targets
        and kind not in ("measurement", "social", None)
    ):
        op = "order"
    elif kind in ("measurement", "social"):
        op = _measurement(ask, s, yes_no)
    elif kind == "medication":
        op = _medication(ask, s, yes_no, asks_when)
    elif kind is not None:
        op = _event(ask, s, yes_no, asks_when, kind)
    if kind == "condition" and op == "list" and not ask.targets and not ask.state and _PRESENT.search(s):
        ask = ask if _EVER.search(s) else replace(ask, state="active", current=True)
    if ask.nth and op in ("latest", "list", "when", "on"):
        op = "first"
    return replace(ask, op=op, expects=_expects(op, yes_no, asks_when, kind))


def _person(ask: Ask, s: str, asks_when: bool) -> Ask:
    attribute = ask.attribute
    dead = re.search(r"\b(death|die|died|dead|deceased|dod|passed away|pass away|expired)\b", s)
    if dead and re.search(r"\b(how old|age)\b", s):
        attribute = "age"
    elif dead and attribute != "date of birth":
        attribute = "deceased"
    expects: Any = {
        "date of birth": "date",
        "age": "number",
        "deceased": "date" if asks_when or re.search(r"\bdod\b", s) else "bool",
    }.get(attribute, "text")
    return replace(ask, op="attribute", attribute=attribute, expects=expects)


def _measurement(ask: Ask, s: str, yes_no: bool) -> Op:
    if not ask.targets:
        return ask.op if ask.op in ("abnormal", "count", "count_by_year") else "list"
    if ask.op not in NUMERIC and (edge := _edge(ask, s, yes_no)):
        return edge
    if ask.anchor and ask.op not in NUMERIC | {"count", "first"}:
        return "closest" if ask.anchor.relation in ("closest", "at") else "latest"
    if ask.op in ("count", "count_by_year"):
        return ask.op
    if compared := _compared(ask, s, yes_no):
        return compared
    if ask.op in NUMERIC | {"first", "previous", "abnormal"}:
        return ask.op
    if ask.window and is_day(ask.window):
        return "on"
    if ask.op in ("duration", "dose", "reason", "ended", "find"):
        return ask.op
    if yes_no and re.search(r"\b(any|ever|has|have|had|been|did)\b", s) and not ask.current:
        return "exists"
    if ask.op == "started":
        return "first"
    if ask.op in ("latest", "when", "describe") or re.search(_LAST, s) or (ask.window and ask.window.low is None):
        return "latest"
    every = re.search(r"\b(all|list|every|each|history|values|results|readings|measurements)\b", s)
    return "list" if every or ask.window else "latest"


def _edge(ask: Ask, s: str, yes_no: bool) -> Op | None:
    """ "Was it low during the admission?" asks for the lowest of that time; of now the latest and its flag tell."""
    found = re.search(r"\b(low|high|elevated|raised)\b", s)
    if ask.threshold and yes_no and ask.op != "count" and (ask.anchor or ask.window) and _HAS_BEEN.search(s):
        return "highest" if ask.threshold[0].startswith(">") else "lowest"
    long = ask.anchor or (ask.window and not is_day(ask.window)) or re.search(r"\bever\b", s)
    if not found or not long or not (yes_no or re.search(r"\bever\b", s)) or ask.threshold:
        return None
    return "lowest" if found.group() == "low" else "highest"


_HAS_BEEN = re.compile(r"\b(?:has|have|had|been|was|were|did|go|gone|went)\b")


def _compared(ask: Ask, s: str, yes_no: bool) -> Op | None:
    """The operation of a question about a change, a distance in time, or a limit; None for any other."""
    itself = ask.anchor and any(t.lexicon == ask.anchor.target.lexicon for t in ask.targets)  # "since the last weight"
    timed = (ask.window or ask.anchor) and not ask.against
    if ask.op in ("change", "compare") and timed and not ask.threshold and not itself:
        return "change"
    if ask.op == "change" and yes_no and ask.direction in ("higher", "lower"):
        return "compare"
    if ask.op == "duration" and _BETWEEN.search(s):
        return "interval"
    ever = re.search(r"\b(ever|any|anytime)\b", s)
    several = ask.window or re.search(r"\b(?:which|list|all|show|every|what)\b", s)
    if ask.threshold and several and not yes_no and not ever and not re.search(_LAST, s):
        return "list" if ask.op in ("list", "latest") else ask.op
    if not ask.threshold or (ask.op in ("latest", "first") and _ASKS_WHEN.search(s)):
        return ask.op if ask.threshold else None
    return "latest" if not ever else "highest" if ask.threshold[0].startswith(">") else "lowest"


_TWO = r"(?:last|latest|most recent) (?:two|2)"
_BETWEEN = re.compile(rf"\bbetween\b.*\b{_TWO}\b|\b{_TWO}\b.*\bapart\b|\bapart\b.*\b{_TWO}\b")
_ADJUSTS = re.compile(
    r"\b(?:chang|increas|decreas|reduc|rais|lower|adjust|titrat|uptitrat)\w*|\b(?:up|down)\b|\bwhat doses\b"
    r"|\bdos\w+ (?:history|over)"
)
_RECORDED = re.compile(r"\b(?:order|prescri|given|dispens|fill|refill|administ|start|stop|record|times)\w*")


def is_day(window: Window) -> bool:
    """Whether it is one calendar day."""
    return window.low is not None and window.high is not None and (window.high - window.low).days == 1


def _medication(ask: Ask, s: str, yes_no: bool, asks_when: bool) -> Op:
    if ask.purpose:
        return "list"
    if ask.targets and _ADJUSTS.search(s) and (re.search(r"\bdos\w+", s) or ask.op in ("change", "compare")):
        return "change"
    if ask.op == "count" and ask.targets and re.search(r"\bhow many m\d (?:is|are|does|do)\b", s):
        return "taking"
    if ask.op == "count" and re.search(r"\bhow (?:often|frequently)\b", s) and not _RECORDED.search(s):
        return "dose"
    if ask.op in ("count", "count_by_year", "dose", "reason", "duration", "ended", "find"):
        return ask.op
    if ask.targets and (asks_when or ask.op in ("started", "first")) and not yes_no:
        started = re.search(r"\b(start|began|first|initiat|since|how far)\w*", s)
        last = ask.op in ("latest", "previous") or re.search(_LAST, s)
        return "latest" if last and not started else "started"
    if ask.anchor or (ask.window and not ask.current):
        return "list" if not ask.targets else "exists"
    if not ask.targets:
        return ask.op if re.search(_ANY, s) and ask.op in ("latest", "first", "previous") else "list"
    past = re.search(r"\b(ever|tried|been|used to|previous\w*|prior|history|past|had|was|were|did)\b", s)
    if (
        past
        and not re.search(r"\b(currently|current|still|now|taking|active|today|presently)\b", s)
        and (yes_no or cues.VERBS_FIRST.search(s) or re.search(r"\b(ever|tried|prior|history|past)\b", s))
    ):
        return "exists"
    if ask.op == "latest" and re.search(_LAST, s) and not yes_no:
        return "latest"
    return "taking"


def _event(ask: Ask, s: str, yes_no: bool, asks_when: bool, kind: Kind) -> Op:
    if kind == "encounter" and re.search(r"\btotal (?:m\d|$)|\btotal$", s):
        return "count"
    if ask.op in ("age_at", "count", "count_by_year", "reason", "duration", "describe", "find"):
        return ask.op
    if ask.op == "ended" or (asks_when and re.search(r"\b(resolv\w*|discharged?|end(ed)?|abat\w*)\b", s)):
        return "ended"
    if yes_no and ask.targets and ask.op in ("first", "started", "latest", "list", "previous"):
        return "status" if kind == "condition" and ask.state else "exists"
    if kind == "condition" and ask.targets:
        if asks_when or ask.op in ("started", "first"):
            return "latest" if re.search(_LAST, s) else "first"
        return "status" if ask.state or re.search(r"\bstatus\b", s) else "exists"
    every = r"\b(were|dates|all|each|every)\b" + (
        r"|\bdid\b.*\bhave\b" if kind == "imaging" and not ask.targets else ""
    )
    if asks_when and re.search(every, s) and not re.search(_ANY, s):
        return "list"
    if (
        not ask.targets
        and not asks_when
        and re.search(_EARLIER, s)
        and not re.search(r"\b(last|latest|most recent|first)\b", s)
    ):
        return "list"
    if asks_when or re.search(_ANY, s):
        begun = ask.op == "started" and not re.search(_LAST, s)
        return ask.op if ask.op in ("first", "previous") else "first" if begun else "latest"
    if ask.targets:
        return "exists" if kind == "allergy" or yes_no or kind in ("immunization", "procedure", "family") else "list"
    return "list"


def _expects(op: Op, yes_no: bool, asks_when: bool, kind: Kind | None) -> Any:
    if op in ("count", "mean", "change", "age_at"):
        return "number"
    if op in ("compare", "exists", "taking", "status", "order"):
        return "bool"
    if asks_when or op in ("started", "ended"):
        return "date"
    if op in ("latest", "first", "previous", "highest", "lowest", "on", "closest"):
        if kind in ("measurement", "social"):
            return "bool" if yes_no else "number"
        return "date"
    return {"list": "set"}.get(op, "text")
