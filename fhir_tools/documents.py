"""Documents and reports as text, and where a term stands in them: exact offsets, and what is asserted of it.

The text is that of DocumentReference.content.attachment, of DiagnosticReport.conclusion and presentedForm, and the
narrative of Composition.section (R4). Offsets count Unicode characters of `Document.text`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from fhir_tools.assertions import Assertion, judge
from fhir_tools.attachments import decode_base64, html_text, text_of
from fhir_tools.errors import ChartlineError
from fhir_tools.source import Source
from fhir_tools.types import Fact, Span

__all__ = ["Document", "Found", "find", "read_document", "sections", "sentences"]

_QUOTE = 300
_DEPTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of the document or report that `fact` is. `unread` says why some of it could not be read, if so.

    `missed` says why a body could not be fetched, in the words of the error: what it holds is not known then.
    """

    fact: Fact
    text: str
    unread: str = ""
    missed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mention of a term. `span` is at most 300 characters of its sentence; `sentence` is all of it on one line."""

    document: Document
    span: Span
    assertion: Assertion
    sentence: str


# Reading.


async def read_document(resource: Mapping[str, Any], fact: Fact, source: Source) -> Document:
    """All the text of a DocumentReference, DiagnosticReport or Composition. Broken content is told in `unread`."""
    parts: list[str] = []
    unread: list[str] = []
    if resource.get("resourceType") == "Composition":
        parts += _narratives(resource)
    if isinstance(resource.get("conclusion"), str):
        parts.append(resource["conclusion"])
    missed = ""
    read = await asyncio.gather(*(_attachment_text(a, source) for a in _attachments(resource)))
    for text, reason, fault in read:
        parts.append(text)
        unread.append(reason)
        missed = missed or fault
    kept = _distinct(part.replace("\r\n", "\n").strip("\n") for part in parts)
    if not kept and not any(unread):
        unread.append("it holds no text")
    return Document(
        fact=fact, text="\n\n".join(kept), unread="; ".join(dict.fromkeys(filter(None, unread))), missed=missed
    )


def _items(value: Any) -> list[Mapping[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [item for item in several if isinstance(item, dict)]


def _attachments(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for content in _items(resource.get("content")):
        yield from _items(content.get("attachment"))
    yield from _items(resource.get("presentedForm"))


def _distinct(parts: Iterator[str]) -> list[str]:
    """The texts, each once: `content` repeats a document in several formats (R4 DocumentReference.content)."""
    return list({" ".join(part.split()): part for part in parts if part.strip()}.values())


async def _attachment_text(attachment: Mapping[str, Any], source: Source) -> tuple[str, str, str]:
    """The text, why (some of) it could not be read, and why its body could not be fetched."""
    kind = attachment.get("contentType")
    kind = kind if isinstance(kind, str) else ""
    if attachment.get("data") is not None:
        body = decode_base64(attachment["data"])
        return ("", "an attachment's data is not base64", "") if body is None else (*text_of(body, kind), "")
    url = attachment.get("url")
    if not isinstance(url, str) or not url:
        return "", "an attachment has neither data nor url", ""
    try:
        fetched = await source.fetch(url)
    except (ChartlineError, ValueError) as fault:
        reason = f"an attachment could not be fetched ({type(fault).__name__})"
        return "", reason, str(fault) or reason
    return *_fetched_text(fetched.body, fetched.content_type or "", kind), ""


def _fetched_text(body: bytes, served: str, declared: str) -> tuple[str, str]:
    """The body of a fetched attachment; a Binary that came as a resource is unpacked (R4 Binary, 2.46.3)."""
    if body.lstrip()[:1] == b"{" and ("json" in served or b'"Binary"' in body[:2000]):
        try:
            binary = orjson.loads(body)
        except orjson.JSONDecodeError:
            binary = None
        if isinstance(binary, dict) and binary.get("resourceType") == "Binary":
            inner, kind = decode_base64(binary.get("data")), binary.get("contentType")
            if inner is None:
                return "", "a Binary's data is not base64"
            return text_of(inner, kind if isinstance(kind, str) else declared)
    general = served.split(";")[0].strip() in ("", "application/octet-stream", "binary/octet-stream")
    return text_of(body, declared if general else served)


def _narratives(resource: Mapping[str, Any]) -> list[str]:
    told = list(_section_texts(_items(resource.get("section")), 0))
    return told or [t for t in [_narrative(resource)] if t]


def _section_texts(parts: list[Mapping[str, Any]], depth: int) -> Iterator[str]:
    for part in parts if depth < _DEPTH else ():
        title, text = part.get("title"), _narrative(part)
        heading = f"{title.strip().rstrip(':')}:" if isinstance(title, str) and title.strip() else ""
        if text:
            yield f"{heading}\n{text}".strip()
        yield from _section_texts(_items(part.get("section")), depth + 1)


def _narrative(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    return html_text(div)[0] if isinstance(div, str) else ""


# Sections and sentences.

_HEADINGS = (
    "a/p|allergies|assessment|assessment/plan|assessment (?:and|&) plan|cc|chief complaint|clinical information|"
    "comparison|conclusions?|diagnos[ie]s|discharge (?:diagnos[ie]s|medications|summary)|exam|findings|fh|fhx|"
    "family (?:medical )?history|follow[- ]?up|history|history of present(?:ing)? (?:illness|complaint)|"
    "history of past illness|home medications|hospital course|hpi|impression|indication|instructions|interpretation|"
    "labs|laboratory|medications|meds|objective|past (?:medical |surgical )?history|pe|physical exam(?:ination)?|plan|"
    "pmhx?|problem list|procedures?|pshx?|reason for (?:visit|admission|consult(?:ation)?)|recommendations?|results|"
    "review of systems|ros|sh|shx|social history|subjective|summary|surgical history|technique|vitals|vital signs"
)
_KNOWN = _HEADINGS.replace(" ", r"[ \t]+")
_HEADING = re.compile(
    r"^[ \t]*(?:[#*•-]+[ \t]*)?(?:\*\*)?(?P<title>"
    rf"(?i:{_KNOWN})(?=[ \t]*(?:\*\*)?:)|[SOAP](?=:)"
    r"|[A-Z][A-Z0-9 /&()'-]{2,48}(?=[ \t]*:|[ \t]*$)|[A-Z][\w /&()'-]{2,58}(?=:[ \t]*$))(?:\*\*)?[ \t]*:?",
    re.MULTILINE,
)
"""Known headings with a colon, SOAP letters, titles in capitals, and lines that are nothing but a title and a colon."""


def sections(text: str) -> tuple[tuple[str, int, int], ...]:
    """(title, start, end) of each part under a heading: from the heading's first character up to the next heading."""
    heads = [(m["title"].strip(), m.start()) for m in _HEADING.finditer(text)]
    ends = [*(start for _, start in heads), len(text)][1:]
    return tuple((title, start, end) for (title, start), end in zip(heads, ends, strict=True))


