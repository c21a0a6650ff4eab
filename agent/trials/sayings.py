"""What protocols say in words that everybody uses: numbers, units, "of whatever cause", "expecting a child".

Left out is only what limits nothing. Read before the turns of phrase that only protocols have (`rewording`).
"""

from __future__ import annotations

import re

__all__ = ["said_plainly"]

_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)} | {
    "fourty": 40
}
_ONES = {w: n for n, w in enumerate("one two three four five six seven eight nine".split(), 1)}
_IN_WORDS = re.compile(rf"\b({'|'.join(_TENS)})(?:[-\s]({'|'.join(_ONES)}))?\b(?!-)", re.IGNORECASE)
"""A number from twenty on: "at least forty-five years old"."""
_UNIT = re.compile(r"(?<=\d)(\s*)(ms|mm)\b(?! ?\[?Hg)")
"""Milliseconds and millimetres after a number, in small letters, which are abbreviations of diseases as well."""
_UNITS = {"ms": "msec", "mm": "millimetres"}
_HAS_TO = re.compile(
    r"^((?:participants|subjects|patients|volunteers|individuals)) (?:(?:have|has|need|needs) to be|must be)\b|"
    r"^((?:participants|subjects|patients|volunteers|individuals)) (?:need|needs|(?:have|has|need|needs) to have)\b",
    re.IGNORECASE,
)


_BOUND = r"(?:under|below|less than|lower than|<|≤|over|above|more than|higher than|>|≥|at least|at most|up to)"
_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        (r"\s*[,(]\s*(?:both )?(?:limits|ends|bounds) (?:are )?included\)?(?=\W*$| when| at| on)", ""),
        (r"\s*,?\s*however long ago\b|(?<=\w) so far(?=\W*$)|,? past or present(?=\W*$)", ""),
        (r"\bof (?:whatever|whichever) (?:cause|origin|stage|type|severity|duration)\b", ""),
        (r"\b(?:treated or untreated|untreated or treated) (?=\w)|,? (?:whether )?treated or (?:not|untreated)\b", ""),
        (
            r"\bamong (?:the|his|her|their) (?:current|present) (?:medicines|medications|drugs|treatments)\b",
            "currently",
        ),
        (r"^((?:uses?|takes?|taking|on|using) .{3,60}?) (?:now|at present|at the moment)(?=\W*$| \()", r"current \1"),
        (
            r"\b(?:a |the |an )?(?:constant|same|unaltered|unchanged) dose (?=(?:over|for|during|in|since) )",
            "stable dose ",
        ),
        (r"\bwith no (?:alteration|change) of dose\b", "at a stable dose"),
        (r"\bnot expecting a child\b", "not pregnant"),
        (r"\bexpecting a child\b", "pregnant"),
        (r"\b(?:an? )?pregnancy (?:that )?(?:has |had )?end(?:ed|ing|s)? in (?:an? )?(?=miscarriage|stillbirth)", ""),
        (
            rf"\bblood pressure ({_BOUND} ?\d+)(?: ?mm ?hg)? systolic (and|or) "
            rf"({_BOUND} ?\d+)(?: ?mm ?hg)? diastolic\b",
            r"systolic blood pressure \1 mmHg \2 diastolic blood pressure \3 mmHg",
        ),
    )
)
"""Turns that limit nothing, and plain words for others."""


def _in_digits(m: re.Match[str]) -> str:
    return str(_TENS[m[1].lower()] + (_ONES[m[2].lower()] if m[2] else 0))


def said_plainly(text: str) -> str:
    """Numbers in digits, units that no disease is called by, and what somebody must be as what they are."""
    text = _UNIT.sub(lambda m: f"{m[1] or ' '}{_UNITS[m[2]]}", _IN_WORDS.sub(_in_digits, text))
    for pattern, instead in _SAYINGS:
        text = pattern.sub(instead, text)
    return _HAS_TO.sub(lambda m: f"{m[1]} are" if m[1] else f"{m[2]} with", text)
