"""FHIR searches as text and as checked parameters: pure, without a server or a store.

`parse` and `to_url` turn a URL into a `Query` and back; `check` turns a `Query` into parameters whose
names, modifiers and values are known (R4 3.1.1). What is not supported is refused by name: it is never ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from fhir_tools.errors import QueryError
from fhir_tools.search.control import RESULT, read_control, system_types
from fhir_tools.search.definitions import R4_TYPES, ParamType, Path, SearchParameter, parameters
from fhir_tools.search.values import (
    PREFIXES,
    asked_composite,
    asked_number,
    asked_quantity,
    asked_range,
    asked_references,
    asked_token,
    asked_typed,
    escape,
    split_value,
    unescape,
    with_prefix,
)
from fhir_tools.types import Query

__all__ = [
    "PREFIXES",
    "R4_TYPES",
    "Chain",
    "Param",
    "ParamType",
    "Path",
    "SearchParameter",
    "check",
    "escape",
    "parameters",
    "parse",
    "split_value",
    "to_url",
    "unescape",
    "with_prefix",
]

_MODIFIERS: Mapping[ParamType, frozenset[str]] = {
    "token": frozenset(("missing", "not", "text")),
    "date": frozenset(("missing",)),
    "string": frozenset(("missing", "exact", "contains")),
    "reference": frozenset(("missing", "identifier")),
    "quantity": frozenset(("missing",)),
    "number": frozenset(("missing",)),
    "uri": frozenset(("missing", "below", "above")),
    "composite": frozenset(),
    "special": frozenset(),
}
_REFUSED = (
    "_text", "_content", "_filter", "_list", "_query", "_contained", "_containedType", "_type", "_has", "near",
    "phonetic",
)  # fmt: skip
"""What R4 has and no source of chartline does: refused as known, not as misspelt."""

_DEEPEST = 8
"""References that one chain may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A checked parameter of a query: `values` are its alternatives (OR), still escaped.

    `chain` is None for what can be told from one resource (`match.matches`). For a chain `spec` is the
    reference parameter that leads away, for `_has` the one of the other type that leads here; `modifier` is then
    None, and `values` are those at the end. `written` is the name as the query has it.
    """

    spec: SearchParameter
    modifier: str | None
    values: tuple[str, ...]
    chain: Chain | None = None
    written: str = ""

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the resources at the other end of a reference must meet (R4 3.1.1.4.13, 3.1.1.4.14).

    `tests` are pairs of a type and the parameter that one resource of it must meet: for a chain all target types
    which have that parameter, for `_has` (`reverse`) the one type that refers here.
    """

    tests: tuple[tuple[str, Param], ...]
    reverse: bool = False


def parse(text: str) -> Query:
    """A query from `Type?name=value&…`, relative or absolute, or `?_type=…` for the whole system.

    Raises QueryError for what is no search.
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError as fault:  # a host in brackets that is none
        raise QueryError(f"not a FHIR search: {text!r}; write it as Type?name=value") from fault
    type_ = parts.path.rstrip("/").rpartition("/")[2]
    params = tuple(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.path and any(name == "_type" for name, _ in params):
        return Query(type="", params=params)
    if not type_ or not type_[0].isupper() or not type_.isalpha():
        raise QueryError(f"not a FHIR search: {text!r}; write it as Type?name=value")
    return Query(type=type_, params=params)


def to_url(query: Query) -> str:
    """The query as a relative URL, percent-encoded (RFC 3986); FHIR's own escapes are left as they are."""
    # Servers differ in reading '+' as a space, so a space is always %20.
    pairs = (f"{quote(name, safe=':._-')}={quote(value, safe=':/,._-')}" for name, value in query.params)
    return query.type + ("?" + "&".join(pairs) if query.params else "")


def check(query: Query) -> tuple[tuple[Param, ...], dict[str, tuple[str, ...]]]:
    """Filters and result parameters (`_sort`, `_count`, …: name → values as given) of a query.

    A query without a type is one of the whole system: its parameters must be those of all types that `_type` names
    (of every type where it names none), and `_type` is among the result parameters.
    Raises QueryError naming the type, parameter, modifier or value that is not known: nothing is ignored.
    """
    filters: list[tuple[str, str]] = []
    result: dict[str, tuple[str, ...]] = {}
    for name, value in query.params:
        if name in RESULT or (name == "_type" and not query.type):
            result[name] = (*result.get(name, ()), value)
        else:
            filters.append((name, value))
    types = (query.type,) if query.type else system_types(result)
    if query.type and query.type not in R4_TYPES:
        raise QueryError(f"{query.type!r} is not a FHIR R4 resource type")
    read_control(types, result)
    checked = [tuple(_Checker(value).filter(type_, name) for name, value in filters) for type_ in types or ("*",)]
    return checked[0], result


