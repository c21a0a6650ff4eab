"""Whether a resource meets a search parameter: the whole meaning of R4 3.1.1.4, read from the resource itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from fhir_tools.elements import TimeSpan, fold, literal, ranges, strings, texts, time_range, tokens, walk
from fhir_tools.errors import QueryError
from fhir_tools.query import Param, split_value, unescape, with_prefix

__all__ = ["asked_range", "asked_references", "asked_token", "compare", "matches"]

Test = Callable[[Any], bool]
Number = float | int


def matches(resource: Mapping[str, Any], param: Param) -> bool:
    """Whether the resource meets the parameter. Raises QueryError for a value that cannot be read."""
    found = walk(resource, param.spec.paths)
    if param.modifier == "missing":
        return (not found) == (param.values == ("true",))
    tests = [_test(param, value) for value in param.values]
    hit = any(test(element) for element in found for test in tests)
    return not hit if param.modifier == "not" else hit


def _test(param: Param, value: str) -> Test:
    return _TESTS[param.spec.type](param, value)


# token


def asked_token(value: str) -> tuple[str | None, str | None]:
    """(system, code) of a token value: None where not asked, '' for `|code` (no system)."""
    parts = split_value(value, "|")
    if len(parts) > 2:
        raise QueryError(f"not a token: {value!r}; write it as code, system|code, |code or system|")
    if len(parts) == 1:
        return None, unescape(value)
    return unescape(parts[0]), unescape(parts[1]) or None


def _token(param: Param, value: str) -> Test:
    if param.modifier == "text":
        start = fold(unescape(value))
        return lambda element: any(fold(text).startswith(start) for text in texts(element))
    system, code = asked_token(value)

    def test(element: Any) -> bool:
        bare = isinstance(element, str | bool)
        return any(
            (code is None or code == c) and (system is None or bare or system == (s or "")) for s, c in tokens(element)
        )

    return test


# date


def asked_range(value: str, now: datetime | None = None) -> tuple[str, TimeSpan]:
    """Prefix and range of a date value; `ap` widens it by a tenth of its distance from now (R4 3.1.1.4.4)."""
    prefix, text = with_prefix(unescape(value))
    # A '+' of an offset that was not percent-encoded arrives as a blank.
    found = time_range(text.replace(" ", "+"))
    if found is None:
        raise QueryError(f"not a date: {text!r}; write it as YYYY, YYYY-MM, YYYY-MM-DD or with a time and offset")
    if prefix == "ap":
        instant = int((now or datetime.now(UTC)).timestamp() * 1_000_000)
        gap = abs(instant - found[0]) // 10
        return prefix, (found[0] - gap, found[1] + gap)
    return prefix, found


def compare(prefix: str, target: tuple[Number, Number], asked: tuple[Number, Number]) -> bool:
    """Compare ranges [low, high) by prefix: `target` is the resource's, `asked` the search's (R4 3.1.1.4.4)."""
    (low, high), (start, end) = target, asked
    within = start <= low and high <= end
    return {
        "eq": within,
        "ne": not within,
        "gt": high > end,
        "lt": low < start,
        "ge": high > end or within,
        "le": low < start or within,
        "sa": low >= end,
        "eb": high <= start,
        "ap": low < end and start < high,
    }[prefix]


def _date(param: Param, value: str) -> Test:
    prefix, asked = asked_range(value)
    return lambda element: any(compare(prefix, target, asked) for target in ranges(element))


# string and uri


def _string(param: Param, value: str) -> Test:
    text = unescape(value)
    if param.modifier == "exact":
        return lambda element: any(part == text for part in strings(element))
    folded = fold(text)
    if param.modifier == "contains":
        return lambda element: any(folded in fold(part) for part in strings(element))
    return lambda element: any(fold(part).startswith(folded) for part in strings(element))


def _uri(param: Param, value: str) -> Test:
    text = unescape(value)
    if param.modifier == "below":
        return lambda element: isinstance(element, str) and (element + "/").startswith(text.rstrip("/") + "/")
    if param.modifier == "above":
        return lambda element: isinstance(element, str) and (text + "/").startswith(element.rstrip("/") + "/")
    return lambda element: element == text


# reference


def asked_references(param: Param, value: str, types: Iterable[str]) -> tuple[str, ...]:
    """The literal references that a value stands for: `Type/id`, a bare id of each target type, an absolute URL."""
    text = literal(unescape(value)) or ""
    targets = (param.modifier,) if param.modifier else param.spec.targets or tuple(types)
    if "/" not in text:
        return tuple(f"{type_}/{text}" for type_ in targets)
    tail = "/".join(text.rsplit("/", 2)[-2:])
    if param.modifier and not tail.startswith(f"{param.modifier}/"):
        raise QueryError(f"{param.name}:{param.modifier} cannot be {value!r}")
    return tuple(dict.fromkeys((text, tail)))


def _reference(param: Param, value: str) -> Test:
    if param.modifier == "identifier":
        system, code = asked_token(value)
        return lambda element: (
            isinstance(element, dict)
            and any(code in (None, c) and system in (None, s or "") for s, c in tokens(element.get("identifier")))
        )
    text = literal(unescape(value)) or ""
    if "/" in text:
        wanted = asked_references(param, value, ())
        return lambda element: literal(element) in wanted
    limit = (param.modifier,) if param.modifier else param.spec.targets

    def test(element: Any) -> bool:
        type_, _, id_ = (literal(element) or "").rpartition("/")
        return id_ == text and (not limit or type_ in limit)

    return test


# number and quantity


def _asked_number(text: str) -> tuple[str, tuple[float, float]]:
    """Prefix and range of a number: without prefix, the half unit round its last digit (R4 3.1.1.4.6)."""
    prefix, digits = with_prefix(text)
    try:
        number = Decimal(digits)
        exponent = number.as_tuple().exponent
    except InvalidOperation:
        exponent = "n"
    if not isinstance(exponent, int):
        raise QueryError(f"not a number: {digits!r}")
    value = float(number)
    if prefix in ("eq", "ne"):
        half = Decimal((0, (5,), exponent - 1))
        return prefix, (float(number - half), float(number + half))
    spread = abs(value) * 0.1 if prefix == "ap" else 0.0
    return prefix, (value - spread, value + spread)


def _compare_number(prefix: str, target: tuple[float, float], asked: tuple[float, float]) -> bool:
    (low, high), (start, end) = target, asked
    within = start <= low and high <= end and (high < end or start == end or low == -math.inf)
    return {
        "eq": within,
        "ne": not within,
        "gt": high > end,
        "lt": low < start,
        "ge": high >= end,
        "le": low <= start,
        "sa": low > end,
        "eb": high < start,
        "ap": low <= end and start <= high,
    }[prefix]


def _amount(element: Any) -> tuple[float, float] | None:
    """The range of a number, Quantity (its comparator read) or Range."""
    if isinstance(element, int | float) and not isinstance(element, bool):
        return element, element
    if not isinstance(element, dict):
        return None
    if "low" in element or "high" in element:
        low, high = _amount(element.get("low")), _amount(element.get("high"))
        return low[0] if low else -math.inf, high[1] if high else math.inf
    value = element.get("value")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    comparator = str(element.get("comparator", ""))
    return (-math.inf if comparator[:1] == "<" else value), (math.inf if comparator[:1] == ">" else value)


def _number(param: Param, value: str) -> Test:
    prefix, asked = _asked_number(unescape(value))

    def test(element: Any) -> bool:
        target = _amount(element)
        return target is not None and _compare_number(prefix, target, asked)

    return test


def _quantity(param: Param, value: str) -> Test:
    """`number`, `number|system|code` or `number||code` (code or unit); units are not converted."""
    parts = [unescape(p) for p in split_value(value, "|")]
    if len(parts) not in (1, 3):
        raise QueryError(f"not a quantity: {value!r}; write it as number, number|system|code or number||code")
    number = _number(param, parts[0])
    if len(parts) == 1:
        return number
    system, code = parts[1:]

    def test(element: Any) -> bool:
        part = next((element[k] for k in ("low", "high", "origin") if isinstance(element.get(k), dict)), element)
        units = (part.get("code"),) if system else (part.get("code"), part.get("unit"))
        return code in units and (not system or part.get("system") == system) and number(element)

    return lambda element: isinstance(element, dict) and test(element)


_TESTS: Mapping[str, Callable[[Param, str], Test]] = {
    "token": _token,
    "date": _date,
    "string": _string,
    "uri": _uri,
    "reference": _reference,
    "number": _number,
    "quantity": _quantity,
}
