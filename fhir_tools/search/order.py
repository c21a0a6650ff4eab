"""The order of matches by `_sort` (R4 3.1.1.5.1), for the store and for what a server cannot sort itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fhir_tools.search.control import SortKey
from fhir_tools.search.definitions import SearchParameter, parameters
from fhir_tools.search.elements import fold, literal, ranges, strings, tokens, walk

__all__ = ["rank", "sort_value", "sorted_by", "sorted_resources"]

Resource = Mapping[str, Any]
T = TypeVar("T")


def sorted_resources(resources: Iterable[Resource], keys: Sequence[SortKey]) -> list[Resource]:
    """The resources in order; equal ones as they came, what has no value of a key last in either direction."""
    return sorted_by(list(resources), keys, lambda resource, key: sort_value(resource, key))


def sorted_by(items: list[T], keys: Sequence[SortKey], value: Callable[[T, SortKey], Any]) -> list[T]:
    """The items in order by `value(item, key)`, None last."""
    for key in reversed(keys):
        valued = [(value(item, key), item) for item in items]
        present = sorted(((v, x) for v, x in valued if v is not None), key=lambda pair: pair[0], reverse=key.down)
        items = [x for _, x in present] + [x for v, x in valued if v is None]
    return items


def sort_value(resource: Resource, key: SortKey) -> Any:
    """What a resource is sorted by, of several values the one that comes first in that direction; None for none."""
    spec = parameters(str(resource.get("resourceType"))).get(key.name)
    values = [v for element in walk(resource, spec.paths) for v in _sortable(spec, element)] if spec else []
    return (max if key.down else min)(values, default=None)


class _Down:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and bool(other.value == self.value)

    __hash__ = None  # type: ignore[assignment]


def rank(values: Sequence[Any], keys: Sequence[SortKey], last: int) -> tuple[Any, ...]:
    """A comparable place in the order: `values` by key, then `last` among equal ones."""
    parts: list[Any] = []
    for value, key in zip(values, keys, strict=True):
        parts += [value is None, 0 if value is None else _Down(value) if key.down else value]
    return (*parts, last)


def _sortable(spec: SearchParameter, element: Any) -> Iterable[Any]:
    if spec.type == "date":
        return [low for low, _ in ranges(element)]
    if spec.type == "token":
        return [fold(code) for _, code in tokens(element)]
    if spec.type == "reference":
        return [text for text in (literal(element),) if text]
    if spec.type in ("string", "uri"):
        return [fold(text) for text in strings(element)]
    value = element.get("value") if isinstance(element, dict) else element
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []
