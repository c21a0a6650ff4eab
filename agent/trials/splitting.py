"""Eligibility text → single statements: sections, bullets and numbers at any depth, lists that are one requirement.

A list under "one of the following" in an inclusion section, or "all of the following" in an exclusion section, is one
statement with parts; any other list says each of its items by itself. ClinicalTrials.gov writes Markdown, in which
`>` and other signs are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from agent.trials.types import Section, Statement
from agent.trials.vocabulary import WHO

__all__ = ["plain", "split"]

_HEAD = re.compile(
    r"^\W*(?:(?:key|main|major|general|principal|specific|study|trial|patient|subject|eligibility|additional|the|part \w)"
    r"\s+)*(?:criteria\s+for\s+)?(?P<what>inclusion|exclusion)s?(?:\s+criteria(?:\s+\w+)?|\s+criterion)?(?:\s*\([^)]*\))?"
    r"[\s*_]*(?P<colon>[:：\-–]|$)[\s*_]*",
    re.IGNORECASE,
)
_OUT = re.compile(
    rf"\b(?:exclusion\s+criteri\w+|{WHO}\b[^.:;]{{0,60}}?\b(?:excluded|ineligible|not\s+(?:be\s+)?eligible|(?:can|may|must|should|will)\s*(?:not|n't)\s+(?:be\s+)?(?:included|enrol+ed|enrol+|participate|enter|join|take\s+part))|who\s+can(?:\s*not|'t)\s+(?:take\s+part|participate|join)|(?:reasons?|grounds)\s+for\s+exclusion)\b",
    re.IGNORECASE,
)
_IN = re.compile(
    rf"\b(?:inclusion\s+criteri\w+|(?:to\s+be\s+)?eligible|who\s+can\s+(?:take\s+part|participate|join)|{WHO}\b[^.:;]{{0,60}}?\b(?:must|may|will|are\s+to)\s+(?:also\s+)?(?:meet|satisfy|fulfil+|be\s+included|be\s+enrol+ed))\b",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"^\W*(?:(?:eligibility|selection|study|trial|entry|enrol+ment|patient|subject|participant|population|key|general)\s+)*(?:criteria|eligibility)\W*$",
    re.IGNORECASE,
)
_BULLET = re.compile(
    r"^(?P<indent>[ \t\u00a0]*)(?P<mark>\\?[*•●○◦▪■‣⁃·➢✓]|[-–—+](?=\s)|o(?=\s)|\(?\d{1,2}(?:\\?[.)]\d{0,2})+(?=\s|[A-Z])|\d{1,2}:(?=\s)|\(?[a-zA-Z]\\?[.)](?=\s)"
    r"|\(?[ivx]{1,4}\\?[.)](?=\s))[ \t\u00a0]*"
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>~|&=^])")
_NOTE = re.compile(r"^(?:note|nb|n\.b\.)\b", re.IGNORECASE)
_COUNT = {"one": 1, "1": 1, "two": 2, "2": 2, "three": 3, "3": 3, "four": 4, "4": 4, "five": 5, "5": 5}
_ANY = re.compile(
    r"\b(?:any|either|one or more|1 or more|at least (?:one|1)|one)\b(?:\s*\(\d\))?(?: of)?", re.IGNORECASE
)
_SOME = re.compile(r"\b(?:at least|≥|>=) ?(two|three|four|five|[2-5])\b(?:\s*\(\d\))?", re.IGNORECASE)
_ALL = re.compile(
    r"\b(?:all|both|each|every)(?: one)?(?: of)?(?: the)?(?: (?:following|these|those|below|criteria|conditions|of)\b|\s*:)",
    re.IGNORECASE,
)
_QUALIFIED = re.compile(
    rf"^\W*(?:(?:for|in|of|applicable\s+to)\s+)?(?:(?:all|the|both|any|healthy)\s+)*(?:{WHO}|cohorts?|parts?|arms?|groups?|phases?|stud(?:y|ies))\b(?:\s+\w{{1,2}})?\W*$",
    re.IGNORECASE,
)
"""What a heading says behind its word of whom it is: "Exclusion Criteria - All Participants:"."""
_ENDS_WITH_OR = re.compile(r"(?:^|[,;]?\s+)(?:and/)?or\W*$", re.IGNORECASE)
_ORGAN = re.compile(
    r"(?:(?:hemato|haemato|neuro|immuno)logic(?:al)?|hepatic|renal|cardiac|cardiovascular|coagulation|pulmonary|respiratory|metabolic"
    r"|endocrine|gastrointestinal|psychiatric|bone\s+marrow|liver|kidney|laboratory|general|other|medications?)"
    r"(?:\s+(?:functions?|systems?|parameters?|criteria|values?|disorders?))?\W*",
    re.IGNORECASE,
)
"""What a list stands under without being asked itself: "Hepatic"."""
_OUT_SENTENCE = re.compile(
    r"\b(?:(?:will|must|should|shall)\s+be|are|is)\s+(?:excluded|ineligible|not\s+eligible)\b(?!\s+if\s+not\b)",
    re.IGNORECASE,
)
_NONE_OF = re.compile(
    r"\b(?:none\s+of\s+(?:the\s+)?(?:following|these)|(?:must|should|may|can|do|does|will)\s*not\s+(?:have|be|meet|fulfil+|show|suffer|take|use)"
    r"|(?:no\s+(?:history|evidence|presence)\s+of|without|free\s+(?:of|from)|absence\s+of)\s+(?:any|all)|cannot\s+have)\b",
    re.IGNORECASE,
)
"""A heading of an inclusion whose items must not be: each of them is a reason to exclude."""
_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[A-Z•])|;\s*(?=\S)")


def plain(text: str) -> str:
    """Text without Markdown's escapes and emphasis, in one line."""
    text = _ESCAPED.sub(r"\1", text)
    text = re.sub(r"\*\*|__|&(?=(?:gt|lt|amp|ge|le);)", lambda m: "" if m[0] != "&" else "&", text)
    for entity, sign in (("&gt;", ">"), ("&lt;", "<"), ("&ge;", "≥"), ("&le;", "≤"), ("&amp;", "&")):
        text = text.replace(entity, sign)
    return " ".join(text.split())


