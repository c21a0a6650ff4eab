"""The result parameters of a search: order, pages, what comes along and how much of it (R4 3.1.1.5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fhir_tools.errors import QueryError
from fhir_tools.search.definitions import R4_TYPES, SearchParameter, elements, parameters

__all__ = ["RESULT", "Control", "Include", "SortKey", "read_control", "system_types"]

RESULT = frozenset(
    (
        "_sort", "_count", "_include", "_include:iterate", "_revinclude", "_revinclude:iterate", "_elements",
        "_summary", "_total", "_format", "_pretty", "_page",
    )
)  # fmt: skip
"""The names of result parameters, with their modifiers."""

Summary = Literal["true", "text", "data", "count", "false"]
Total = Literal["none", "estimate", "accurate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """A search parameter to sort by; `down` is for a leading `-`."""

    name: str
    down: bool = False

    @classmethod
    def of(cls, text: str) -> SortKey:
        """From a value of `_sort`: `date` or `-date`."""
        return cls(name=text.removeprefix("-"), down=text.startswith("-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """References of `type` to follow (`reverse`: from the found resource back to those of `type` that refer to it).

    `target` limits the type at the far end of the reference. `iterate`: also from what was included.
    """

    type: str
    specs: tuple[SearchParameter, ...]
    target: str = ""
    reverse: bool = False
    iterate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The result parameters of a search, checked. `count` 0 and `summary` "count" ask for the total alone.

    `page` is a server's own token. `fields` are the elements asked for by `_elements`.
    """

    sort: tuple[SortKey, ...] = ()
    count: int | None = None
    include: tuple[Include, ...] = ()
    fields: frozenset[str] = frozenset()
    summary: Summary = "false"
    total: Total = "accurate"
    page: str | None = None


def system_types(result: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The types of a search of the whole system; empty for all of them. Raises QueryError."""
    types = tuple(dict.fromkeys(t for value in result.get("_type", ()) for t in value.split(",")))
    for type_ in types:
        if type_ not in R4_TYPES:
            raise QueryError(f"{type_!r} in _type is not a FHIR R4 resource type")
    return types


def read_control(types: Sequence[str], result: Mapping[str, Sequence[str]]) -> Control:
    """The result parameters of a search of these types (none: of every type). Raises QueryError with what is wrong."""
    last = {name: values[-1] for name, values in result.items()}
    summary = _one_of("_summary", last, ("true", "text", "data", "count", "false"), "false")
    fields = frozenset(e for value in result.get("_elements", ()) for e in value.split(","))
    include = tuple(
        rule for name in result if "include" in name for value in result[name] for rule in _includes(types, name, value)
    )
    if include and summary == "text":
        raise QueryError("_summary=text cannot be combined with _include or _revinclude")
    if fields and summary != "false":
        raise QueryError("_elements cannot be combined with _summary")
    count = last.get("_count", "")
    if count and not (count.isascii() and count.isdigit()):
        raise QueryError(f"_count is not a number: {count!r}")
    _check_fields(types, fields)
    return Control(
        sort=tuple(_sort_key(types, key) for value in result.get("_sort", ()) for key in value.split(",")),
        count=int(count) if count else None,
        include=include,
        fields=fields,
        summary=summary,  # type: ignore[arg-type]
        total=_one_of("_total", last, ("none", "estimate", "accurate"), "accurate"),  # type: ignore[arg-type]
        page=last.get("_page"),
    )


def _one_of(name: str, last: Mapping[str, str], allowed: Sequence[str], default: str) -> str:
    value = last.get(name, default)
    if value not in allowed:
        raise QueryError(f"{name}={value} is not supported; use one of {', '.join(allowed)}")
    return value


def _check_fields(types: Sequence[str], fields: Iterable[str]) -> None:
    for field in fields:
        for type_ in types:
            known = elements(type_)
            if known.top and known.base(field) not in known.top and field not in ("resourceType", "meta"):
                raise QueryError(f"{type_} has no element {field!r} of its first level for _elements")


def _sort_key(types: Sequence[str], text: str) -> SortKey:
    key = SortKey.of(text)
    for type_ in types or ("*",):
        spec = parameters(type_).get(key.name)
        if spec is None or spec.type == "composite":
            raise QueryError(f"{type_} has no search parameter {key.name!r} to sort by")
    return key


def _includes(types: Sequence[str], name: str, text: str) -> Iterable[Include]:
    reverse, iterate = name.startswith("_rev"), name.endswith(":iterate")
    type_, _, rest = text.partition(":")
    if text == "*":
        # Every reference of the matches; backwards it would be the whole store, so a type has to be named.
        yield from (_include(t, "*", "", reverse, iterate) for t in types if not reverse)
        if reverse or not types:
            raise QueryError(f"{name}=* is not supported; write it as {name}=Type:*")
        return
    link, _, target = rest.partition(":")
    if type_ not in R4_TYPES or not link or (target and target not in R4_TYPES):
        raise QueryError(f"{name}={text} names no reference parameter; write it as Type:parameter[:Target]")
    yield _include(type_, link, target, reverse, iterate)


def _include(type_: str, link: str, target: str, reverse: bool, iterate: bool) -> Include:
    links = {n: p for n, p in parameters(type_).items() if p.type == "reference"}
    specs = tuple(links.values()) if link == "*" else (links[link],) if link in links else ()
    if not specs:
        raise QueryError(
            f"{type_} has no reference parameter {link!r} to include by; it has {', '.join(sorted(links))}"
        )
    if target and link != "*" and specs[0].targets and target not in specs[0].targets:
        raise QueryError(
            f"{type_} parameter {link!r} does not lead to {target!r}, but to {', '.join(specs[0].targets)}"
        )
    return Include(type=type_, specs=specs, target=target, reverse=reverse, iterate=iterate)
