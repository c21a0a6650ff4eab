"""Which patient is meant: an id, an exact name, a record number, or the only one there is. Of any source."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.errors import NotFound, OperatorError, UserError
from fhir_tools.local import LocalStore
from fhir_tools.scope import addresses
from fhir_tools.search import query
from fhir_tools.search.elements import strings
from fhir_tools.source import Launched, Source
from fhir_tools.types import Query, Reference

__all__ = ["Person", "choose", "listed", "person_of", "shown"]

_TOLD = 8
_PAGE = 50
_EMPTY = "no patients are loaded; load charts with: chartline load PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One patient as a list shows it. `resources` counts the chart where the source can tell, else None.

    `sex` is the administrative gender as the record has it.
    """

    id: str
    name: str
    birth_date: str | None
    resources: int | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a search for patients gave. `fault` says why these may not be all; empty where they are."""

    people: list[Person]
    fault: str = ""
    more: bool = False

    def whole(self, wanted: str) -> list[Person]:
        """All of them. Raises OperatorError where there may be more: the only one read need not be the one meant."""
        if self.fault:
            raise OperatorError(
                f"no patient has the id {wanted!r}, and whether it is another's name or number was not all searched: "
                f"{self.fault}; give the id to --patient, or check the base URL"
            )
        return self.people


async def choose(source: Source, wanted: str | None) -> Reference:
    """The one patient that is meant. Raises UserError that names the choices where it is not one, SourceError.

    One of whom a search that was cut short has read a single record is not chosen (OperatorError).
    """
    own = source.launched_for if isinstance(source, Launched) else None
    if not wanted:
        return own or await _only(source)
    wanted = wanted.strip()
    id_ = wanted.removeprefix("Patient/")
    if await _has(source, id_):
        return Reference(type="Patient", id=id_)
    numbered = await _numbered(source, wanted)
    named = _Found(people=[]) if numbered.people else await _named(source, wanted)
    if numbered.people:
        found = numbered.whole(wanted)
    else:
        found = [p for p in named.whole(wanted) if _plain(wanted) in _names(p)]
    if len(found) == 1:
        return _patient(found[0].id)
    if found:
        raise UserError(f"{len(found)} patients are called {wanted!r}; give the id: {_told(found)}")
    numbered.whole(wanted)
    hint = f"did you mean {_told(named.people)}?" if named.people else "`chartline patients` lists those that are there"
    raise UserError(f"no patient {wanted!r} here; {hint}")


async def listed(source: Source, search: str = "") -> tuple[list[Person], bool]:
    """The patients that match part of a name, an id or a record number, and whether these are all of them."""
    if isinstance(source, LocalStore):
        people = _stored(source)
        numbered = {p.id for p in (await _numbered(source, search)).people} if search else set()
        return [p for p in people if not search or p.id in numbered or _matches(p, search)], True
    if not search:
        found = await _searched(source, ("_count", str(_PAGE)))
    else:
        found = await _numbered(source, search)
        found = found if found.people else await _named(source, search)
    if not found.people and search and await _has(source, search):
        return [person_of(await source.read(_patient(search)))], not found.fault
    if not found.people and found.fault:
        raise OperatorError(f"patients could not be searched: {found.fault}; check the base URL and the credentials")
    return found.people, not (found.fault or found.more)


async def shown(source: Source, id_: str, search: str = "") -> list[Person]:
    """The one patient of credentials that know no other, where the search means it. Raises SourceError."""
    person = person_of(await source.read(_patient(id_)))
    return [person] if not search or _matches(person, search) else []


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
    if not addresses.ID.fullmatch(id_):
        return False
    try:
        await source.read(_patient(id_))
    except NotFound:
        return False
    return True


async def _numbered(source: Source, number: str) -> _Found:
    """The patients that have the identifier (any system)."""
    return await _searched(source, ("identifier", query.escape(number)))


async def _named(source: Source, search: str) -> _Found:
    """Those of whose names every word of the search begins a word."""
    if isinstance(source, LocalStore):
        found = _Found(people=_stored(source))
    else:
        words = [("name", query.escape(word)) for word in _plain(search).split()]
        found = await _searched(source, *words) if words else _Found(people=[])
    return replace(found, people=[p for p in found.people if _matches(p, search)])


async def _searched(source: Source, *params: tuple[str, str]) -> _Found:
    result = await source.search(Query(type="Patient", params=params))
    fault = "" if result.complete else result.error or "the search was cut short"
    return _Found(people=[person_of(r) for r in result.matches], fault=fault, more=result.next is not None)


def _stored(store: LocalStore) -> list[Person]:
    return [
        Person(id=r.id, name=r.name, birth_date=r.birth_date, resources=r.resources, sex=r.sex)
        for r in store.patients()
    ]


def person_of(resource: Mapping[str, Any]) -> Person:
    """A Patient resource as a list shows it."""
    names = resource.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    written = first.get("text")
    name = written if isinstance(written, str) and written.strip() else " ".join(strings(_parts(first)))
    born, sex = (x if isinstance(x, str) else None for x in (resource.get("birthDate"), resource.get("gender")))
    return Person(id=str(resource.get("id")), name=name, birth_date=born, sex=sex)


def _parts(name: Mapping[str, Any]) -> dict[str, Any]:
    return {key: name.get(key) for key in ("given", "family")}


def _told(people: list[Person]) -> str:
    told = ", ".join(f"{p.id} ({p.name})" if p.name else p.id for p in people[:_TOLD])
    return told + (f" … and {len(people) - _TOLD} more (`chartline patients`)" if len(people) > _TOLD else "")


def _plain(text: str) -> str:
    # One letter however it was typed: é as one character, and as e with an accent of its own.
    return " ".join(re.sub(r"[^\w]+", " ", unicodedata.normalize("NFKC", text).casefold()).split())


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
