"""Element values as search sees them: walking paths, and tokens, time ranges, texts and numbers of FHIR types."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from fhir_tools import dates
from fhir_tools.search.definitions import Path
from fhir_tools.types import Interval

__all__ = [
    "FUTURE",
    "PAST",
    "TimeSpan",
    "fold",
    "inner",
    "literal",
    "ranges",
    "strings",
    "texts",
    "time_range",
    "tokens",
    "walk",
]

TimeSpan = tuple[int, int]
"""First instant and the first one after, in microseconds since 1970-01-01T00:00Z; PAST and FUTURE are open."""

PAST, FUTURE = -(2**62), 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION = re.compile(r"/_history/[^/]+$")


def walk(node: Any, paths: Iterable[Path]) -> list[Any]:
    """All element values at the paths, lists opened; what is not there, or has another shape, is skipped."""
    found: list[Any] = []
    for path in paths:
        here = node if isinstance(node, list) else [node]
        for key in path:
            here = _step(here, key)
            if not here:
                break
        found += here
    return found


def _step(nodes: list[Any], key: str) -> list[Any]:
    if key[-1] == "?":
        return [_is_said(node, key[:-1]) for node in nodes]
    if key[-1] == "]":
        key, _, condition = key[:-1].partition("[")
        name, _, wanted = condition.partition("=")
        return [v for v in _step(nodes, key) if isinstance(v, dict) and v.get(name) == wanted]
    found: list[Any] = []
    for node in nodes:
        value = node.get(key) if isinstance(node, dict) else None
        if isinstance(value, list):
            found += value
        elif value is not None:
            found.append(value)
    return found


def _is_said(node: Any, name: str) -> bool:
    """Whether a choice element is there and not false: `Patient.deceased.exists() and Patient.deceased != false`."""
    items = node.items() if isinstance(node, dict) else ()
    return any(k.startswith(name) and k[len(name) :][:1].isupper() and v is not False for k, v in items)


def literal(value: Any) -> str | None:
    """The text of a Reference (or canonical) without its version; None for contained, logical and absent ones."""
    text = value.get("reference") if isinstance(value, dict) else value
    if not isinstance(text, str) or not text or text.startswith("#"):
        return None
    return _VERSION.sub("", text) if "/_history/" in text else text


def inner(value: Any) -> str | None:
    """The id of the contained resource that a Reference points to (`#id`), or None."""
    text = value.get("reference") if isinstance(value, dict) else None
    return text[1:] if isinstance(text, str) and text[:1] == "#" and len(text) > 1 else None


def tokens(value: Any) -> list[tuple[str | None, str]]:
    """(system, code) of a Coding, CodeableConcept, Identifier, ContactPoint, code or boolean (R4 3.1.1.4.10)."""
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    if isinstance(value, str):
        return [(None, value)]
    if not isinstance(value, dict):
        return []
    coding = value.get("coding")
    found: list[tuple[str | None, str]] = []
    for item in coding if isinstance(coding, list) else (value,):
        code = (item.get("code") or item.get("value")) if isinstance(item, dict) else None
        if isinstance(code, str):
            system = item.get("system")
            found.append((system if isinstance(system, str) else None, code))
    return found


def texts(value: Any) -> Iterator[str]:
    """The words beside a token, for `:text`: display, text and type.text."""
    for holder in (value, value.get("type")) if isinstance(value, dict) else ():
        if isinstance(holder, dict):
            coding = holder.get("coding")
            for item in (holder, *(coding if isinstance(coding, list) else ())):
                if isinstance(item, dict):
                    yield from (x for x in (item.get("text"), item.get("display")) if isinstance(x, str))


def strings(value: Any) -> Iterator[str]:
    """The parts of a string, HumanName or Address (or of any complex element) that string search reads."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            if key not in ("use", "period", "extension", "id", "type", "system"):
                yield from (x for x in (part if isinstance(part, list) else (part,)) if isinstance(x, str))


def fold(text: str) -> str:
    """Without case and accents, white space as one blank (R4 3.1.1.4.9)."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.casefold().split())


def ranges(value: Any) -> Iterator[TimeSpan]:
    """The time ranges of a date, dateTime, instant, Period or Timing; nothing for what is none."""
    if isinstance(value, str):
        span = time_range(value)
        if span:
            yield span
    elif isinstance(value, dict):
        if "start" in value or "end" in value:
            yield from _period(value)
        events, repeat = value.get("event"), value.get("repeat")
        for event in events if isinstance(events, list) else ():
            yield from ranges(event)
        if isinstance(repeat, dict) and isinstance(repeat.get("boundsPeriod"), dict):
            yield from _period(repeat["boundsPeriod"])


def _period(value: Mapping[str, Any]) -> Iterator[TimeSpan]:
    try:
        found = dates.period(value)
    except (ValueError, TypeError, AttributeError):
        return
    if found:
        yield _span(found)


@lru_cache(maxsize=8192)
def time_range(text: str) -> TimeSpan | None:
    """The range that a date of any precision covers (R4 3.1.1.4.7); None for what is no date."""
    try:
        return _span(dates.parse(text))
    except (ValueError, OverflowError):
        return None


def _span(interval: Interval) -> TimeSpan:
    low = PAST if interval.low is None else (interval.low - _EPOCH) // _MICROSECOND
    return low, FUTURE if interval.high is None else (interval.high - _EPOCH) // _MICROSECOND
