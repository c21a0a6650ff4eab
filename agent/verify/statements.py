"""The pieces of a claim, names, numbers, dates and cue words, put together to statements: what is told of what."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from agent.verify.chart import Mention
from agent.verify.datings import Dating, datings
from agent.verify.roles import roles_told
from agent.verify.told import Day, Number
from agent.verify.words import (
    CAUSES,
    COUNT_NOUN,
    DIRECTIONS,
    INTERPRETATIONS,
    KIND_NOUNS,
    NEGATION,
    QUALIFIERS,
    STATUSES,
)

__all__ = ["Cue", "Parts", "Role", "Statement", "counts", "denied_before"]

Role = Literal["value", "count", "mean", "change", "age", "event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A word that asserts something: what, and where it stands."""

    what: str
    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that a claim asserts of one fact or computation. `role` `event` has no number.

    `within` are the facts of the window that the clause tells, `roles` what a drug's records are told to be.
    """

    role: Role
    at: int
    clause: int
    number: Number | None = None
    head: Mention | None = None
    attributes: tuple[Mention, ...] = ()
    dating: Dating | None = None
    qualifiers: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    denied_statuses: frozenset[str] = frozenset()
    interpretations: frozenset[str] = frozenset()
    nouns: frozenset[str] = frozenset()
    noun_words: str = ""
    within: frozenset[int] | None = None
    roles: frozenset[str] = frozenset()
    denied: bool = False


_COUNTED = re.compile(
    rf"\s*(?:(?!\b(?:and|or|was|is|were|are|on|in|at|for|to)\b)(?:\x01+s?|[a-z][\w'-]*)[\s,]+){{0,4}}{COUNT_NOUN}(?![\w-])"
)
_COUNT_BEFORE = re.compile(
    r"\b(?:count(?: is| was|:)?|total(?: of| is|:)|number(?: \w+){0,2} (?:is|was|:)|recorded|measured|seen)\s*$"
)


def counts(masked: str, n: Number) -> bool:
    """Whether a number counts things: `5 results`, `count 5`; a number with a unit or decimals never does."""
    if n.unit or n.places or n.comparator or n.join or n.signed or not n.value.is_integer():
        return False
    if n.text in ("once", "twice"):
        return True
    following = _COUNTED.match(masked, n.end)
    return bool(following or (_COUNT_BEFORE.search(masked[: n.start]) and not n.word))


_ANCHORED = re.compile(
    r"\x01[^\x01\x02\x03.;]*\b(?:closest|nearest|diagnos\w+|onset|when|time|before|after|during|since)\b[^\x01\x02\x03.;]*$"
)
_CHANGE_BEFORE = re.compile(r"\b(?:chang(?:e[ds]?|ing)|difference|increase[ds]?|decrease[ds]?|rose|fell|dropped"
    r"|gain(?:ed)?|lost|risen|"
                            r"fallen|up|down|declined|grew|reduction)(?: \w+){0,2}? (?:by|of|is|was"
                                r"|:)?\s*(?:an? |about |only )?$")  # fmt: skip
_BY = re.compile(r"\bby\s*(?:about |only )?$")
_CHANGE_AFTER = re.compile(
    r"\s*(?:increase|decrease|change|drop|rise|fall|gain|loss|higher|lower|more|less|reduction|decline)\b"
)
_AGE = re.compile(r"\s*-?(?:old\b|of age\b)")
_AGE_BEFORE = re.compile(r"\b(?:aged?|age(?: is| was| of|:)|old)\s*$")
_CURRENT = re.compile(r"\b(?:current(?:ly)?|now)\b")
_POST = re.compile(r"^[\s,(]*(?:(?:which|that|this|it|was|is|are|being|as|also|its|their|the|a|and that)\s+)*$")
_POST_END = re.compile(
    r"^\s*(?:(?:value|result|reading|one|on record|recorded|so far|ever|measured|yet|level"
    r"|measurement)\s*)*(?:$|[,);.])"
)


class Parts:
    """The pieces found in one claim, and how they belong together."""

    def __init__(self, *, masked: str, mentions: list[Mention], days: list[Day], numbers: list[Number]) -> None:
        self.masked, self.mentions, self.numbers = masked, mentions, numbers
        self.datings = datings(masked, days)

    def cues(self, patterns: dict[str, re.Pattern[str]], span: tuple[int, int] | None = None) -> tuple[Cue, ...]:
        """Where the words of a table stand, the longest at each place, in text order."""
        start, end = span or (0, len(self.masked))
        found = [
            Cue(what=what, start=m.start(), end=m.end(), text=m[0])
            for what, pattern in patterns.items()
            for m in pattern.finditer(self.masked, start, end)
        ]
        found.sort(key=lambda c: (c.start, c.start - c.end))
        kept: list[Cue] = []
        for cue in found:
            if not kept or cue.start >= kept[-1].end:
                kept.append(cue)
        return tuple(kept)

    # Statements.

    def statements(self, clause: int, span: tuple[int, int]) -> list[Statement]:
        """The statements of one clause: one for each number, then one for each name and date that is left."""
        low, high = span
        heads = [m for m in self.mentions if low <= m.start < high and (m.concept or m.cards)]
        others = [m for m in self.mentions if low <= m.start < high and not (m.concept or m.cards)]
        numbers = [n for n in self.numbers if low <= n.start < high]
        datings = [d for d in self.datings if low <= d.start < high]
        heads, more = self._attributes(heads)
        owners = self._owners(numbers, datings, span)
        out = [self._valued(n, heads, owners.get(i), clause) for i, n in enumerate(numbers)]
        out = _shared(out, self.masked)
        free = [d for d in datings if not any(d is o for o in owners.values())]
        out += self._events(heads, free, out, clause)
        if not out and (others or more or any(p.search(self.masked, low, high) for p in KIND_NOUNS.values())):
            out = [Statement(role="event", at=low, clause=clause)]
        out.sort(key=lambda s: s.at)
        out = _attached(out, [*more, *others])
        return self._decorated(out, span)

    def _attributes(self, heads: list[Mention]) -> tuple[list[Mention], list[Mention]]:
        """Names that stand for a detail or value of the name before them are told of it, not by themselves."""
        kept: list[Mention] = []
        more: list[Mention] = []
        for m in heads:
            if kept and (m.detail | m.value) & kept[-1].concept:
                more.append(m)
            elif kept and (kept[-1].detail | kept[-1].value) & m.concept and CAUSES.search(self.masked[: m.start]):
                more.append(kept.pop())
                kept.append(m)
            elif kept and m.concept & kept[-1].concept and not self.masked[kept[-1].end : m.start].strip(" ,()-:/"):
                continue
            else:
                kept.append(m)
        return kept, more

    def _owners(self, numbers: list[Number], datings: list[Dating], span: tuple[int, int]) -> dict[int, Dating]:
        """Which date belongs to which number: the one right behind it, else the one it stands under."""
        owners: dict[int, Dating] = {}
        if not numbers or not datings:
            return owners
        date_first = datings[0].start < numbers[0].start
        for i, n in enumerate(numbers):
            limit = numbers[i + 1].start if i + 1 < len(numbers) else span[1]
            behind = next((d for d in datings if n.end <= d.start < limit), None)
            if behind and self._close(n, behind, date_first, limit):
                owners[i] = behind
        if date_first:
            for i, n in enumerate(numbers):
                above = [d for d in datings if d.end <= n.start]
                if i not in owners and above and self._governs(above[-1], n):
                    owners[i] = above[-1]
        return owners

    def _close(self, n: Number, d: Dating, date_first: bool, limit: int) -> bool:
        gap = self.masked[n.end : d.start]
        if "\x01" in gap and not (counts(self.masked, n) and not re.search(r"\bwhen\b", gap)):
            return False
        if re.search(r"\b(?:and|versus|vs|compared|when|than)\b", gap):
            return False
        if counts(self.masked, n) and re.search(r"\b(?:first|last|latest)\b|:", gap):
            return False
        followed = any(d.end <= other.start < limit for other in self.numbers) or self._value_after(d)
        return not (date_first and followed and not re.search(r"^\s*(?:\(|on\b|in\b|at\b)", gap))

    def _value_after(self, d: Dating) -> bool:
        """Whether a number follows a date as its own: `2019-03-02: 6.9`."""
        return bool(re.match(r"\s*[:=]?\s*\(?\s*\x03", self.masked[d.end :]))

    def _governs(self, d: Dating, n: Number) -> bool:
        """Whether a date before a number is the number's own: not one in brackets behind a name."""
        between = self.masked[d.end : n.start]
        bracket = self.masked[: d.start].rstrip().endswith("(") and between.lstrip().startswith(")")
        # "given on 2019-03-02 (8 records, first …)": what stands in brackets is told of all of them
        counted = counts(self.masked, n) and between.strip() == "(" and d.days[-1].day is not None
        return not bracket and not counted

    def _valued(self, n: Number, heads: list[Mention], dating: Dating | None, clause: int) -> Statement:
        before = [h for h in heads if h.end <= n.start]
        after = [h for h in heads if h.start >= n.end]
        role = self._role(n)
        if role == "age":
            return Statement(role=role, at=n.start, clause=clause, number=n, dating=dating)
        subjects = [h for h in before if not _ANCHORED.search(self.masked[: h.start])] or before
        head = subjects[-1] if subjects else after[0] if after else None
        if role == "count":
            head = self._counted(n, after) or (subjects[-1] if subjects else None)
        return Statement(role=role, at=n.start, clause=clause, number=n, head=head, dating=dating)

    def _counted(self, n: Number, after: list[Mention]) -> Mention | None:
        """The name inside "5 hemoglobin results" or right behind "5 results for"; not the members of a list."""
        if not after:
            return None
        gap = self.masked[n.end : after[0].start]
        plain = not gap.strip("abcdefghijklmnopqrstuvwxyz- ") and not re.search(r"\b(?:is|are|were)\b", gap)
        return after[0] if plain else None

    def _role(self, n: Number) -> Role:
        before, after = self.masked[: n.start], self.masked[n.end :]
        if (n.unit or "").lower().rstrip("s") in ("year", "yr", "a", "month") and (
            _AGE.match(after) or _AGE_BEFORE.search(before)
        ):
            return "age"
        if _AGE_BEFORE.search(before) and not n.unit:
            return "age"
        if n.unit and re.fullmatch(r"years?-old", n.unit.lower()):
            return "age"
        if counts(self.masked, n) or (re.search(r"\x02\s*[:=]\s*$", before) and not n.unit and not n.places):
            return "count"
        if n.signed or _BY.search(before) or _CHANGE_BEFORE.search(before) or _CHANGE_AFTER.match(after):
            return "change" if not re.search(r"\b(?:to|from)\s*$", before) else "value"
        return "value"

    def _events(
        self, heads: list[Mention], free: list[Dating], valued: list[Statement], clause: int
    ) -> list[Statement]:
        used = [s.head for s in valued if s.head]
        out = []
        dated: list[Mention] = []
        for d in free:
            before = [h for h in heads if h.end <= d.start]
            head = before[-1] if before else next((h for h in heads if h.start >= d.end), None)
            if head:
                dated.append(head)
            out.append(Statement(role="event", at=d.start, clause=clause, head=head, dating=d))
        for h in heads:
            spoken = [*used, *dated]
            if not any(h is u or h.concept & u.concept for u in spoken):
                out.append(Statement(role="event", at=h.start, clause=clause, head=h))
        return out

    def _decorated(self, statements: list[Statement], span: tuple[int, int]) -> list[Statement]:
        for cue in self.cues(QUALIFIERS, span):
            at = self._target(cue, statements)
            if at is not None:
                what = "current" if _CURRENT.match(cue.text) else cue.what
                noun, words = self._noun_after(cue)
                s = statements[at]
                if what == "current" and denied_before(self.masked, cue.start):
                    statements[at] = replace(s, denied_statuses=s.denied_statuses | {what})
                    continue
                statements[at] = replace(
                    s, qualifiers=s.qualifiers | {what}, nouns=s.nouns | noun, noun_words=s.noun_words or words
                )
        statements = self._extremes(statements, span)
        statements = self._with_statuses(statements, span)
        for cue in self.cues(INTERPRETATIONS, span):
            at = self._target(cue, statements)
            if at is not None:
                s = statements[at]
                denied = denied_before(self.masked, cue.start)
                what = "abnormal" if denied and cue.what == "normal" else "not " + cue.what if denied else cue.what
                statements[at] = replace(s, interpretations=s.interpretations | {what})
        nouns = frozenset(k for k, p in KIND_NOUNS.items() if p.search(self.masked, *span))
        text = self.masked[span[0] : span[1]]
        statements = [s if s.head or s.nouns else replace(s, nouns=nouns, noun_words=text) for s in statements]
        statements = [replace(s, roles=self._roles(s, span)) for s in statements]
        return [replace(s, denied=True) for s in statements] if self._denies(span) else statements

    def _roles(self, s: Statement, span: tuple[int, int]) -> frozenset[str]:
        counted_to = s.number.end if s.number and s.role == "count" else None
        return roles_told(self.masked, span, s.at, counted_to=counted_to)

    def _noun_after(self, cue: Cue) -> tuple[frozenset[str], str]:
        following = re.match(r"(?:'s)?\s+((?:[a-z]+\s+){0,2}?)", self.masked[cue.end :])
        at = cue.end + (following.end() if following else 0)
        for kind, pattern in KIND_NOUNS.items():
            found = pattern.search(self.masked, at, min(len(self.masked), at + 30))
            between = self.masked[at : found.start()] if found else ""
            plain = not between.strip("abcdefghijklmnopqrstuvwxyz ") and len(between.split()) <= 1
            if found and plain and "\x01" not in found[0]:
                return frozenset((kind,)), found[0]
        return frozenset(), ""

    def _target(self, cue: Cue, statements: list[Statement]) -> int | None:
        """The statement that a qualifier is told of: the next one, unless it stands behind the one before it."""
        later = [i for i, s in enumerate(statements) if s.at >= cue.start]
        valued = [i for i, s in enumerate(statements) if s.role == "value"]
        if cue.what == "closest" and valued:
            return valued[0]
        earlier = [i for i, s in enumerate(statements) if s.at < cue.start]
        if earlier:
            s = statements[earlier[-1]]
            pieces = (p.end for p in (s.number, s.dating, s.head) if p)
            end = max((x for x in pieces if x <= cue.start), default=0)
            if not later and re.search(r"\b(?:than|from|to|as|with|before|against)\b", self.masked[end : cue.start]):
                return None
            gap = re.sub(r"\([\x02 ]*\)|\b(?:on|in|at)\s+\x02+", "", self.masked[end : cue.start])
            if not later or (
                _POST.match(gap.replace(")", " ")) and _POST_END.match(self.masked[cue.end :]) and gap.strip()
            ):
                return earlier[-1]
        return later[0] if later else None

    def _extremes(self, statements: list[Statement], span: tuple[int, int]) -> list[Statement]:
        """`ranged from 6.1 to 8.2` tells the lowest and the highest."""
        found = re.search(r"\brang(?:ed|es|ing)\s+(?:from|between)\s", self.masked[span[0] : span[1]])
        after = [i for i, s in enumerate(statements) if s.role == "value" and found and s.at >= span[0] + found.start()]
        for i, what in zip(after[:2], ("lowest", "highest"), strict=False):
            statements[i] = replace(statements[i], qualifiers=statements[i].qualifiers | {what})
        return statements

    def _with_statuses(self, statements: list[Statement], span: tuple[int, int]) -> list[Statement]:
        """A status is told of the names before it, back to the last status; of those behind it where none is before."""
        seen = span[0] - 1
        for cue in self.cues(STATUSES, span):
            if cue.what == "final" and "final" not in cue.text:
                continue
            denied = denied_before(self.masked, cue.start) and cue.what != "not-done"
            mine = [i for i, s in enumerate(statements) if seen <= _place(s) < cue.start] or [
                i for i, s in enumerate(statements) if _place(s) >= cue.start
            ]
            mine = mine or list(range(len(statements)))
            for i in mine:
                s = statements[i]
                if denied:
                    statements[i] = replace(s, denied_statuses=s.denied_statuses | {cue.what})
                else:
                    statements[i] = replace(s, statuses=s.statuses | {cue.what})
            seen = cue.end
        return statements

    def _denies(self, span: tuple[int, int]) -> bool:
        text = self.masked
        negations = list(NEGATION.finditer(text, *span))
        tables = (STATUSES, DIRECTIONS, INTERPRETATIONS) if negations else ()
        claimed = [cue for table in tables for cue in self.cues(table, span)]
        for m in negations:
            inside = any(c.start <= m.start() < c.end for c in claimed)
            ahead = any(0 <= c.start - m.end() <= 14 and denied_before(text, c.start) for c in claimed)
            if not inside and not ahead:
                return True
        return False