@dataclass(kw_only=True)
class _Item:
    """One item of a list while it is read; `indent` and `mark` say which list, `opens` that it is a section's heading."""

    start: int
    end: int
    indent: int = 0
    mark: str = ""
    section: Section = "inclusion"
    opens: bool = False
    children: list[_Item] = field(default_factory=list)


def split(source: str) -> tuple[Statement, ...]:
    """The statements of an eligibility text, numbered from 1: inclusion first, then exclusion, in the order written.

    Text before any heading is taken as inclusion.
    """
    made = list(_listed(source, _items(source), ""))
    ordered = [s for section in ("inclusion", "exclusion") for s in made if s.section == section]
    return tuple(replace(s, number=n) for n, s in enumerate(ordered, 1))


def _items(source: str) -> list[_Item]:
    """The text as lists of items, one below another."""
    roots: list[_Item] = []
    stack: list[_Item] = []
    section: Section = "inclusion"
    blank = True
    for start, end in _lines(source):
        line, opened = source[start:end], None
        if not line.strip():
            blank = True
            continue
        if head := _HEAD.match(line):
            section, stack = ("exclusion" if head["what"].lower() == "exclusion" else "inclusion"), []
            start, blank = start + head.end(), True
            if not source[start:end].strip(" \t.*_:") or _QUALIFIED.match(source[start:end]):
                continue
            line = source[start:end]
        elif opened := _told(line):
            section, stack, blank = opened, [], True
        elif _TITLE.match(line):
            continue
        item = _item(source, start, end, section)
        item.opens = bool(opened)
        if stack and _continues(source, stack[-1], item, blank):
            stack[-1].end = item.end
        else:
            _place(source, item, stack, roots)
        blank = False
    return roots


def _told(line: str) -> Section | None:
    """The section that a sentence in front of a list opens: "Patients will be excluded if any of these apply:"."""
    if not line.rstrip(" *_").endswith(":") or _BULLET.match(line):
        return None
    return "exclusion" if _OUT.search(line) else "inclusion" if _IN.search(line) else None


def _lines(source: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in source.splitlines(keepends=True):
        yield at, at + len(line.rstrip())
        at += len(line)


def _item(source: str, start: int, end: int, section: Section) -> _Item:
    line = source[start:end]
    if (found := _BULLET.match(line)) and found.end() < len(line):
        indent = len(found["indent"].expandtabs(4))
        return _Item(start=start + found.end(), end=end, indent=indent, mark=_class(found["mark"]), section=section)
    own = len(line) - len(line.lstrip())
    return _Item(start=start + own, end=end, indent=len(line[:own].expandtabs(4)), section=section)


def _class(mark: str) -> str:
    """What makes two marks of one list: the same sign, or both numbers, letters or roman numerals."""
    bare = mark.strip("\\().:")
    if bare[:1].isdigit():
        return "1" + "." * bare.rstrip(".").count(".")
    if bare.isalpha() and bare != "o":
        return "A" if bare.isupper() else "i" if set(bare) <= set("ivx") and bare != "v" and len(bare) > 1 else "a"
    return bare or mark


def _continues(source: str, last: _Item, item: _Item, blank: bool) -> bool:
    """Whether a line goes on with the item before it: no mark of its own, and nothing that ends that item."""
    if item.mark:
        return False
    text = source[item.start : item.end]
    if _NOTE.match(text):
        return True
    ended = source.endswith((".", ";", ":"), last.start, last.end)
    if blank:
        return False
    return bool(last.mark) and not ended if text[:1].isupper() else not ended or bool(last.mark)


def _place(source: str, item: _Item, stack: list[_Item], roots: list[_Item]) -> None:
    """Put an item below the one that it belongs to, and leave that line of descent in the stack."""
    lead = stack[-1] if stack else None
    heads = lead is not None and source.endswith(":", lead.start, lead.end)
    while stack and stack[-1].indent > item.indent:
        stack.pop()
    if stack and stack[-1].indent == item.indent and not (heads and stack[-1] is lead and stack[-1].mark != item.mark):
        same = next((i for i in range(len(stack) - 1, -1, -1) if stack[i].mark == item.mark), None)
        del stack[same if same is not None else len(stack) - 1 :]
    (stack[-1].children if stack else roots).append(item)
    stack.append(item)


def _statements(source: str, item: _Item, under: str = "") -> Iterator[Statement]:
    text = plain(source[item.start : item.end])
    if not item.children:
        yield from () if item.opens else _single(source, item, under)
        return
    if item.section == "inclusion" and text.endswith(":") and _NONE_OF.search(text):
        _exclude(item)
    needed = _needed(text, item.section)
    if needed is not None:
        parts = tuple(p for child in item.children for p in _texts(source, child))
        end = _end(item)
        whole = plain(_in_one_line(source[item.start : end])).replace(":; ", ": ")
        yield Statement(
            number=0,
            section=item.section,
            text=whole,
            start=item.start,
            end=end,
            under=text,
            parts=parts,
            needed=needed,
        )
        return
    if not text.endswith(":") and not _ORGAN.fullmatch(text):
        yield from _single(source, item, under)
    yield from _listed(source, item.children, text)


def _listed(source: str, items: list[_Item], under: str) -> Iterator[Statement]:
    """The statements of items side by side; inclusions of which one ends with "or" are one requirement with the next."""
    at = 0
    while at < len(items):
        until = at
        while until + 1 < len(items) and _is_alternative(source, items[until], items[until + 1]):
            until += 1
        if until == at:
            yield from _statements(source, items[at], under)
        else:
            yield _either(source, items[at : until + 1], under)
        at = until + 1


def _is_alternative(source: str, item: _Item, after: _Item) -> bool:
    sections = {item.section, after.section}
    bare = not item.children and not after.children
    here, there = (plain(source[i.start : i.end]) for i in (item, after))
    joins = _ENDS_WITH_OR.search(here) or _ENDS_WITH_OR.fullmatch(there)
    return bare and sections == {"inclusion"} and joins is not None


def _either(source: str, items: list[_Item], under: str) -> Statement:
    said = (_ENDS_WITH_OR.sub("", plain(source[i.start : i.end])).strip(" ;,") for i in items)
    parts = tuple(filter(None, said))
    start, end = items[0].start, items[-1].end
    return Statement(
        number=0, section="inclusion", text=" or ".join(parts), start=start, end=end, under=under, parts=parts, needed=1
    )


def _exclude(item: _Item) -> None:
    """Make an item and all below it exclusions."""
    item.section = "exclusion"
    for child in item.children:
        _exclude(child)


_LISTED = re.compile(r"^\n\s*(?:[*•\-–]|\d+[.)]|[a-z][.)])(?:\s+|$)")


def _in_one_line(listed: str) -> str:
    """A list with "; " for the mark of each item."""
    first, *lines = filter(str.strip, listed.split("\n"))
    return first + "".join(_LISTED.sub("; ", f"\n{line}") for line in lines)


def _single(source: str, item: _Item, under: str) -> Iterator[Statement]:
    """The item as a statement; a paragraph without a mark is one for each of its sentences."""
    at = item.start
    ends = [] if item.mark else [m.start() + (m[0][0] == ";") for m in _SENTENCE.finditer(source, item.start, item.end)]
    for end in (*ends, item.end):
        text = plain(source[at:end]).strip(" ;")
        if len(text) > 1 and re.search(r"[^\W_]", text):
            lead = len(source[at:end]) - len(source[at:end].lstrip())
            section: Section = "exclusion" if _OUT_SENTENCE.search(text) else item.section
            yield Statement(number=0, section=section, text=text, start=at + lead, end=end, under=under)
        at = end


def _needed(head: str, section: Section) -> int | None:
    """How many items of a list make one requirement (0: all); None where each item is a statement by itself."""
    if not head.endswith((":", "following", "following.")):
        return None
    if some := _SOME.search(head):
        return _COUNT[some[1].lower()]
    if section == "inclusion" and _ANY.search(head) and not _ALL.search(head):
        return 1
    return 0 if section == "exclusion" and _ALL.search(head) and not _ANY.search(head) else None


def _texts(source: str, item: _Item) -> Iterator[str]:
    text = plain(source[item.start : item.end])
    if not (item.children and text.endswith(":")):
        yield text.strip(" ;,")
    for child in item.children:
        yield from _texts(source, child)


def _end(item: _Item) -> int:
    return max((item.end, *(_end(child) for child in item.children)))