class _Checker:
    """Checks one filter. Of a chain that fans out over many types each step of each type is checked once."""

    def __init__(self, value: str) -> None:
        self._value = value
        self._known: dict[tuple[str, str], Param | QueryError] = {}

    def filter(self, type_: str, name: str, depth: int = 0) -> Param:
        """The parameter of a type by the name written. Raises QueryError."""
        found = self._known.get((type_, name))
        if found is None:
            try:
                found = self._checked(type_, name, depth)
            except QueryError as fault:
                found = fault
            self._known[type_, name] = found
        if isinstance(found, QueryError):
            raise found
        return found

    def _checked(self, type_: str, name: str, depth: int) -> Param:
        if depth > _DEEPEST:
            raise QueryError(f"search parameter {name!r} is chained over more than {_DEEPEST} references")
        if name.partition(":")[0] == "_has":
            return self._reverse(type_, name, depth)
        return self._forward(type_, name, depth) if "." in name else _plain(type_, name, self._value)

    def _forward(self, type_: str, name: str, depth: int) -> Param:
        """`subject:Patient.name=…`, or `subject.name=…` over every target type that has the rest (R4 3.1.1.4.13)."""
        head, _, rest = name.partition(".")
        bare, _, only = head.partition(":")
        spec = _spec(type_, name, bare)
        if spec.type != "reference":
            raise QueryError(f"{name!r} cannot be chained: {type_} parameter {bare!r} is no reference")
        targets = spec.targets or tuple(sorted(R4_TYPES))
        if only and only not in targets:
            raise QueryError(
                f"{name!r} cannot be chained: {bare!r} does not lead to {only!r}, but to {', '.join(targets)}"
            )
        tests: list[tuple[str, Param]] = []
        faults: list[QueryError] = []
        for target in (only,) if only else targets:
            try:
                tests.append((target, self.filter(target, rest, depth + 1)))
            except QueryError as fault:
                faults.append(fault)
        if not tests:
            raise faults[0] if len(faults) == 1 else QueryError(f"no type that {bare!r} leads to can meet {rest!r}")
        return Param(spec=spec, modifier=None, values=tests[0][1].values, chain=Chain(tests=tuple(tests)), written=name)

    def _reverse(self, type_: str, name: str, depth: int) -> Param:
        """`_has:Observation:patient:code=…` (R4 3.1.1.4.14); what follows may be a chain or another `_has`."""
        parts = name.split(":", 3)
        if len(parts) < 4 or parts[1] not in R4_TYPES:
            raise QueryError(f"{name!r} names no type that refers here; write it as _has:Type:reference:parameter")
        _, other, link, rest = parts
        spec = _spec(other, name, link)
        if spec.type != "reference" or (spec.targets and type_ not in spec.targets):
            raise QueryError(f"{name!r} cannot be searched: {other} parameter {link!r} is no reference to {type_}")
        test = self.filter(other, rest, depth + 1)
        chain = Chain(tests=((other, test),), reverse=True)
        return Param(spec=spec, modifier=None, values=test.values, chain=chain, written=name)


def _plain(type_: str, name: str, value: str) -> Param:
    bare, _, modifier = name.partition(":")
    spec = _spec(type_, name, bare)
    if modifier and modifier not in _modifiers(spec) and not (spec.type == "reference" and modifier in R4_TYPES):
        raise QueryError(f"modifier {modifier!r} is not supported on {type_} parameter {bare!r} ({spec.type})")
    if modifier == "missing" and value not in ("true", "false"):
        raise QueryError(f"{name} takes true or false, not {value!r}")
    param = Param(spec=spec, modifier=modifier or None, values=_values(name, modifier, value), written=name)
    _read(param)
    return param


def _spec(type_: str, name: str, bare: str) -> SearchParameter:
    known = parameters(type_)
    if bare in known:
        return known[bare]
    if bare in _REFUSED or name.startswith("_"):
        raise QueryError(f"search parameter {name!r} is not supported")
    raise QueryError(f"{type_} has no search parameter {bare!r}; it has {', '.join(sorted(known))}")


def _modifiers(spec: SearchParameter) -> frozenset[str]:
    return _MODIFIERS[spec.type] | ({"of-type"} if spec.identifiers else set())


def _values(name: str, modifier: str, value: str) -> tuple[str, ...]:
    found = (value,) if modifier == "missing" else split_value(value)
    if not all(found):
        raise QueryError(f"search parameter {name!r} has an empty value")
    return found


def _read(param: Param) -> None:
    """Read the values once, so that a wrong one is told before anything is searched. Raises QueryError."""
    try:
        for value in param.values if param.modifier not in ("missing", "text") else ():
            _check_value(param.spec, param.modifier, value)
    except QueryError as fault:
        raise QueryError(f"search parameter {param.written!r}: {fault}") from fault


def _check_value(spec: SearchParameter, modifier: str | None, value: str) -> None:
    if spec.type == "token":
        asked_typed(value) if modifier == "of-type" else asked_token(value)
    elif spec.type == "date":
        asked_range(value)
    elif spec.type == "number":
        asked_number(value)
    elif spec.type == "quantity":
        asked_quantity(value)
    elif spec.type == "reference":
        asked_token(value) if modifier == "identifier" else asked_references(spec, modifier, value, ())
    elif spec.type == "composite":
        for part, asked in zip(spec.components, asked_composite(spec, value), strict=True):
            _check_value(part, None, asked)
