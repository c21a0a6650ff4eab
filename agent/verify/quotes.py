"""Words taken from a document: literal quotes, and words that only a document's span holds, with their polarity."""

from __future__ import annotations

import re
from typing import Literal

from agent.types import AGAINST, Ask
from agent.verify.chart import Chart, tokens
from agent.verify.facts import Fault
from agent.verify.reading import Reading
from agent.verify.told import normal
from agent.verify.words import NEGATION, RELATIVE, UNCERTAIN
from agent.vision.terms import term_of
from fhir_tools import wording
from fhir_tools.documents import Document, find
from fhir_tools.documents.times import times
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Mark, Span

__all__ = ["Told", "polarity", "quotation", "quoted", "spoken"]

Told = Literal["plain", "negated", "uncertain", "relative"]

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_BREAK = re.compile(r"\b(?:but|however|except|although)\b")


def polarity(text: str, start: int, end: int) -> Told:
    """How a document tells `text[start:end]`: as it is, negated, uncertain or about a relative, by its sentence.

    Cues before the words count up to the start of the sentence or a "but"; cues behind them only right behind.
    """
    low = normal(text)
    begin = max((m.end() for m in _SENTENCE.finditer(low, 0, start)), default=0)
    begin = max((m.end() for m in _BREAK.finditer(low, begin, start)), default=begin)
    finish = next((m.start() for m in _SENTENCE.finditer(low, end)), len(low))
    before, after = low[begin:start], low[end : min(finish, end + 40)]
    if RELATIVE.search(before) or re.match(r"[\s,]*(?:in|of) (?:his|her|the|their)?\s*" + RELATIVE.pattern, after):
        return "relative"
    if NEGATION.search(before) or re.match(
        r"[\s,:]*(?:is|was|are|were|has been)?\s*(?:not |absent|ruled out|denied|negative|excluded|none)", after
    ):
        return "negated"
    if UNCERTAIN.search(before) or re.match(
        r"\s*\?|[\s,:]*(?:is|was)?\s*(?:possible|suspected|unlikely|likely|not excluded|cannot be excluded)", after
    ):
        return "uncertain"
    return "plain"


def quoted(reading: Reading, chart: Chart, named: tuple[str, ...]) -> tuple[tuple[str, ...], Fault | None]:
    """The marks that hold each quote of the claim literally and tell it in the way that the claim does."""
    chosen: list[str] = []
    for quote in reading.quotes:
        places = [(m, p) for m in _ordered(chart, named) if (p := _place(m, quote)) is not None]
        if not places:
            return (), Fault(kind="quote", reason="the quoted words do not stand in the document")
        fitting = [m.id for m, told in places if _says(reading, told)]
        if not fitting:
            return (), Fault(kind="quote", reason="the quoted words are negated, uncertain or about a relative")
        chosen.append(fitting[0])
    return tuple(dict.fromkeys(chosen)), None


_QUOTATION = re.compile(
    r"(?:(?P<kind>.+?), (?P<day>undated|\d{4}[\d-]*)(?P<other>, says otherwise)?|"
    r"(?P<on>undated|\d{4}[\d-]*) (?P<of>.+?))"
    r': "(?P<quote>.+)"(?: \((?P<told>[^()"]+)\))?\.?'
)
"""A document quoted as rules quote it, or as its card does: its kind, its day, the words, and what is made of them."""


def quotation(text: str, ask: Ask, chart: Chart) -> str | Fault | None:
    """The mark of a quote that is told whole with its document and day; None where the claim is no such quote.

    The words must stand in the document at the mark's offset, character for character, and be meant there as is told:
    the document is read again for what it says of the subject, in its section.
    """
    found = _QUOTATION.fullmatch(text)
    mark = next((m for m in chart.marks.values() if _is_quoted(m, found)), None) if found else None
    if found is None or mark is None or mark.span is None or mark.document is None:
        return None
    if mark.document.text[mark.span.start : mark.span.end] != mark.span.quote:
        return Fault(kind="quote", reason="the quoted words do not stand in the document at their offset")
    if found["other"] and chart.card_of[mark.id].title != AGAINST:
        return Fault(kind="quote", reason="nothing shows that the document says otherwise")
    told = set(found["told"].split("; ")) if found["told"] else set()
    if not told <= _tellable(mark.document, mark.span, ask) or not _is_meant(mark.document, mark.span, ask, told):
        return Fault(kind="quote", reason="the quoted words are not meant in the way that is told")
    return mark.id


def _is_quoted(mark: Mark, found: re.Match[str]) -> bool:
    if mark.span is None or mark.fact is None or " ".join(mark.span.quote.split()) != found["quote"]:
        return False
    kind = " ".join(wording.label(mark.fact.concept).split())
    told = (found["kind"] or found["of"]).casefold(), found["day"] or found["on"]
    return told == (kind.casefold(), wording.day_text(mark.fact.when))


def _tellable(document: Document, span: Span, ask: Ask) -> set[str]:
    """All that may be told behind a quote: what the document makes of the subject, days it tells, who read it."""
    days = {f"that is {t.on}" for t in times(span.quote, document.fact.when) if t.on}
    return {*_assertions(document, span, ask), *days, f"read by {document.read_by(span)}"}


def _is_meant(document: Document, span: Span, ask: Ask, told: set[str]) -> bool:
    """Whether a quote that is told as it stands is affirmed there, of what the question is about."""
    meant = _assertions(document, span, ask)
    return bool(told & meant) or not meant or "affirmed" in meant


def _assertions(document: Document, span: Span, ask: Ask) -> set[str]:
    """How a stretch of a document tells what the question is about."""
    known = [lexicon().by_id(kind, name) for t in ask.targets for kind, name in t.lexicon]
    terms = [t.words for t in ask.targets] + [term for e in known if e for term in e.terms]
    terms += [ask.look.finding, *term_of(ask.look.finding).names] if ask.look and ask.look.finding else []
    found = find((document,), terms)
    return {f.assertion for f in found if f.span.start < span.end and span.start < f.span.end}


def _ordered(chart: Chart, named: tuple[str, ...]) -> list[Mark]:
    return sorted(chart.marks.values(), key=lambda m: m.id not in named)


def _source(mark: Mark) -> str:
    if mark.span:
        return mark.span.quote
    return mark.fact.value if mark.fact and isinstance(mark.fact.value, str) else ""


def _place(mark: Mark, quote: str) -> Told | None:
    """How the mark's text tells the quote; None where it does not hold it literally (blanks and case aside)."""
    text = " ".join(normal(_source(mark)).split())
    wanted = " ".join(normal(quote).split()).strip(" .…")
    at = text.find(wanted) if wanted else -1
    edges = (
        at >= 0
        and (at == 0 or not text[at - 1].isalnum())
        and not text[at + len(wanted) : at + len(wanted) + 1].isalnum()
    )
    return polarity(text, at, at + len(wanted)) if edges else None


def _says(reading: Reading, told: Told) -> bool:
    outside = reading.masked
    match told:
        case "plain":
            return not NEGATION.search(outside)
        case "negated":
            return bool(NEGATION.search(outside))
        case "uncertain":
            return bool(UNCERTAIN.search(outside))
        case _:
            return bool(reading.relative)


def spoken(
    words: tuple[str, ...], reading: Reading, chart: Chart, named: tuple[str, ...]
) -> tuple[str, ...] | Fault | None:
    """The span that holds all these words, told in the claim's way; a fault where only the polarity differs."""
    wrong: Fault | None = None
    for mark in _ordered(chart, named):
        text = " ".join(normal(_source(mark)).split())
        if not text or not set(words) <= set(tokens(text)):
            continue
        ways = {polarity(text, m.start(), m.end()) for w in words for m in re.finditer(rf"\b{re.escape(w)}\b", text)}
        told: Told = next((w for w in ("relative", "negated", "uncertain") if w in ways), "plain")
        claimed = _says(reading, told) if told != "plain" else not (reading.denied or reading.relative)
        if claimed:
            return (mark.id,)
        wrong = Fault(
            kind="quote", reason="the document tells it negated, uncertain or about a relative, or the claim does"
        )
    return wrong
