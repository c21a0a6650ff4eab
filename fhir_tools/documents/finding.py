"""Where a term stands in documents, and what is asserted of it there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from fhir_tools.documents.assertions import judge
from fhir_tools.documents.sections import sections, sentences, trimmed
from fhir_tools.documents.types import Document, Found
from fhir_tools.types import Span

__all__ = ["find", "find_words", "found_at"]

_QUOTE = 300


def find(documents: Sequence[Document], terms: Sequence[str]) -> tuple[Found, ...]:
    """Every sentence that holds one of the terms (synonyms of one thing), in the order of the documents and their text.

    Whole words, whatever their case, number, hyphens and spaces. A sentence is given once for each thing it asserts.
    """
    pattern = _pattern(tuple(dict.fromkeys(t.strip() for t in terms if t.strip())))
    if pattern is None:
        return ()
    return tuple(found for document in documents for found in _mentions(document, pattern))


_WORDS = re.compile(r"[^\W_]+")


def find_words(documents: Sequence[Document], terms: Sequence[str], words: str) -> tuple[Found, ...]:
    """Sentences with one of the terms; where there is none, sentences that hold every one of several words."""
    found = find(documents, terms)
    several = [w for w in _WORDS.findall(words.lower()) if len(w) > 2]
    if found or len(several) < 2:
        return found
    longest = max(several, key=len)
    return tuple(m for m in find(documents, (longest,)) if all(_holds(m, w) for w in several))


def _holds(found: Found, word: str) -> bool:
    pattern = _pattern((word,))
    return bool(pattern and pattern.search(found.sentence))


def _mentions(document: Document, pattern: re.Pattern[str]) -> Iterator[Found]:
    text = document.text
    hits = [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
    if not hits:
        return
    parts, lines = sections(text), sentences(text)
    seen: list[tuple[Span, str]] = []
    at = parted = 0
    for first, last in hits:
        while at < len(lines) - 1 and lines[at][1] <= first:
            at += 1
        while parted < len(parts) - 1 and parts[parted + 1][1] <= first:
            parted += 1
        under = parts[parted][0] if parts and parts[parted][1] <= first < parts[parted][2] else ""
        start, end = min(lines[at][0], first), max(lines[at][1], last)
        if at + 1 < len(lines) and under and _is_heading(text[start:end], under):
            if pattern.search(text, *lines[at + 1]):
                continue  # the sentence below it is found by itself
            end = lines[at + 1][1]
        found = found_at(document, start, end, first, last, under)
        seen = [known for known in seen if known[0].end > found.span.start]
        if not any(_lies_in(found, *known) for known in seen):
            seen.append((found.span, found.assertion))
            yield found


def _is_heading(line: str, title: str) -> bool:
    """Whether a line is nothing but the heading of its section: alone it says nothing."""
    return line.strip(" \t#*:") == title.strip()


def _lies_in(found: Found, span: Span, assertion: str) -> bool:
    return found.assertion == assertion and span.start <= found.span.start and found.span.end <= span.end


def found_at(document: Document, start: int, end: int, first: int, last: int, under: str) -> Found:
    sentence = document.text[start:end]
    sentence = document.text[start:end]
    judged = judge(sentence, first - start, last - start, under)
    shown = (min(first, start + judged.start), max(last, start + judged.end))
    a, b = _cut(document.text, (start, end), shown, (first, last))
    span = Span(start=a, end=b, quote=document.text[a:b])
    whole = " ".join(sentence.split())
    return Found(document=document, span=span, assertion=judged.assertion, sentence=whole, section=under)


def _cut(text: str, whole: tuple[int, int], shown: tuple[int, int], term: tuple[int, int]) -> tuple[int, int]:
    """The sentence, or the 300 characters of it round the term that hold what decides its assertion, at word ends."""
    (start, end), (first, last) = whole, shown
    if end - start <= _QUOTE:
        return start, end
    if last - first > _QUOTE:
        first, last = term
    last = min(last, first + _QUOTE)
    room = _QUOTE - (last - first)
    a = max(start, first - room // 2)
    b = min(end, a + _QUOTE)
    a = max(start, b - _QUOTE)
    while start < a < first and not text[a - 1].isspace():
        a += 1
    while last < b < end and not text[b].isspace():
        b -= 1
    return trimmed(text, a, b) or (a, b)


@lru_cache(maxsize=4096)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str] | None:
    longest = sorted(filter(None, (_term(t) for t in terms)), key=len, reverse=True)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(longest)})(?![^\W_])", re.IGNORECASE) if longest else None


_GAP = r"[\s\-_‐‑–]"


def _term(term: str) -> str:
    words = [w for w in re.split(rf"{_GAP}+", term) if w]
    return rf"{_GAP}*".join([*(_word(w) for w in words[:-1]), _plural(words[-1])]) if words else ""


def _letters(word: str) -> str:
    """The word, also where the text parts it: `xray` finds `X-ray`. Short ones are too easily found that way."""
    return rf"{_GAP}?".join(map(re.escape, word)) if len(word) > 3 and word.isalnum() else re.escape(word)


def _word(word: str) -> str:
    """`Crohn's` also as `Crohn` and `Crohns`."""
    owner = re.sub(r"['’]s$", "", word)
    return _letters(word) if owner == word else _letters(owner) + r"(?:['’]?s)?"


def _plural(word: str) -> str:
    """The last word in singular and plural, from either."""
    lower = word.lower()
    if len(word) < 3 or not word[-1].isalpha():
        return _word(word) + (r"s?" if word[-1:].isalpha() else "")
    if lower.endswith("ies") and len(word) > 4:
        return _letters(word[:-3]) + r"(?:y|ies)"
    if lower.endswith("y") and lower[-2] not in "aeiou":
        return _letters(word[:-1]) + r"(?:y|ies)"
    if lower.endswith(("sis", "ses")):
        return _letters(word[:-2]) + r"(?:is|es)"
    if lower.endswith(("ss", "us", "is", "x", "ch", "sh")):
        return _word(word) + r"(?:es)?"
    if lower.endswith(("sses", "uses", "xes", "ches", "shes")):
        return _letters(word[:-2]) + r"(?:es)?"
    if lower.endswith("s"):
        return _word(word[:-1]) + r"s?"
    return _word(word) + r"(?:['’]?s|es)?"
