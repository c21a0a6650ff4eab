"""Which patient is meant: an id, an exact name, a record number, or the only one there is. Of any source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import NotFound, OperatorError, UserError
from fhir_tools import query
from fhir_tools.elements import strings
from fhir_tools.local import LocalStore
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference

__all__ = ["Person", "choose", "listed"]

_TOLD = 8
_PAGE = 50
_EMPTY = "no patients are loaded; load charts with: chartline load PATH"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One patient as a list shows it. `resources` counts the chart where the source can tell, else None."""

    id: str
    name: str
    birth_date: str | None
    resources: int | None = None


async def choose(source: Source, wanted: str | None) -> Reference:
    """The one patient that is meant. Raises UserError that names the choices where it is not one, SourceError."""
    if not wanted:
        return await _only(source)
    wanted = wanted.strip()
    id_ = wanted.removeprefix("Patient/")
    if await _has(source, id_):
        return Reference(type="Patient", id=id_)
    numbered = await _numbered(source, wanted)
    found = numbered or [p for p in await _named(source, wanted) if _plain(wanted) in _names(p)]
    if len(found) == 1:
        return Reference(type="Patient", id=found[0].id)
    if found:
        raise UserError(f"{len(found)} patients are called {wanted!r}; give the id: {_told(found)}")
    like = await _named(source, wanted)
    hint = f"did you mean {_told(like)}?" if like else "`chartline patients` lists those that are there"
    raise UserError(f"no patient {wanted!r} here; {hint}")


async def listed(source: Source, search: str = "") -> tuple[list[Person], bool]:
    """The patients that match part of a name, an id or a record number, and whether these are all of them."""
    if isinstance(source, LocalStore):
        people = _stored(source)
        numbered = {p.id for p in await _numbered(source, search)} if search else set()
        return [p for p in people if not search or p.id in numbered or _matches(p, search)], True
    if not search:
        return await _searched(source, ("_count", str(_PAGE)))
    people = await _numbered(source, search) or await _named(source, search)
    return people or ([_person(await source.read(_patient(search)))] if await _has(source, search) else []), True


async def _only(source: Source) -> Reference:
    people, whole = await listed(source)
    if len(people) == 1 and whole:
        return _patient(people[0].id)
    if not people:
        raise UserError(_EMPTY if isinstance(source, LocalStore) else "the server shows no patient to this user")
    number = str(len(people)) if whole else "many"
    raise UserError(f"there are {number} patients; choose one with --patient: {_told(people)}")


def _patient(id_: str) -> Reference:
    return Reference(type="Patient", id=id_.removeprefix("Patient/"))


async def _has(source: Source, id_: str) -> bool:
    if not _ID.fullmatch(id_):
        return False
    try:
        await source.read(_patient(id_))
    except NotFound:
        return False
    return True


async def _numbered(source: Source, number: str) -> list[Person]:
    """The patients that have the identifier (any system)."""
    return (await _searched(source, ("identifier", query.escape(number))))[0]


async def _named(source: Source, search: str) -> list[Person]:
    """Those of whose names every word of the search begins a word."""
    if isinstance(source, LocalStore):
        people = _stored(source)
    else:
        words = [("name", query.escape(word)) for word in _plain(search).split()]
        people = (await _searched(source, *words))[0] if words else []
    return [p for p in people if _matches(p, search)]


async def _searched(source: Source, *params: tuple[str, str]) -> tuple[list[Person], bool]:
    result = await source.search(Query(type="Patient", params=params))
    if not result.complete and not result.matches:
        raise OperatorError(f"patients could not be searched: {result.error}; --patient with an id needs no search")
    return [_person(r) for r in result.matches], result.complete and result.next is None


def _stored(store: LocalStore) -> list[Person]:
    return [Person(id=r.id, name=r.name, birth_date=r.birth_date, resources=r.resources) for r in store.patients()]


def _person(resource: Mapping[str, Any]) -> Person:
    names = resource.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    name = first.get("text") or " ".join(strings({k: first.get(k) for k in ("given", "family")}))
    born = resource.get("birthDate")
    return Person(id=str(resource.get("id")), name=str(name), birth_date=born if isinstance(born, str) else None)


def _told(people: list[Person]) -> str:
    told = ", ".join(f"{p.id} ({p.name})" if p.name else p.id for p in people[:_TOLD])
    return told + (f" … and {len(people) - _TOLD} more (`chartline patients`)" if len(people) > _TOLD else "")


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())


def _names(person: Person) -> set[str]:
    """The name as written, as family then given, and as first given and family."""
    words = _plain(person.name).split()
    if not words:
        return set()
    return {" ".join(words), " ".join((words[-1], *words[:-1])), f"{words[0]} {words[-1]}", f"{words[-1]} {words[0]}"}


def _matches(person: Person, search: str) -> bool:
    """Whether every word of the search begins a word of the name, or the search is part of the id."""
    words = _plain(person.name).split()
    said = _plain(search).split()
    named = bool(said) and all(any(word.startswith(s) for word in words) for s in said)
    return named or search.lower() in person.id.lower()
