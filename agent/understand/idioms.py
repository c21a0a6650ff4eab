"""Everyday ways of asking, in the words that the cues know; and what a summary answers better than a question does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

__all__ = ["about_to_do", "spoken", "summary_of"]

_WHO = r"(?:he|she|they|the patient|(?:the |this )?pt)"
_SEASON_STARTS = 7
"""July: a season of influenza runs from then on (CDC's surveillance weeks start in autumn, vaccines come from July)."""

_IDIOMS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        (rf"\b(was|were|is|been) {_WHO} (last |ever |recently )?in (?:the )?hospital\b", r"\1 the patient \2admitted"),
        (rf"\b({_WHO} (?:been|was|is|were)) (last |ever |recently )?in (?:the )?hospital\b", r"\1 \2admitted"),
        (rf"^((?:has|have|had) {_WHO}) (?:had any|fallen|had a) ?falls?\b", r"\1 any history of falls"),
        (
            rf"^(?:has|have|did|does|any) (?:{_WHO} )?(?:ever )?(?:had |have )?(?:any )?"
            r"(?:falls|fallen|a fall|fall)\b(?=\W*$)",
            "any history of falls",
        ),
        (r"\b(?:diabet\w+|glyca?emic|blood sugar|sugar|glucose) control\b", "A1c"),
        (
            r"\b(is|are|was|has) (her|his|the) (?:diabetes|sugars?) (?:been )?(?:well )?controlled\b",
            r"\1 \2 A1c controlled",
        ),
        (
            rf"\bhow(?:'s| is| has| have|s) (?!{_WHO}\b)(.+?) been"
            r"(?: doing| running| looking| lately| recently)*(?=\W*$| since\b)",
            r"trend of \1",
        ),
        (r"\bwhat(?:'s| is| has|s) (?!the\b)(.+?) been (?:doing|running|like)\b", r"trend of \1"),
        (
            rf"\bwhen (?:was|were) {_WHO} (?:last )?discharged\b(?: from (?:the )?hospital)?",
            "when did the last admission end",
        ),
        (r"\b(?:food|drug|medication|medicine) allerg(?:y|ies)\b", "allergies"),
        (
            r"\ballerg(?:y|ies|ic) to (?:any )?(?:foods?|drugs?|meds|medications?|medicines?)\b"
            r"(?: (?:or|and) (?:any )?(?:foods?|drugs?|meds|medications?|medicines?))?",
            "allergies",
        ),
        (r"\b(?:still )?losing weight\b", "weight going down"),
        (r"\b(?:still )?gaining weight\b", "weight going up"),
        (r"\bfamily (?:history|hx|h/o) of (cancers?|malignanc\w+)\b", r"\1 in the family"),
        (
            r"^((?:the |his |her |last |latest )*[\w -]*"
            r"(?:oscopy|biopsy|ultrasound|x-?ray|scan|echo\w*|mri|ct|egd|ecg|ekg)) (?:results?|findings?)\W*$",
            r"what did \1 show",
        ),
        (rf"\b(?:any chance|chances?) (?:that )?({_WHO})(?:'s| is| has)\b", r"is \1"),
        (r"\b(?:any chance|chances?) (?:that )?(she|he)s\b", r"is \1"),
    )
)
_SEASON = re.compile(r"\b(?:for |in )?this (?:flu )?(?:season|winter)\b", re.IGNORECASE)
_VACCINE = re.compile(
    r"\b(?:flu|influenza|covid\S*)\b.*\b(?:shot|vaccin\w*|jab|immuni[sz]\w+)\b|\b(?:flu|covid) ?(?:shot|jab)\b",
    re.IGNORECASE,
)


_HINTS = re.compile(
    r"hospital|fall|control|\bbeen\b|chance|discharge|cancer|malignan|result|finding|allerg|weight|season|winter",
    re.IGNORECASE,
)
"""A word of each idiom: most questions have none of them."""


def spoken(question: str, as_of: date) -> str:
    """The question with its idioms written out; "this season" of a vaccine is since July."""
    if not _HINTS.search(question):
        return question
    for pattern, instead in _IDIOMS:
        question = pattern.sub(instead, question, count=1)
    if _SEASON.search(question) and _VACCINE.search(question):
        year = as_of.year if as_of.month >= _SEASON_STARTS else as_of.year - 1
        question = _SEASON.sub(f"since {year}-{_SEASON_STARTS:02}-01", question, count=1)
    return question


_PERSON = r"(?:patient|pt|chart|case|lady|gentleman|man|woman|person)"
_PATIENT = rf"(?:(?:this|the|my|our) {_PERSON}|him|her|them|(?:mr|mrs|ms)\.? \w+)"
_CHART = rf"(?:{_PATIENT}|(?:his|her|the) (?:chart|record|history|case))"
_LAST_VISIT = (
    r"(?:the |his |her |their |my |our )?(?:last|previous|most recent) "
    r"(?:\w+ )?(?:visit|appointment|encounter|consult(?:ation)?|time|review)(?: here)?"
)
_NOUN = r"(?:summary|overview|snapshot|recap|synopsis|one-?liner|rundown)"
_FILL_IN = (
    r"(?:tell me|what do (?:i|we) (?:need|have) to know|what should i know|fill me in|brief me|catch me up|"
    r"bring me up to (?:speed|date))"
)
_SUMMARIES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"^\W*(?:please |can you |could you )?(?:{pattern})\W*(?:please|pls)?\W*$", re.IGNORECASE))
    for kind, pattern in (
        (
            "since-last-visit",
            r"(?:what(?:'s| is| has|s)?|anything|has anything|did anything|show(?: me)? what(?:'s| has)?) (?:is )?"
            r"(?:changed?|(?:been )?new|happened|different|gone on)(?: (?:with|for|to) \w+)? since " + _LAST_VISIT,
        ),
        (
            "snapshot",
            rf"(?:give me )?(?:an? |the )?(?:quick |brief |short |patient |chart |clinical )*{_NOUN}"
            rf"(?: (?:of|on|for|about) {_CHART})?|{_FILL_IN}(?: (?:about|on|with))?(?: {_PATIENT})?"
            rf"|summari[sz]e(?: {_CHART})?|who is (?:this|the) (?:patient|pt)"
            r"|what(?:'s| is) (?:going on|the story) with (?:this patient|him|her)",
        ),
    )
)


def summary_of(question: str) -> str:
    """The kind of summary (`chartline summary --kind`) that a question asks for; empty where it asks something else."""
    return next((kind for kind, pattern in _SUMMARIES if pattern.match(question)), "")


_ABOUT_TO_DO = re.compile(
    r"\b(?:(?:can|could|may) (?:i|we) (?:safely |still |just |now )?"
    r"|(?:ok|okay|safe|fine|alright|all right|reasonable) (?:for (?:me|us) )?to )"
    r"(?:give(?! (?:me|us)\b)|start|stop|use|prescribe|restart|increase|decrease|combine|add|continue|hold|switch|"
    r"transfuse|anticoagulate|discharge)\b",
    re.IGNORECASE,
)


def about_to_do(question: str) -> str:
    """The words that ask whether something may be done, which no record answers; empty where none do."""
    found = _ABOUT_TO_DO.search(question)
    return found.group() if found else ""
