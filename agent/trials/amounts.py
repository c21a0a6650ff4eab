"""Comparisons with numbers in criteria: sign, number, unit, ranges; and blood pressures, which are two numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.trials.checks import Limit, Sign
from fhir_tools import units

__all__ = ["Amount", "amounts", "levelled"]

_NUMBER = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,15})?|\d{1,15}(?:\.\d{1,15})?|\.\d{1,15}"
_WORDS: dict[Sign, str] = {
    ">=": r"≥|>\s*(?:/\s*)?=|=\s*>|⩾|≧|(?:greater than|more than|higher than|above|over) or equal(?: to)?|equal to or (?:greater|more|higher|above|over)(?: than)?"
    r"|reached|attained|at least|no less than|not less than|no lower than|not lower than|not below|a minimum(?: age)? of|minimum(?: age)?(?: of)?",
    "<=": r"≤|<\s*(?:/\s*)?=|=\s*<|⩽|≦|(?:less than|lower than|below|under) or equal(?: to)?|equal to or (?:less|lower|below|under)(?: than)?|at most"
    r"|no (?:more|greater|higher|older) than|not (?:more|greater|higher|older) than|not (?:to exceed|exceeding|exceed|above|over)|up to(?: and including)?|a maximum(?: age)? of|maximum(?: age)?(?: of)?",
    ">": r">|＞|greater than|more than|higher than|larger than|above|over|exceeding|exceeds?|in excess of|older than",
    "<": r"<|＜|less than|lower than|smaller than|below|under|fewer than|younger than",
    "=": r"=|equal to|equals",
}
_SIGN = "|".join(f"(?P<s{i}>{words})" for i, words in enumerate(_WORDS.values()))
_SIGNS = tuple(_WORDS)
_AFTER: dict[Sign, str] = {
    ">=": r"(?:,?\s*(?:or|and)\s+(?:more|greater|higher|above|over|older|up|upwards?|beyond)|\s*\+(?!\s*\d))(?!\s+than)",
    "<=": r",?\s*(?:or|and)\s+(?:less|lower|below|under|fewer|younger)(?!\s+than)",
}
_GROUP = r"(?:(?:the\s+)?ages?\s+(?:of\s+)?|of|is|was|being|level|value|score|count|a|an|the|:)\s*"
_ULN = r"(?:(?:times|x|×|\*)\s*)?(?:the\s+)?(?:institutional\s+|local\s+|laboratory\s+)*(?:upper\s+limits?\s+of\s+(?:the\s+)?normal(?:\s+range)?|ULN)(?:\s*\(ULN\))?"
_LLN = r"(?:(?:times|x|×|\*)\s*)?(?:the\s+)?(?:institutional\s+|local\s+|laboratory\s+)*(?:lower\s+limits?\s+of\s+(?:the\s+)?normal(?:\s+range)?|LLN)(?:\s*\(LLN\))?"
_UNITS = (
    (re.compile(_ULN, re.I), "ULN"),
    (re.compile(_LLN, re.I), "LLN"),
    (
        re.compile(
            r"m[lL]\s*(?:/|per)\s*min(?:ute)?\s*(?:/|per)\s*1\.73\s*-?\s*(?:m\s*\^?\s*(?:2|²)|sq(?:uare)?\.?\s*m(?:eters?)?|m2)?",
            re.I,
        ),
        "mL/min/{1.73_m2}",
    ),
    (re.compile(r"(?:mm|millimeters? of)\s*\[?(?:hg|mercury)\]?", re.I), "mm[Hg]"),
    (
        re.compile(r"(?:kg|kilograms?)\s*(?:/|per)\s*(?:m\s*\^?\s*(?:2|²)|square\s+met(?:er|re)s?|sq\.?\s*m)", re.I),
        "kg/m2",
    ),
    (re.compile(r"(?:beats|breaths)\s*(?:/|per)\s*min(?:ute)?s?|bpm\b", re.I), "/min"),
    (re.compile(r"%|percent\b|per\s?cent\b", re.I), "%"),
    (
        re.compile(
            r"(?:cells?|platelets|neutrophils|copies)?\s*(?:/|per)\s*(?:cubic millimet(?:er|re)|mm\s*\^?\s*(?:3|³)|cu\.?\s*mm)",
            re.I,
        ),
        "/mm3",
    ),
    (re.compile(r"(?:(?:cells?|platelets|copies)\s*)?(?:/|per)\s*(?:microlit(?:er|re)|[uµμ]\s?l|mcl)\b", re.I), "/uL"),
    (
        re.compile(
            r"(?:x|×|\*)?\s*10\s*\^?\s*(?:9|⁹)\s*(?:cells?\s*)?(?:/|per\s+)\s*lit(?:er|re)|(?:(?:x|×|\*)\s*)?10\s*[\^*]?\s*(?:9|⁹)\s*(?:cells?\s*)?/\s*l\b",
            re.I,
        ),
        "10*9/L",
    ),
    (
        re.compile(
            r"(?:(?:x|×|\*)\s*)?10\s*[\^*]?\s*(?:3|³)\s*(?:cells?\s*)?/\s*(?:[uµμ]l|mcl|mm\s*\^?\s*(?:3|³))", re.I
        ),
        "10*3/uL",
    ),
    (
        re.compile(
            r"(?:(?:x|×|\*)\s*)?10\s*[\^*]?\s*(?:6|⁶)\s*(?:cells?\s*)?/\s*(?:[uµμ]l|mcl|mm\s*\^?\s*(?:3|³))", re.I
        ),
        "10*6/uL",
    ),
    (re.compile(r"(?:x|×|\*)\s*10\s*\^?\s*(?:12|¹²)\s*/\s*l\b", re.I), "10*12/L"),
    (re.compile(r"(?:degrees?|deg\.?|°)\s*c(?:elsius|entigrade)?\b", re.I), "Cel"),
    (re.compile(r"(?:degrees?|deg\.?|°)\s*f(?:ahrenheit)?\b", re.I), "[degF]"),
    (re.compile(r"years?(?:\s*\(s\))?|yrs?\b|y/?o\b|y\b(?!/)", re.I), "years"),
    (re.compile(r"months?\b|mos?\b", re.I), "months"),
    (re.compile(r"weeks?\b|wks?\b", re.I), "weeks"),
    (re.compile(r"days?\b", re.I), "days"),
    (re.compile(r"hours?\b|hrs?\b", re.I), "hours"),
    (re.compile(r"m(?:illi)?sec(?:ond)?s?\b|ms\b", re.I), "ms"),
    (re.compile(r"(?:milligrams?|mg)\s*(?:/|per)\s*(?:decilit(?:er|re)s?|dl)\b", re.I), "mg/dL"),
    (re.compile(r"(?:grams?|g)\s*(?:/|per)\s*(?:decilit(?:er|re)s?|dl)\b", re.I), "g/dL"),
    (re.compile(r"(?:millimoles?|mmol)\s*(?:/|per)\s*(?:lit(?:er|re)s?|l)\b", re.I), "mmol/L"),
    (re.compile(r"(?:micromoles?|[uµμ]mol)\s*(?:/|per)\s*(?:lit(?:er|re)s?|l)\b", re.I), "umol/L"),
)
_GENERIC = re.compile(r"[A-Za-zµμ°/\[][^\s,;()]{0,20}(?:\s*/\s*[A-Za-z][^\s,;()]{0,12})?")
_COUNTED = re.compile(r"\(?s\)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """`text[start:end]` compares; `low` and `high` are the limits it sets (both for a range), `second` the diastolic.

    `bare` is a number without a comparison, of use only where a sign stands elsewhere.
    """

    start: int
    end: int
    limits: tuple[Limit, ...]
    second: tuple[Limit, ...] = ()


def levelled(text: str) -> str:
    """The text, letter for letter, with one dash, blank and apostrophe; offsets stay."""
    return text.translate(_LEVEL)


_LEVEL = str.maketrans("–—‐‑−\u00a0\u2009\u202f’‘“”", "-----   ''\"\"")
_BETWEEN = re.compile(
    rf"(?:(?P<lead>between(?:\s+(?:the\s+)?ages?(?:\s+of)?)?|from|range(?:\s+of)?|ranging(?:\s+from)?|in\s+the\s+range(?:\s+of)?)\s*|\s?)"
    rf"(?:(?P<sign>>=?|≥)\s*)?(?P<a>{_NUMBER})(?P<ua>[^\d]{{0,24}}?)"
    rf"\s*(?P<link>-|to|and|through|thru|until)\s*(?:(?P<sign2><=?|≤)\s*)?(?P<b>{_NUMBER})(?![\d/])",
    re.IGNORECASE,
)
_PRESSURE = re.compile(
    rf"(?:(?P<lead>{_SIGN})\s*)?(?P<a>\d{{2,3}})\s*/\s*(?P<b>\d{{2,3}})\s*(?:mm\s*hg)?(?P<or>{_AFTER['>=']}|{_AFTER['<=']})?",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    rf"(?<![\w])(?:{_SIGN})\s*(?:{_GROUP})?(?P<n>-?(?:{_NUMBER}))(?!\d|(?:st|nd|rd|th)\b)", re.IGNORECASE
)
_TAILED = re.compile(rf"(?<![\w.,/^])(?P<n>{_NUMBER})(?!\d|(?:st|nd|rd|th)\b)", re.IGNORECASE)
_SYMBOL = re.compile(rf"(?:{_SIGN})\s*(?P<n>{_NUMBER})", re.IGNORECASE)


def amounts(text: str, *, pressure: bool = False) -> list[Amount]:
    """The comparisons of a text in order, without overlap. `text` is `levelled`.

    `pressure`: whether a blood pressure is spoken of, so that `140/90` is one.
    """
    found: list[Amount] = []
    for reader in ((_pressures,) if pressure else ()) + (_ranges, _signed, _tailed):
        taken = [(a.start, a.end) for a in found]
        found += [a for a in reader(text) if not any(a.start < e and s < a.end for s, e in taken)]
    return sorted(found, key=lambda a: a.start)


def _pressures(text: str) -> Iterator[Amount]:
    for m in _PRESSURE.finditer(text):
        sign = _sign(m) or next((s for s, p in _AFTER.items() if m["or"] and re.fullmatch(p, m["or"], re.I)), None)
        if sign:
            top, bottom = (Limit(sign=sign, value=float(m[k]), unit="mm[Hg]") for k in "ab")
            yield Amount(start=m.start(), end=m.end(), limits=(top,), second=(bottom,))


def _ranges(text: str) -> Iterator[Amount]:
    for m in _BETWEEN.finditer(text):
        unit_a, rest = _unit(text, m.end("a"))
        if m["ua"].strip() and text[rest : m.start("link")].strip():
            continue
        unit, end = _unit(text, m.end("b"))
        lead = (m["lead"] or "").lower()
        if (m["link"].lower() == "and" and not lead.startswith("between")) or not (
            unit or unit_a or lead or m["sign"] or _is_level(m)
        ):
            continue
        if ((before := text[: m.start("a")].rstrip()[-1:]) and before in "/^.") or (
            m.start() and text[m.start("a") - 1].isalnum()
        ):
            continue
        low = Limit(sign=">" if m["sign"] == ">" else ">=", value=_value(m["a"]), unit=unit_a or unit)
        high = Limit(sign="<" if m["sign2"] == "<" else "<=", value=_value(m["b"]), unit=unit or unit_a)
        if low.value < high.value or low.unit != high.unit:
            yield Amount(start=m.start(), end=_inclusive(text, end), limits=(low, high))


def _is_level(m: re.Match[str]) -> bool:
    """Whether two bare numbers can be a range of a result: neither part of a name ("COVID-19") nor a stage."""
    return bool(
        re.search(
            r"(?:of|is|:|=|\bage[ds]?|\bages|bmi|score|level|ratio|fraction|status|ecog|ps|ph|inr|[a-z]1c|\))\s*$",
            m.string[: m.start()],
            re.I,
        )
    )


def _signed(text: str) -> Iterator[Amount]:
    for m in _SIGNED.finditer(text):
        sign = _sign(m)
        unit, end = _unit(text, m.end("n"))
        if sign:
            yield Amount(
                start=m.start(),
                end=_inclusive(text, end),
                limits=(Limit(sign=sign, value=_value(m["n"]), unit=unit),),
            )


_STAGED = re.compile(r"\b(?:stages?|class|grade|type|phase|category|level|G)\s*$", re.IGNORECASE)
"""Words behind which a number is a name: "stage 3 or higher" is no comparison."""


def _tailed(text: str) -> Iterator[Amount]:
    """A number whose sign comes behind it: `40 % or more`, `18 years and older`, `60+`."""
    for m in _TAILED.finditer(text):
        unit, end = _unit(text, m.end("n"))
        if _STAGED.search(text[: m.start()]):
            continue
        rest = text[end:]
        age = re.match(r"\s*(?:of age|old)\b", rest, re.I)
        tail = rest[age.end() :] if age else rest
        for sign, pattern in _AFTER.items():
            if after := re.match(pattern, tail, re.I):
                end = len(text) - len(tail) + after.end()
                yield Amount(
                    start=m.start(),
                    end=_inclusive(text, end),
                    limits=(Limit(sign=sign, value=_value(m["n"]), unit=unit),),
                )


def _sign(m: re.Match[str]) -> Sign | None:
    return next((sign for i, sign in enumerate(_SIGNS) if m[f"s{i}"]), None)


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _unit(text: str, at: int) -> tuple[str, int]:
    """The unit that follows a number, and where it ends; empty where none does."""
    start = at + len(text[at:]) - len(text[at:].lstrip(" -"))
    if start - at > 2:
        return "", at
    for pattern, unit in _UNITS:
        if m := pattern.match(text, start):
            return unit, m.end()
    found = _GENERIC.match(text, start)
    if found:
        for words in (found[0], found[0].split()[0]):
            bare = words.rstrip(".:")
            if ("/" in bare or bare in _PLAIN) and units.canonical(bare, None):
                return bare, start + len(bare)
    return "", at


_PLAIN = frozenset(
    (
        "kg",
        "g",
        "mg",
        "cm",
        "mm",
        "m",
        "lb",
        "lbs",
        "pounds",
        "U",
        "IU",
        "mL",
        "L",
        "s",
        "seconds",
        "points",
        "point",
        "fL",
        "pg",
        "°C",
        "°F",
        "C",
        "F",
        "mEq",
        "units",
        "ng",
        "mcg",
    )
)


def _inclusive(text: str, end: int) -> int:
    found = re.match(r"\s*(?:,\s*)?(?:\(\s*)?(?:inclusive(?:ly)?|both inclusive)\s*\)?", text[end:], re.I)
    return end + found.end() if found else end
