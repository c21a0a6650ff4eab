"""Chart text is data: how it is written for a model, and how text that gives orders to one is told.

Nothing in it can close a fence, form a special token of any usual tokenizer, pass for a turn of the conversation
or for a citation mark, or hide from the reader.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from fhir_tools.types import Card

__all__ = ["Imitations", "clean", "escape", "gives_orders", "imitations", "texts_in"]

# `<` is a comparator before a number. Anything else may begin a fence or a special token: `<bos>`, `</chart>`,
# `<|im_end|>`, and `<2mass>` and `<0x0A>`, which Gemma's vocabulary has.
_TAG = re.compile(r"<(?!=?\s*[-+]?[.,]?\d)|<(?=[^<>\s]{0,60}>)")
# Special tokens in square brackets: Gemma's `[@BOS@]` and `[multimodal]`, Mistral's, BERT's. UCUM's (`[Hg]`) are none.
_BRACKETED = re.compile(
    r"\[(?=\s*(?:[@/|\\]|(?:INST|SYSTEM_PROMPT|TOOL_\w+|AVAILABLE_TOOLS|IMG\w*|MULTIMODAL|G?MASK|SEP|CLS|PAD|UNK|BOS|EOS"
    r"|UNUSED_?\w*)\s*\]))",
    re.IGNORECASE,
)
# Brackets stand in UCUM units too (`mm[Hg]`): only what has the shape of a mark, or of several, is one.
_MARK = re.compile(r"\[\s*([a-z]?\d{1,4}(?:\s*[,;]\s*[a-z]?\d{1,4})*)\s*\]", re.IGNORECASE)
_SHORT = re.compile(r"\[([^\[\]]{1,16})\]")
_SPACES = re.compile(r"\s+")
_ALIKE = str.maketrans(
    {**dict.fromkeys("＜﹤〈〈⟨❮❰ᐸ˂", "‹"), **dict.fromkeys("＞﹥〉〉⟩❯❱ᐳ˃", "›"), "｜": "¦", "︱": "¦"}
    | dict.fromkeys("［【〔⟦❲⁅〖", "(")
    | dict.fromkeys("］】〕⟧❳⁆〗", ")")
)
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing, beside those whose category or name says so."""
_PILED = 3
"""How many combining marks may stand on one letter; scripts need two, hidden or garbled text piles up more."""


def escape(text: str, marks: frozenset[str] = frozenset()) -> str:
    """Chart or user text on one line, without special tokens, invisible characters or look-alikes of marks.

    `[7]` becomes `(7)` unless `7` is one of `marks`.
    """
    text = clean(text)
    if not text.isascii():
        text = _SHORT.sub(lambda found: f"({found[1]})" if _like_a_mark(found[1]) else found[0], text)
    text = _MARK.sub(lambda found: found[0] if found[1] in marks else f"({found[1]})", text)
    return _TAG.sub("‹", _BRACKETED.sub("(", text)).strip()


def clean(text: str) -> str:
    """The text as a reader sees it, on one line; look-alikes of the brackets that matter are plain or harmless ones."""
    if not text.isascii() or not text.isprintable():
        text = "".join(_shown(text)).translate(_ALIKE)
    return _SPACES.sub(" ", text)


def _like_a_mark(text: str) -> bool:
    """A mark in other digits or letters: `[①]`, `[с1]` with a Cyrillic letter, `[1̲]`."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Me"))
    return not text.isascii() and re.fullmatch(r"\s*\w?\d{1,4}\s*", folded) is not None


def _shown(text: str) -> Iterator[str]:
    """The characters that a reader would see, and no more combining marks than a script needs."""
    piled = 0
    for character in text:
        category = unicodedata.category(character)
        piled = piled + 1 if category in ("Mn", "Me") else 0
        if piled <= _PILED and not _invisible(character, category):
            yield character


def _invisible(character: str, category: str) -> bool:
    """Zero-width, bidirectional, tag and other format characters, controls, blanks and variation selectors."""
    if character in "\t\n\r":
        return False
    hidden = category in ("Cf", "Cc", "Co", "Cs", "Cn") or character in _BLANKS
    return hidden or "VARIATION SELECTOR" in unicodedata.name(character, "")


# Imitated marks.


@dataclass(frozen=True, slots=True)
class Imitations:
    """Where chart text has the shape of a mark, by the letters and digits before and behind it."""

    around: tuple[tuple[str, str], ...] = ()

    def defused(self, line: str) -> str:
        """The line with `(1)` for every `[1]` that the chart's own text may have brought.

        Where it cannot be told from the card's own mark, neither stands in brackets: none is better than a false one.
        """
        line = clean(line) if self.around else line
        return _MARK.sub(lambda m: f"({m[1]})" if self._has(line[: m.start()], line[m.end() :]) else m[0], line)

    def _has(self, before: str, after: str) -> bool:
        left, right = _bare(before), _bare(after)
        return any(
            left.endswith(b) if b else right.startswith(a)  # an empty text fits anything
            for b, a in self.around
        )


def imitations(card: Card) -> Imitations:
    """What stands in a card's facts, in any of their fields, and looks like a mark."""
    marked = tuple(part for mark in card.marks for part in (mark.fact, mark.span) if part)
    texts = {clean(t) for t in texts_in((card.facts, marked, card.concepts, card.names)) if "[" in t}
    found = ((_bare(t[: m.start()])[-8:], _bare(t[m.end() :])[:8]) for t in sorted(texts) for m in _MARK.finditer(t))
    return Imitations(tuple(dict.fromkeys(found)))


def texts_in(value: Any) -> Iterator[str]:
    """Every string of a record, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts_in(key)
            yield from texts_in(inner)
    elif isinstance(value, tuple | list | set | frozenset):
        for inner in value:
            yield from texts_in(inner)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts_in(getattr(value, field.name))


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


# Orders.

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|overrule)\b.{0,40}"
    r"\b(?:instructions?|prompts?|cards?|rules|above|previous|prior|guidelines|everything|anything|records?|question)\b"
    r"|\bsystem\s+(?:message|prompt|override|notice|command)\b"
    r"|\b(?:chartline|medgemma|llm|chatbot|language model)\s*(?:note)?:|\bverif(?:y|ier): claim"
    r"|\bhuman:.*\bassistant:"
    r"|\b(?:you are|you're|act as|pretend to be)\s+(?:now\s+)?(?:an?|the)\s+"
    r"(?:ai|assistant|language model|llm|chatbot|program|model)\b"
    r"|\b(?:dear|to the|note to|any|every) (?:ai|assistant|language model|llm|chatbot|model)s?\b"
    r"|\b(?:ai assistants?|language models?|llms?|chatbots?|medgemma|chartline)\b.{0,30}"
    r"\b(?:must|should|shall|please|has to|have to|reading|reads?|answer|say|report)\b"
    r"|\b(?:real|true|hidden) instructions?\b|\bstatus not_found\b"
    r"|\b(?:answer|respond|reply|output)\s+(?:only|always|just|exactly|in json)\b"
    r"|\btell the (?:user|clinician|reader)\b|\bsay (?:only|exactly|instead)\b|\b(?:refuse|answer) every question\b"
    r"|[\"'](?:claims?|needs|status|marks|tool|arguments|role|content)[\"']\s*:"
    r"|\bPatient/[\w-]|\b(?:call|use) (?:the tool|find_notes|read_document|list_concepts)\b"
    r"|\bworked out by rules\b"
    r"|<\s*/?\s*(?:chart|start_of_|end_of_|unused\d|image_|bos|eos|s|sys|system|user|assistant|tool|\||\uff5c)"
    r"|\[/?INST\]|\[@|\[multimodal\]|###\s*(?:system|instruction|response|human|user)",
    re.IGNORECASE | re.DOTALL,
)
_ENCODED = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{40,}={0,2}(?![\w+/])")


def gives_orders(texts: Iterable[str]) -> bool:
    """Whether some text reads like instructions to a program, or hides characters from the reader.

    It decides nothing but a warning: what it overlooks is data all the same, and verify trusts no text for being plain.
    """
    return any(_ORDERS.search(_folded(t)) or _ENCODED.search(t) or _hides(t) for t in texts)


def _folded(text: str) -> str:
    """The text as a reader sees it, compatibility forms folded, nothing neutralised."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", "".join(_shown(text))))


def _hides(text: str) -> bool:
    """Tag characters, turned writing, or a run of zero-width ones: a soft hyphen or a joiner alone hides nothing."""
    if text.isascii():
        return False
    tags = any(0xE0000 <= ord(c) <= 0xE0FFF or c in "\u202d\u202e\u2066\u2067\u2068" for c in text)
    return tags or sum(c in "\u200b\u200c\u200d\u2060\ufeff" for c in text) > 3
