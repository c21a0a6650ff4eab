"""The result parameters of a planned search: which are sent, and which are done here on what comes back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fhir_tools.errors import Unsupported
from fhir_tools.profiles.profile import Profile
from fhir_tools.remote.statement import Statement
from fhir_tools.search.control import read_control
from fhir_tools.search.definitions import SearchParameter, elements, parameters
from fhir_tools.search.query import Param

__all__ = ["Shape", "Shaped", "shape"]

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the result should be like: `_sort`, `_count`, … as asked, and what is tested here before.

    `single`: one search is sent. `known` tells whether the server takes a parameter and is believed to use it.
    """

    type: str
    result: Mapping[str, tuple[str, ...]]
    residue: tuple[Param, ...]
    single: bool
    known: Callable[[str], bool]

    @property
    def whole(self) -> bool:
        """Whether what the server sends is the result as it stands."""
        return self.single and not self.residue

    @property
    def sort(self) -> tuple[str, ...]:
        """The keys of `_sort`, each with its `-`."""
        return tuple(key for value in self.result.get("_sort", ()) for key in value.split(","))

    def last(self, name: str) -> str:
        """The value of a result parameter that has one, or empty text."""
        return self.result.get(name, ("",))[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """The result parameters to send, and what is left to do; fields as in `Plan`."""

    params: Pairs = ()
    sort: tuple[str, ...] = ()
    count: int | None = None
    counts_only: bool = False
    include: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()


def shape(asked: Shape, statement: Statement, profile: Profile) -> Shaped:
    """The result parameters for one server. Raises Unsupported for a `_revinclude` that it does not declare."""
    control = read_control((asked.type,), asked.result)
    if control.summary == "count" or control.count == 0:
        return _counting(asked, statement, profile)
    included, followed = _includes(asked, statement, profile)
    there = _pages_there(asked, control.count, profile)
    needed = _needed(asked, sort=not there, follow=followed)
    narrowed, fields = _elements(asked, needed, statement, profile)
    sort = ",".join(asked.sort) if there else profile.paging_sort
    size = control.count if there else profile.most(asked.type)
    return Shaped(
        params=(*_pair("_sort", sort), *_pair("_count", size), *narrowed, *included, *_passed(asked, statement)),
        sort=() if there else asked.sort,
        count=None if there else control.count,
        include=followed,
        fields=fields,
    )


def _pair(name: str, value: str | int | None) -> Pairs:
    return ((name, str(value)),) if value else ()


# Totals.


def _counting(asked: Shape, statement: Statement, profile: Profile) -> Shaped:
    """The number of matches: from the server where it is all that is asked of it, else by counting here."""
    if asked.whole and statement.declared and profile.summary_count is not False and profile.exact_total:
        return Shaped(params=_pair("_summary", "count"))
    needed = ("id", *_needed(asked))
    narrow = statement.declared and profile.elements is not False and not _has_choice(asked.type, needed)
    params = (*_pair("_sort", profile.paging_sort), *_pair("_count", profile.most(asked.type)))
    return Shaped(params=(*params, *_pair("_elements", ",".join(needed) if narrow else "")), counts_only=True)


# Pages.


def _pages_there(asked: Shape, count: int | None, profile: Profile) -> bool:
    """Whether the first page of the server is the page that is asked for. A whole result is sorted here."""
    most = profile.most(asked.type)
    fits = count is not None and most is not None and count <= most and not profile.short_pages
    return fits and asked.whole and _sorts_there(asked, profile)


def _sorts_there(asked: Shape, profile: Profile) -> bool:
    keys = [key.removeprefix("-") for key in asked.sort]
    if profile.sort_keys is not None and len(keys) > profile.sort_keys:
        return False
    if not profile.sorts:
        return all(map(asked.known, keys))
    return set(keys) <= profile.sorts.get(asked.type, profile.sorts.get("*", frozenset()))


# Elements.


def _elements(
    asked: Shape, needed: tuple[str, ...], statement: Statement, profile: Profile
) -> tuple[Pairs, frozenset[str]]:
    """`_elements` to send, with what is needed here, and what to cut the matches to."""
    own = tuple(e for value in asked.result.get("_elements", ()) for e in value.split(","))
    own = ("text",) if asked.last("_summary") == "text" else own
    if not own:
        return (), frozenset()
    more = tuple(name for name in needed if name not in own)
    if not statement.declared or profile.elements is False or _has_choice(asked.type, more):
        return (), frozenset(own)
    return _pair("_elements", ",".join((*own, *more))), frozenset(own if more else ())


def _needed(asked: Shape, *, sort: bool = False, follow: Iterable[str] = ()) -> tuple[str, ...]:
    """The elements that are tested, sorted and followed by here."""
    table = parameters(asked.type)
    specs = [param.spec for param in asked.residue]
    specs += [table[key.removeprefix("-")] for key in asked.sort] if sort else []
    for value in follow:
        link = value.split(":")[1] if ":" in value else "*"
        specs += [table[link]] if link in table else [p for p in table.values() if p.type == "reference"]
    known = elements(asked.type)
    names = (known.base(name.removesuffix("*")) for spec in specs for name in _tops(spec))
    return tuple(n for n in dict.fromkeys(names) if n not in ("id", "meta"))  # they come anyway


def _tops(spec: SearchParameter) -> Iterator[str]:
    """The first-level elements that a parameter reads; a composite of the resource itself reads those of its parts."""
    for path in spec.paths:
        if path:
            yield path[0].partition("[")[0]
        else:
            yield from (name for part in spec.components for name in _tops(part))


def _has_choice(type_: str, names: Iterable[str]) -> bool:
    """Whether one is a choice (`value[x]`): servers differ in how `_elements` names those, so none is added."""
    return not elements(type_).choices.isdisjoint(names)


# Includes.


def _includes(asked: Shape, statement: Statement, profile: Profile) -> tuple[Pairs, tuple[str, ...]]:
    """Those that the server takes, and those to follow by reading."""
    sent: list[tuple[str, str]] = []
    followed: list[str] = []
    forward = statement.includes.get(asked.type, frozenset())
    backward = statement.revincludes.get(asked.type, frozenset())
    for name, values in asked.result.items():
        base, _, modifier = name.partition(":")
        for value in values if base in ("_include", "_revinclude") else ():
            if base == "_revinclude":
                if modifier or not _is_declared(value, backward):
                    raise Unsupported(f"this server does not say that it takes {name}={value}")
                sent.append((name, value))
            elif not modifier and (profile.include or (profile.include is None and _is_declared(value, forward))):
                sent.append((name, value))
            else:
                followed.append(f"{value}:{modifier}" if modifier else value)
    return tuple(sent), tuple(followed)


def _is_declared(value: str, declared: frozenset[str]) -> bool:
    """`Type:parameter[:Target]`, as it is, without its target, or by a star."""
    type_, _, rest = value.partition(":")
    name = rest.partition(":")[0]
    return bool(declared & {value, f"{type_}:{name}", f"{type_}:*", "*"})


# The rest.


def _passed(asked: Shape, statement: Statement) -> Pairs:
    """`_total` and the short forms, where nothing is done here; the format is the client's own matter."""
    if not asked.whole or not statement.declared:
        return ()
    summary = asked.last("_summary") if asked.last("_summary") in ("data", "true") else ""
    return (*_pair("_summary", summary), *_pair("_total", asked.last("_total")), *_pair("_page", asked.last("_page")))