_DENIED = re.compile(
    r"(?<![\w])(?:no|not|never|neither|nor|\w+n't|n't)(?:\s+(?:currently|yet|been|be|listed|recorded|as|the|any|an?|on|now|clearly|significantly|marked|told)){0,3}\s*$"
)


def denied_before(masked: str, at: int) -> bool:
    return bool(_DENIED.search(masked[max(0, at - 40) : at]))


def _place(s: Statement) -> int:
    return s.head.start if s.head else s.at


def _shared(statements: list[Statement], masked: str) -> list[Statement]:
    """`152 and 92 on 1995-12-23`: numbers joined by "and", "/" or commas share the date of the last."""
    out = list(statements)
    for i in range(len(out) - 2, -1, -1):
        a, b = out[i], out[i + 1]
        if a.dating or not b.dating or a.role != "value" or b.role != "value" or not a.number or not b.number:
            continue
        if b.dating.start < b.number.start:
            continue
        gap = masked[a.number.end : b.number.start]
        qualified = any(p.search(gap) for p in QUALIFIERS.values())
        if re.search(r"\band\b|[,/]", gap) and not qualified and not re.search(r"\bto\b|\bfrom\b|\bthan\b", gap):
            out[i] = replace(a, dating=b.dating)
    return out


def _attached(statements: list[Statement], mentions: list[Mention]) -> list[Statement]:
    """Each detail or coded value goes to the statement whose name stands nearest before it, else to the first."""
    out = list(statements)
    for m in mentions:
        before = [i for i, s in enumerate(out) if _place(s) <= m.start]
        i = before[-1] if before else 0
        out[i] = replace(out[i], attributes=(*out[i].attributes, m))
    return out
