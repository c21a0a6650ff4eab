"""Whether a resource meets a search parameter: the whole meaning of R4 3.1.1.4, read from the resource itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fhir_tools.errors import QueryError
from fhir_tools.search import values
from fhir_tools.search.definitions import R4_TYPES, Path, SearchParameter
from fhir_tools.search.elements import fold, literal, ranges, strings, texts, tokens, walk
from fhir_tools.search.query import Param
from fhir_tools.search.values import (
    asked_composite,
    asked_number,
    asked_quantity,
    asked_range,
    asked_token,
    asked_typed,
    unescape,
)

__all__ = ["asked_range", "asked_references", "asked_token", "compare", "linked", "matches", "tester"]

Test = Callable[[Any], bool]
Number = float | int


def matches(resource: Mapping[str, Any], param: Param) -> bool:
    """Whether the resource meets the parameter.

    Raises QueryError for a value that cannot be read, and for a chain or `_has`: other resources decide those.
    """
    return tester(param)(resource)


def tester(param: Param) -> Callable[[Mapping[str, Any]], bool]:
    """`matches` for many resources: the values are read once. Raises QueryError as it does."""
    if param.chain is not None:
        raise QueryError(f"{param.written!r} cannot be told from one resource: it asks about others; search for it")
    spec, paths = param.spec, param.spec.paths
    if spec.type == "composite":
        return lambda resource: any(_composite(resource, spec, value) for value in param.values)
    if param.modifier == "missing":
        wanted = param.values == ("true",)
        leads = spec.type == "reference"
        return lambda resource: wanted != any(not leads or _leads(e, spec) for e in walk(resource, paths))
    tests = _tests(param)
    if param.modifier == "not":
        return lambda resource: not any(test(element) for element in walk(resource, paths) for test in tests)
    return lambda resource: any(test(element) for element in walk(resource, paths) for test in tests)


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


def _tests(param: Param) -> list[Test]:
    """A test for each value; one for all of them where they are tokens, of which there can be hundreds."""
    if param.spec.type == "token" and param.modifier in (None, "not"):
        return [_any_token(param.values)]
    return [_test(param, value) for value in param.values]


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
    return _any_token((value,))


def _any_token(values: Sequence[str]) -> Test:
    """Whether an element has one of the tokens; where it has no system (a code, a boolean), that asked for is met."""
    asked = [asked_token(value) for value in values]
    codes = {code for system, code in asked if system is None}
    pairs = {(system, code) for system, code in asked if system is not None and code is not None}
    systems = {system for system, code in asked if system is not None and code is None}
    bare = codes | {code for _, code in pairs}

    def test(element: Any) -> bool:
        if isinstance(element, str | bool):
            return bool(systems) or any(code in bare for _, code in tokens(element))
        return any(c in codes or (s or "", c) in pairs or (s or "") in systems for s, c in tokens(element))

    return test


# date


def compare(prefix: str, target: tuple[Number, Number], asked: tuple[Number, Number]) -> bool:
    """Compare ranges [low, high) by prefix: `target` is the resource's, `asked` the search's (R4 3.1.1.4.4)."""
    return _COMPARED[prefix](*target, *asked)


_COMPARED: Mapping[str, Callable[[Number, Number, Number, Number], bool]] = {
    "eq": lambda low, high, start, end: start <= low and high <= end,
    "ne": lambda low, high, start, end: low < start or end < high,
    "gt": lambda low, high, start, end: high > end,
    "lt": lambda low, high, start, end: low < start,
    "ge": lambda low, high, start, end: high > end or (start <= low and high <= end),
    "le": lambda low, high, start, end: low < start or (start <= low and high <= end),
    "sa": lambda low, high, start, end: low >= end,
    "eb": lambda low, high, start, end: high <= start,
    "ap": lambda low, high, start, end: low < end and start < high,
}


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
    """The references that a value stands for (`values.asked_references`), by the parameter's modifier."""
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
