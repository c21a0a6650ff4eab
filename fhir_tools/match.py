"""Whether a resource meets a search parameter: the whole meaning of R4 3.1.1.4, read from the resource itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_tools import values
from fhir_tools.definitions import R4_TYPES, Path, SearchParameter
from fhir_tools.elements import fold, literal, ranges, strings, texts, tokens, walk
from fhir_tools.errors import QueryError
from fhir_tools.query import Param
from fhir_tools.values import (
    asked_composite,
    asked_number,
    asked_quantity,
    asked_range,
    asked_token,
    asked_typed,
    unescape,
)

__all__ = ["asked_range", "asked_references", "asked_token", "compare", "linked", "matches"]

Test = Callable[[Any], bool]
Number = float | int


def matches(resource: Mapping[str, Any], param: Param) -> bool:
    """Whether the resource meets the parameter.

    Raises QueryError for a value that cannot be read, and for a chain or `_has`: other resources decide those.
    """
    if param.chain is not None:
        raise QueryError(f"{param.written!r} cannot be told from one resource: it asks about others; search for it")
    if param.spec.type == "composite":
        return any(_composite(resource, param.spec, value) for value in param.values)
    found = walk(resource, param.spec.paths)
    if param.modifier == "missing":
        if param.spec.type == "reference":
            found = [element for element in found if _leads(element, param.spec)]
        return (not found) == (param.values == ("true",))
    tests = [_test(param, value) for value in param.values]
    hit = any(test(element) for element in found for test in tests)
    return not hit if param.modifier == "not" else hit


def linked(resource: Mapping[str, Any], spec: SearchParameter) -> list[str]:
    """The literal references that a reference parameter finds, of the types that it may lead to."""
    found = (literal(element) for element in walk(resource, spec.paths) if _leads(element, spec))
    return [text for text in found if text]


def _leads(element: Any, spec: SearchParameter) -> bool:
    """Whether a reference may lead to one of the parameter's targets (`subject.where(resolve() is Patient)`)."""
    text = literal(element) or ""
    said = element.get("type") if isinstance(element, dict) else None
    kind = text.rsplit("/", 2)[-2] if "/" in text else said
    return not spec.targets or kind not in R4_TYPES or kind in spec.targets


def _test(param: Param, value: str) -> Test:
    return _TESTS[param.spec.type](param, value)


# composite


def _composite(resource: Mapping[str, Any], spec: SearchParameter, value: str) -> bool:
    """Whether all components meet their value within one element (R4 3.1.1.4.17)."""
    parts = [
        (part, _test(Param(spec=part, modifier=None, values=(asked,)), asked))
        for part, asked in zip(spec.components, asked_composite(spec, value), strict=True)
    ]
    return any(
        all(any(test(found) for found in _within(resource, element, part.paths)) for part, test in parts)
        for element in walk(resource, spec.paths)
    )


def _within(resource: Mapping[str, Any], element: Any, paths: Iterable[Path]) -> list[Any]:
    outer = tuple((path[0][1:], *path[1:]) for path in paths if path and path[0][0] == "%")
    return walk(resource, outer) if outer else walk(element, paths)


# token


def _token(param: Param, value: str) -> Test:
    if param.modifier == "text":
        start = fold(unescape(value))
        return lambda element: any(fold(text).startswith(start) for text in texts(element))
    if param.modifier == "of-type":
        type_system, type_code, asked = asked_typed(value)
        return lambda element: (
            isinstance(element, dict)
            and element.get("value") == asked
            and any(type_code == c and type_system in (None, s) for s, c in tokens(element.get("type")))
        )
    system, code = asked_token(value)

    def test(element: Any) -> bool:
        bare = isinstance(element, str | bool)
        return any(
            (code is None or code == c) and (system is None or bare or system == (s or "")) for s, c in tokens(element)
        )

    return test


# date


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
    """The references that a value stands for (`fhir_tools.values.asked_references`), by the parameter's modifier."""
    return values.asked_references(param.spec, param.modifier, value, types)


def _reference(param: Param, value: str) -> Test:
    if param.modifier == "identifier":
        system, code = asked_token(value)
        return lambda element: (
            isinstance(element, dict)
            and any(code in (None, c) and system in (None, s or "") for s, c in tokens(element.get("identifier")))
        )
    wanted = frozenset(asked_references(param, value, R4_TYPES))

    def test(element: Any) -> bool:
        text = literal(element)
        return text in wanted or ("|" in (text or "") and str(text).partition("|")[0] in wanted)

    return test


# number and quantity


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
    comparator = element.get("comparator")
    if comparator in ("<", "<="):
        return -math.inf, value if comparator == "<=" else math.nextafter(value, -math.inf)
    if comparator in (">", ">="):
        return value if comparator == ">=" else math.nextafter(value, math.inf), math.inf
    return value, value


def _number(param: Param, value: str) -> Test:
    prefix, asked = asked_number(value)

    def test(element: Any) -> bool:
        target = _amount(element)
        return target is not None and _compare_number(prefix, target, asked)

    return test


def _quantity(param: Param, value: str) -> Test:
    """`number`, `number|system|code` or `number||code` (code or unit); units are not converted."""
    asked, system, code = asked_quantity(value)
    number = _number(param, asked)
    if not system and not code:
        return number

    def test(element: Any) -> bool:
        part = next((element[k] for k in ("low", "high", "origin") if isinstance(element.get(k), dict)), element)
        units = (part.get("code"),) if system else (part.get("code"), part.get("unit"))
        return (not code or code in units) and (not system or part.get("system") == system) and number(element)

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
