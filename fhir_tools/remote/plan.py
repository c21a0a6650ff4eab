"""From a search as chartline asks it to the searches that a server can run, and what is left to check here. Pure.

Whatever the server cannot do, the plan does on what comes back: so every server gives the same matches, only by
more bytes. What cannot be made up for is refused (Unsupported). A search that names its patient is never sent
without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from fhir_tools.errors import Unsupported
from fhir_tools.profiles.profile import Profile
from fhir_tools.remote.shaping import Shape, shape
from fhir_tools.remote.statement import Statement
from fhir_tools.search.query import Param, check, parameters, split_value, with_prefix
from fhir_tools.types import Query

__all__ = ["Plan", "plan"]

Pair = tuple[str, str]

_BASIC = frozenset(("patient", "subject", "_id", "code", "category", "date", "_count"))
"""What is sent to a server that does not say what it takes: what every server of a patient's chart has."""

_ORDERED = ("date", "number", "quantity")
_MOST_VALUES = 300
"""Alternatives of one parameter in one search: servers refuse long lists, or fail on them (sekmet-fhir on 1,500)."""

_COMBO = {"combo-code": ("code", "component-code"), "component-code": ("component-code",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The searches to send; their matches are united, each resource once, in order of first appearance.

    `residue` are parameters to test on every match (`search.match.matches`). `sort` is the `_sort` to be done here
    and `count` how many matches to keep then (both None where the server does them). `counts_only`: the caller
    wants the total alone (`_summary=count`): the number of matches that are left. A query that itself has
    `_summary=count` is answered by Bundle.total; a server that sends entries all the same has not understood it, and
    its matches are counted. `include` are `_include` values to follow by reading, where the server cannot include;
    `:iterate` stands behind the value. `fields` are the top-level elements to cut matches to here (resourceType, id
    and meta stay), where the server cannot. Without `count`, the caller's own `_count` means one page, as ever.
    `patient` is the one of `residue` that says whose a match is; `retest` are parameters that the server was sent and
    that one whole resource tells as well (`_retestable`), where resources come whole. `limits` tell what the server
    leaves out of such a search, where it lists a type in parts alone.
    """

    queries: tuple[Query, ...]
    residue: tuple[Param, ...] = ()
    sort: tuple[str, ...] = ()
    count: int | None = None
    counts_only: bool = False
    include: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    patient: Param | None = None
    retest: tuple[Param, ...] = ()
    limits: tuple[str, ...] = ()


def plan(query: Query, statement: Statement, profile: Profile) -> Plan:
    """How to run a search on a server.

    Raises QueryError for a search that is wrong by R4 itself, Unsupported for one that this server cannot run.
    """
    filters, result = check(query)
    planner = _Planner(query.type, statement, profile)
    asked = tuple(zip(_filter_pairs(query, result), filters, strict=True))
    searches = planner.searches(asked)
    residue = tuple(dict.fromkeys(planner.residue))
    shaped = shape(
        Shape(type=query.type, result=result, residue=residue, single=len(searches) == 1, known=planner.known),
        statement,
        profile,
    )
    return Plan(
        queries=tuple(Query(type=query.type, params=(*pairs, *shaped.params)) for pairs in searches),
        residue=residue,
        sort=shaped.sort,
        count=shaped.count,
        counts_only=shaped.counts_only,
        include=shaped.include,
        fields=shaped.fields,
        patient=planner.patient,
        retest=() if _is_cut(shaped.params) else tuple(p for p in planner.retest if p not in residue),
        limits=() if planner.proves else tuple(dict.fromkeys(planner.limits)),
    )


def _is_cut(params: tuple[Pair, ...]) -> bool:
    """Whether matches come without all of their elements."""
    return any(name == "_elements" or (name == "_summary" and value != "count") for name, value in params)


def _filter_pairs(query: Query, result: Mapping[str, tuple[str, ...]]) -> Iterator[Pair]:
    return (pair for pair in query.params if pair[0] not in result)


class _Planner:
    """Decides, parameter by parameter, what one server is sent; what it is not stands in `residue` then."""

    def __init__(self, type_: str, statement: Statement, profile: Profile) -> None:
        self._type, self._profile = type_, profile
        self._base = statement.base
        self.residue: list[Param] = []
        self.limits: list[str] = []
        self.proves = False
        self.retest: list[Param] = []
        self.patient: Param | None = None
        declared = statement.search.get(type_, frozenset())
        if statement.declared and (type_ not in statement.search or not _searches(type_, statement)):
            raise Unsupported(f"this server does not offer a search of {type_}")
        self._trusted = statement.declared and bool(declared)
        names = declared if self._trusted else _BASIC & (parameters(type_).keys() | {"_count"})
        self._names = (names | _of(profile.adds, type_)) - _of(profile.lacks, type_)

    def known(self, name: str) -> bool:
        """Whether the server takes the parameter and is believed to use it."""
        return self._trusted and name in self._names

    def searches(self, asked: tuple[tuple[Pair, Param], ...]) -> tuple[tuple[Pair, ...], ...]:
        """The filters of each search to send."""
        own = next((i for i, (pair, param) in enumerate(asked) if self._names_patient(pair[0], param)), None)
        whose = None if own is None else self._patient(asked[own][1])
        sent = [whose] if whose else []
        either: tuple[Pair | None, ...] = ()
        for i, ((name, value), param) in enumerate(asked):
            if i == own:
                continue
            if param.name in _COMBO and param.modifier is None and not self._takes(param):
                either = either or self._instead(param)  # a second one would multiply the searches
                self.residue.append(param)
                continue
            sent += self._sent(name, value, param)
        kept = whose[0] if whose else None
        options: list[list[Pair]] = [[*sent, pair] if pair else sent for pair in either] or [sent]
        return tuple(one for option in options for one in self._split(self._allowed(option, dict(asked), kept)))

    def _sent(self, name: str, value: str, param: Param) -> Iterator[Pair]:
        """The parameter as it is sent, if it is; what it does not say for sure goes into the residue."""
        if not _testable(param):
            if not self._takes_chain(name):
                raise Unsupported(f"this server does not say that it takes {name!r} on {self._type}")
            yield name, value
        elif self._takes(param) or self._is_identity(param):
            if not self.known(param.name):
                self.residue.append(param)
            elif _retestable(param):
                self.retest.append(param)
            yield name, value
        else:
            self.residue.append(param)
            if param.modifier == "exact" and self._takes(replace(param, modifier=None)):
                yield param.name, value  # begins with it, without regard to case: more than is wanted

    def _takes(self, param: Param) -> bool:
        if param.name not in self._names or (param.modifier and not self._takes_modifier(param.modifier)):
            return False
        if param.spec.type not in _ORDERED or param.modifier == "missing":
            return True
        return {with_prefix(v)[0] for v in param.values} <= self._profile.prefixes

    def _takes_modifier(self, modifier: str) -> bool:
        return modifier in self._profile.modifiers or (modifier[0].isupper() and "[type]" in self._profile.modifiers)

    def _takes_chain(self, name: str) -> bool:
        """A CapabilityStatement has no place for chains; some servers list them as parameters all the same."""
        if name in self._names:
            return True
        first = name.partition(":")[0].partition(".")[0]
        return self._trusted and (self._profile.has if first == "_has" else self._profile.chains and self.known(first))

    def _is_identity(self, param: Param) -> bool:
        """`_id` is sent even where it is not declared: without it a read of one would be a read of all."""
        return param.name == "_id" and param.modifier is None and "_id" not in _of(self._profile.lacks, self._type)

    # The patient.

    def _names_patient(self, name: str, param: Param) -> bool:
        if self._type == "Patient":
            return name == "_id"
        if not _testable(param) or param.spec.type != "reference" or param.modifier not in (None, "Patient"):
            return False
        others = any("/" in v and "Patient/" not in v for v in param.values)
        return param.name in _patient_names(self._type) and not others

    def _patient(self, param: Param) -> Pair:
        """The patient's parameter in a form that the server has. Raises Unsupported where it has none."""
        if self._type == "Patient":
            if not self.known("_id"):
                self._test_patient(param)
            return "_id", ",".join(param.values)
        name = next((n for n in _patient_names(self._type) if n in self._names), None)
        if name is None:
            raise Unsupported(f"this server does not offer a search of {self._type} by patient")
        if not self._trusted:
            self._test_patient(self._everywhere(param))
        bare = name == "patient" and self._profile.patient == "bare"
        return name, ",".join(_bare(v) if bare else _typed(v) for v in param.values)

    def _test_patient(self, param: Param) -> None:
        self.patient = param
        self.residue.append(param)

    def _everywhere(self, param: Param) -> Param:
        """The patient as a test: a server may write references as absolute URLs of its own base."""
        typed = tuple(_typed(v) for v in param.values)
        absolute = tuple(f"{self._base}/{v}" for v in typed if self._base and "://" not in v)
        return replace(param, modifier=None, values=(*typed, *absolute))

    # Codes of components.

    def _instead(self, param: Param) -> tuple[Pair | None, ...]:
        """What finds all that a code in a result or its components finds (and more); None is the whole type."""
        names = _COMBO[param.name]
        value = ",".join(param.values)
        by_part = "component-code" in self._names and not self._profile.panels
        if by_part and all(n in self._names for n in names):
            return tuple((n, value) for n in names)
        panels = [self._panels(v) for v in param.values]
        if "code" not in self._names or not (self._profile.panels_only or all(panels)):
            # Where the whole type is had in parts alone, what has the code itself is found in any part.
            self.proves = "code" in names and "code" in self._names and self._is_met({"code"})
            return (("code", value), None) if self.proves else (None,)
        own = param.values if "code" in names else ()
        codes = dict.fromkeys((*own, *(code for found in panels for code in found)))
        # Nothing to ask for: a component that the server has in no panel. The whole type is still right.
        return (("code", ",".join(codes)),) if codes else (None,)

    def _panels(self, value: str) -> tuple[str, ...]:
        """The panels of a code; without a system, those of that code in any."""
        known = self._profile.panels
        if value in known or "|" in value:
            return known.get(value, ())
        return next((panels for code, panels in known.items() if code.rpartition("|")[2] == value), ())

    # What the profile says of whole searches.

    def _allowed(self, pairs: list[Pair], asked: Mapping[Pair, Param], patient: str | None) -> tuple[Pair, ...]:
        """The search as the server allows it; a parameter that cannot stand with the others is tested here."""
        drop: frozenset[str] = frozenset()
        names = [name.partition(":")[0] for name, _ in pairs]
        alone = _of(self._profile.alone, self._type)
        lonely = next((n for n in names if n in alone), None)
        if lonely and len(set(names)) > 1:
            # The patient stays: then the parameter that wants to be alone is what is left out.
            drop = frozenset(names) - {lonely} if patient in (None, lonely) else alone & frozenset(names)
        for first, second in self._profile.apart:
            if first in names and second in names and first not in drop:
                drop |= {second}
        drop -= {patient}
        dropped = [p for pair, p in asked.items() if pair[0].partition(":")[0] in drop]
        if not all(map(_testable, dropped)):
            raise Unsupported(f"this server does not take {' with '.join(sorted(set(names)))} on {self._type}")
        self.residue += dropped
        if overriding := frozenset(names) & _of(self._profile.overrides, self._type):
            ignored = [p for p in asked.values() if p.name not in overriding]
            if not all(map(_testable, ignored)):
                raise Unsupported(f"this server ignores what stands beside {sorted(overriding)[0]} on {self._type}")
            self.residue += [self._everywhere(p) if p.name == patient else p for p in ignored]
        kept = tuple(pair for pair in pairs if pair[0].partition(":")[0] not in drop)
        return (*kept, *self._supplied({name for name, _ in kept}))

    def _split(self, pairs: tuple[Pair, ...]) -> Iterator[tuple[Pair, ...]]:
        """Several searches for a parameter with more alternatives than the server takes at once."""
        single = _of(self._profile.single, self._type)
        choices = ([(n, part) for part in _parts(v, 1 if n in single else _MOST_VALUES, n)] for n, v in pairs)
        yield from product(*choices)

    def _supplied(self, names: set[str]) -> tuple[Pair, ...]:
        wanted = self._profile.require.get(self._type, ())
        if not wanted or self._is_met(names):
            return ()
        supply = self._profile.supply.get(self._type, ())
        if not any(names | {n for n, _ in supply} >= alternative for alternative in wanted):
            ways = " or ".join(" with ".join(sorted(alternative)) for alternative in wanted)
            raise Unsupported(f"this server searches {self._type} only by {ways}")
        more = tuple(pair for pair in supply if pair[0] not in names)
        by = " and ".join(name for name, _ in more)
        self.limits.append(
            f"{self._profile.title} lists {self._type} by {by} alone, and was asked for each {by} that it documents: "
            "what it keeps under any other, or under none, was not seen"
        )
        return more

    def _is_met(self, names: Collection[str]) -> bool:
        """Whether the parameters are what the server requires of a search, where it requires any."""
        return any(alternative <= set(names) for alternative in self._profile.require.get(self._type, ()))


@cache
def _patient_names(type_: str) -> tuple[str, ...]:
    """The parameters of a type that mean the patient: those that read the element which `patient` reads."""
    table = parameters(type_)
    own = table.get("patient")
    if own is None:
        return ("subject",) if "subject" in table else ()
    same = (n for n, spec in table.items() if n != "patient" and set(spec.paths) <= set(own.paths))
    return ("patient", *(n for n in same if table[n].type == "reference"))


def _searches(type_: str, statement: Statement) -> bool:
    """Whether the type can be searched: its interactions say so, or it says none, or it has search parameters."""
    said = statement.interactions.get(type_, frozenset())
    return not said or "search-type" in said or bool(statement.search.get(type_))


def _of(table: Mapping[str, frozenset[str]], type_: str) -> frozenset[str]:
    return table.get("*", frozenset()) | table.get(type_, frozenset())


def _testable(param: Param) -> bool:
    """Whether one resource tells it (`fhir_tools.search.match`): not so for chains and `_has`."""
    return param.chain is None


def _retestable(param: Param) -> bool:
    """Whether every server that heeds R4 must agree with `fhir_tools.search.match`.

    Not so where a server may know more than a resource says: that references are the same by another address, strings
    by other rules of words, quantities by their units converted, codes by their texts or places in a hierarchy; what
    `_lastUpdated`, `_tag` and their like are about, it may leave out of what it sends.
    """
    if param.chain is not None or (param.name.startswith("_") and param.name != "_id"):
        return False
    if param.modifier == "missing":
        return param.spec.type in ("token", "date")
    kind = param.spec.type
    if kind == "string":
        return param.modifier == "exact"
    if kind == "quantity":
        return not any("|" in value for value in param.values)
    return kind in ("token", "date", "number") and param.modifier in (None, "not", "of-type")


def _parts(value: str, most: int, name: str) -> list[str]:
    """Lists of no more than so many alternatives; those of `:not` exclude together and stay so."""
    values = split_value(value)
    if len(values) <= most or name.endswith(":not"):
        return [value]
    return [",".join(values[start : start + most]) for start in range(0, len(values), most)]


def _bare(value: str) -> str:
    return value.removeprefix("Patient/")


def _typed(value: str) -> str:
    return value if "/" in value else f"Patient/{value}"
