"""A value to search by, taken from a resource: what each kind of parameter must find that resource with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fhir_tools.search.definitions import SearchParameter
from fhir_tools.search.elements import literal, walk

__all__ = ["searches"]


def searches(resource: dict[str, Any], spec: SearchParameter) -> Iterator[tuple[str, str]]:
    """(modifier with its colon or empty, value) pairs that must bring the resource back."""
    if spec.type == "composite":
        yield from _composite(resource, spec)
        return
    for element in walk(resource, spec.paths):
        found = list(_BY_TYPE[spec.type](element)) if spec.type in _BY_TYPE else []
        if found:
            yield from found
            return


def _composite(resource: dict[str, Any], spec: SearchParameter) -> Iterator[tuple[str, str]]:
    """One value of each component, joined by `$` (R4 3.1.1.4.15); a path with `%` in front is of the resource."""
    for element in walk(resource, spec.paths):
        parts = []
        for component in spec.components:
            outer = component.paths[0][0].startswith("%") if component.paths[0] else False
            paths = tuple((p[0].removeprefix("%"), *p[1:]) if p else p for p in component.paths)
            found = searches(resource if outer else element, replace(component, paths=paths))
            parts.append(next((value for modifier, value in found if not modifier), None))
        if all(parts):
            yield "", "$".join(part for part in parts if part)
            return


def escaped(text: str) -> str:
    r"""`\`, `,`, `|` and `$` with a backslash (R4 3.1.1.4.1)."""
    for sign in ("\\", ",", "|", "$"):
        text = text.replace(sign, f"\\{sign}")
    return text


def _token(element: Any) -> Iterator[tuple[str, str]]:
    if isinstance(element, bool):
        yield "", "true" if element else "false"
    elif isinstance(element, str):
        yield "", escaped(element)
    elif isinstance(element, dict):
        for item in element.get("coding") or [element]:
            code, system = item.get("code") or item.get("value"), item.get("system")
            if isinstance(code, str):
                yield "", escaped(code)
                yield "", f"{escaped(system)}|{escaped(code)}" if system else f"|{escaped(code)}"
                yield "", f"no-such-code,{escaped(code)}"
                kind = item.get("type")
                coding = (kind.get("coding") or [{}])[0] if isinstance(kind, dict) else {}
                if coding.get("code") and item.get("value"):
                    type_ = f"{escaped(coding.get('system', ''))}|{escaped(coding['code'])}"
                    yield ":of-type", f"{type_}|{escaped(item['value'])}"
                if "coding" in element and (item.get("display") or element.get("text")):
                    yield ":text", escaped(str(item.get("display") or element["text"]))
                return


def _date(element: Any) -> Iterator[tuple[str, str]]:
    if isinstance(element, dict):
        element = element.get("start") if element.get("end") is None else None
        if isinstance(element, str):
            yield "", f"ge{element[:10]}"
        return
    if isinstance(element, str):
        yield "", element[:10]
        yield "", element[:4]
        yield "", f"ge{element[:10]}"
        yield "", f"le{element[:10]}"
        if len(element) > 10:
            yield "", element


def _string(element: Any) -> Iterator[tuple[str, str]]:
    if isinstance(element, dict):
        first = element.get("family") or element.get("city") or element.get("text")
        element = first if isinstance(first, str) else None
    if isinstance(element, str) and element:
        yield "", escaped(element)
        yield "", escaped(element[:3].upper())
        yield ":exact", escaped(element)
        yield ":contains", escaped(element[1:4].lower()) if len(element) > 4 else escaped(element)


def _reference(element: Any) -> Iterator[tuple[str, str]]:
    text = literal(element)
    if text and text.count("/") == 1 and ":" not in text:
        type_, _, id_ = text.partition("/")
        yield "", text
        yield f":{type_}", id_


def _quantity(element: Any) -> Iterator[tuple[str, str]]:
    if isinstance(element, dict) and isinstance(element.get("value"), int | float) and "comparator" not in element:
        value = element["value"]
        yield "", f"ge{value}"
        yield "", f"le{value}"
        if element.get("code"):
            yield "", f"ge{value}|{escaped(element.get('system', ''))}|{escaped(element['code'])}"
            yield "", f"ge{value}||{escaped(element['code'])}"


def _uri(element: Any) -> Iterator[tuple[str, str]]:
    if isinstance(element, str):
        yield "", escaped(element)


_BY_TYPE = {
    "token": _token,
    "date": _date,
    "string": _string,
    "reference": _reference,
    "quantity": _quantity,
    "uri": _uri,
}
