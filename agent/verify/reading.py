"""A claim's words → what it asserts: statements, direction, cause, polarity, quotes, and what is left over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from agent.verify.chart import Chart, Mention
from agent.verify.datings import CLAUSE
from agent.verify.statements import Cue, Parts, Statement, counts, denied_before
from agent.verify.told import days_in, normal, numbers_in
from agent.verify.windows import Windowed, windows_in
from agent.verify.words import (
    ADVICE,
    CAUSES,
    DIRECTIONS,
    INTERPRETATIONS,
    KIND_NOUNS,
    NEGATION,
    NEUTRAL,
    QUALIFIERS,
    RELATIVE,
    RELATIVE_TIME,
    STATUSES,
    VAGUE,
)

__all__ = ["Reading", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is read from one claim. `leftover` are content words that nothing here accounts for."""

    text: str
    statements: tuple[Statement, ...]
    mentions: tuple[Mention, ...]
    answer: Literal["yes", "no", ""] = ""
    directions: tuple[Cue, ...] = ()
    direction_denied: bool = False
    causes: tuple[Cue, ...] = ()
    relative: str = ""
    relative_times: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    leftover: tuple[str, ...] = ()
    advice: bool = False
    vague: bool = False
    denied: bool = False
    masked: str = field(default="", repr=False)


_MARKS = re.compile(r"\s*\[(?:[cs]?\d+(?:\s*,\s*[cs]?\d+)*)\]")
_QUOTE = re.compile(r'"([^"]+)"')
_ANSWER = re.compile(r"\s*(yes|no)\s*(?:[.,:;!-]|$)(?!\s*known)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_RUN = re.compile(r"[\w'-]+")


def read(text: str, chart: Chart) -> Reading:
    """What a claim asserts, with the names that the evidence knows."""
    shown = _MARKS.sub("", text)
    lower = normal(shown)
    quotes = tuple(m[1] for m in _QUOTE.finditer(normal_quotes(shown)))
    masked = _QUOTE.sub(lambda m: "\x04" * len(m[0]), lower)
    answer = _ANSWER.match(masked)
    masked = _blank(masked, answer.span()) if answer else masked
    windows = tuple(windows_in(masked, chart.windows)) if chart.windows else ()
    for w in windows:
        masked = _blank(masked, (w.start, w.end))
    mentions = chart.mentions(masked, shown)
    for m in mentions:
        masked = _fill(masked, m.start, m.end, "\x01")
    times = tuple(m[0].strip() for m in RELATIVE_TIME.finditer(masked))
    masked = RELATIVE_TIME.sub(lambda m: " " * len(m[0]), masked)
    days = days_in(masked)
    for day in days:
        masked = _fill(masked, day.start, day.end, "\x02")
    numbers = list(numbers_in(masked, _seen(shown, masked), chart.is_unit))
    numbers = [n for n in numbers if not n.word or counts(masked, n)]
    for n in numbers:
        masked = _fill(masked, n.start, n.end, "\x03")
    parts = Parts(masked=masked, mentions=mentions, days=days, numbers=numbers)
    statements = tuple(
        _windowed(s, span, windows) for i, span in enumerate(_clauses(masked)) for s in parts.statements(i, span)
    )
    directions = parts.cues(DIRECTIONS)
    return Reading(
        text=shown,
        statements=_with_context(statements),
        mentions=tuple(mentions),
        answer=answer[1] if answer else "",  # type: ignore[arg-type]
        directions=directions,
        direction_denied=any(denied_before(masked, c.start) for c in directions if c.what != "same"),
        causes=tuple(Cue(what="cause", start=m.start(), end=m.end(), text=m[0]) for m in CAUSES.finditer(masked)),
        relative=_relative(lower, mentions),
        relative_times=times,
        quotes=quotes,
        leftover=_leftover(masked),
        advice=bool(ADVICE.search(masked)),
        vague=bool(VAGUE.search(masked)),
        denied=any(s.denied for s in statements),
        masked=masked,
    )


def _windowed(s: Statement, span: tuple[int, int], windows: tuple[Windowed, ...]) -> Statement:
    """The statement with the facts of the window that its clause tells."""
    inside = [w.ids for w in windows if span[0] <= w.start < span[1]]
    return replace(s, within=frozenset.intersection(*inside)) if inside else s


def _relative(lower: str, mentions: list[Mention]) -> str:
    """The relative that is named, if not as part of a concept's name such as "family medicine visit"."""
    inside = [(m.start, m.end) for m in mentions if (m.concept or m.cards) and not RELATIVE.fullmatch(m.text)]
    return next((m[0] for m in RELATIVE.finditer(lower) if not any(a <= m.start() < b for a, b in inside)), "")


def normal_quotes(text: str) -> str:
    return text.replace("“", '"').replace("”", '"').replace("„", '"')


def _fill(text: str, start: int, end: int, with_: str) -> str:
    return text[:start] + with_ * (end - start) + text[end:]


def _blank(text: str, span: tuple[int, int]) -> str:
    return _fill(text, span[0], span[1], " ")


def _seen(shown: str, masked: str) -> str:
    """The text with its capitals, and with the masks of names and dates, which are no units."""
    return "".join(m if m in "\x01\x02\x04" else s for s, m in zip(shown, masked, strict=True))


def _clauses(masked: str) -> list[tuple[int, int]]:
    ends = [m.span() for m in CLAUSE.finditer(masked)]
    starts = [0, *(e for _, e in ends)]
    return [(a, b) for a, b in zip(starts, [*(s for s, _ in ends), len(masked)], strict=True) if masked[a:b].strip()]


def _with_context(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """A statement without a name is about the name last told in the clauses before it."""
    out: list[Statement] = []
    last: Mention | None = None
    for s in statements:
        if s.head is None and last is not None and not s.nouns and s.role != "age":
            s = replace(s, head=last)
        last = s.head or last
        out.append(s)
    return tuple(out)


_CUES = (
    *QUALIFIERS.values(), *DIRECTIONS.values(), *STATUSES.values(), *INTERPRETATIONS.values(), *KIND_NOUNS.values(),
    NEGATION,     CAUSES, RELATIVE,
)  # fmt: skip


@lru_cache(maxsize=1 << 12)
def _is_told(run: str) -> bool:
    """Whether a whole word is a cue or neutral by itself, so that nothing of it can be left over."""
    return "'" not in run and (run.isdigit() or run in NEUTRAL or any(p.fullmatch(run) for p in _CUES))


def _leftover(masked: str) -> tuple[str, ...]:
    """The words that are no cue and not neutral."""
    if all(map(_is_told, _RUN.findall(masked))):
        return ()
    text = masked
    for pattern in _CUES:
        text = pattern.sub(lambda m: " " * len(m[0]), text)
    words = (m[0].removesuffix("'s").strip("-'") for m in _WORD.finditer(text))
    return tuple(w for w in words if w and w not in NEUTRAL and not all(part in NEUTRAL for part in w.split("-")))