_STOP = re.compile(r"[.!?]+[\"')\]]*(?=\s)|\n")
_TITLE = re.compile(r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|e\.g|i\.e|approx)|(?:^|\n)[ \t]*\d{1,2})\Z", re.IGNORECASE)
_ABBREVIATION = re.compile(
    r"\b(?:[a-z](?:\.[a-z])*|appt|dept|pts?|temp|wt|ht|min|max|hrs?|resp|sec|vol|inc)\Z", re.IGNORECASE
)
_ITEM = re.compile(r"[ \t]*(?:[-*•#]|\d{1,2}[.)]\s|\n|$)")
_WRAP = (60, 120)


def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of each sentence or line, without the white space round it. A line wrapped by width goes on."""
    width = max((len(line) for line in text.split("\n")), default=0)
    heads = {start for _, start, _ in sections(text)}
    out: list[tuple[int, int]] = []
    start = 0
    for stop in _STOP.finditer(text):
        soft = stop[0] == "\n" and _wrapped(text, stop.start(), width) and stop.end() not in heads
        if soft or (stop[0] == "." and _shortened(text[start : stop.start()], text[stop.end() : stop.end() + 2])):
            continue
        out.append((start, stop.end()))
        start = stop.end()
    out.append((start, len(text)))
    return tuple(trimmed for a, b in out if (trimmed := _trimmed(text, a, b)))


def _shortened(before: str, after: str) -> bool:
    """Whether a full stop belongs to an abbreviation or a list number rather than to the sentence."""
    if after.startswith("\n"):
        return False
    goes_on = after[1:].islower() or after[1:].isdigit()
    return bool(_TITLE.search(before) or (goes_on and _ABBREVIATION.search(before[-12:])))


def _wrapped(text: str, newline: int, width: int) -> bool:
    """Whether a line break is there only because the next word had no room in lines of this width."""
    if not _WRAP[0] <= width <= _WRAP[1] or _ITEM.match(text, newline + 1):
        return False
    line = newline - (text.rfind("\n", 0, newline) + 1)
    word = re.match(r"\S+", text[newline + 1 : newline + 1 + width])
    return bool(word) and line + 1 + len(word[0] if word else "") > width


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    return (start + left, start + right) if right > left else None


# Finding.


def find(documents: Sequence[Document], terms: Sequence[str]) -> tuple[Found, ...]:
    """Every sentence that holds one of the terms (synonyms of one thing), in the order of the documents and their text.

    Whole words, whatever their case, number, hyphens and spaces. A sentence is given once for each thing it asserts.
    """
    pattern = _pattern(tuple(dict.fromkeys(t.strip() for t in terms if t.strip())))
    if pattern is None:
        return ()
    return tuple(found for document in documents for found in _mentions(document, pattern))


def _mentions(document: Document, pattern: re.Pattern[str]) -> Iterator[Found]:
    text = document.text
    hits = [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
    if not hits:
        return
    parts, lines, seen = sections(text), sentences(text), set()
    at = 0
    for first, last in hits:
        while at < len(lines) - 1 and lines[at][1] <= first:
            at += 1
        start, end = min(lines[at][0], first), max(lines[at][1], last)
        under = next((title for title, a, b in reversed(parts) if a <= first < b), "")
        found = _found(document, start, end, first, last, under)
        if (found.span, found.assertion) not in seen:
            seen.add((found.span, found.assertion))
            yield found


def _found(document: Document, start: int, end: int, first: int, last: int, under: str) -> Found:
    sentence = document.text[start:end]
    judged = judge(sentence, first - start, last - start, under)
    shown = (min(first, start + judged.start), max(last, start + judged.end))
    a, b = _cut(document.text, (start, end), shown, (first, last))
    span = Span(start=a, end=b, quote=document.text[a:b])
    return Found(document=document, span=span, assertion=judged.assertion, sentence=" ".join(sentence.split()))


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
    return _trimmed(text, a, b) or (a, b)


@lru_cache(maxsize=256)
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
