"""Which patient is meant: an id, an exact name, a record number, or the only one there is."""

from __future__ import annotations

import asyncio
import re

from agent import settings
from agent.cli.output import clean, console, emit, plain_table, safe_json, tell_note
from agent.errors import QueryError, UserError
from agent.sources import open_source
from fhir_tools.local import LocalStore, PatientRow
from fhir_tools.types import Query, Reference

__all__ = ["choose", "show"]

_TOLD = 8
_EMPTY = "no patients are loaded; load charts with: chartline load PATH"
_SPECIAL = re.compile(r"([\\,$|])")


async def choose(store: LocalStore, wanted: str | None) -> Reference:
    """The one patient that is meant. Raises UserError that names the choices where it is not one."""
    if not wanted:
        return _only(store.patients())
    id_ = wanted.strip().removeprefix("Patient/")
    if store.has(f"Patient/{id_}"):
        return Reference(type="Patient", id=id_)
    rows = store.patients()
    numbered = await _numbered(store, wanted.strip())
    found = [row for row in rows if row.id in numbered] or [row for row in rows if _names(row) & {_plain(wanted)}]
    if len(found) == 1:
        return Reference(type="Patient", id=found[0].id)
    if found:
        raise UserError(f"{len(found)} patients are called {wanted!r}; give the id: {_told(found)}")
    like = [row for row in rows if _matches(row, wanted)]
    hint = f"did you mean {_told(like)}?" if like else "`chartline patients` lists those that are loaded"
    raise UserError(f"no patient {wanted!r} here; {hint}")


def _only(rows: list[PatientRow]) -> Reference:
    if len(rows) == 1:
        return Reference(type="Patient", id=rows[0].id)
    if not rows:
        raise UserError(_EMPTY)
    raise UserError(f"there are {len(rows)} patients; choose one with --patient: {_told(rows)}")


async def _numbered(store: LocalStore, number: str) -> set[str]:
    """Ids of the patients that have the identifier (any system)."""
    try:
        found = await store.search(Query(type="Patient", params=(("identifier", _SPECIAL.sub(r"\\\1", number)),)))
    except QueryError:
        return set()
    return {str(match["id"]) for match in found.matches}


def _told(rows: list[PatientRow]) -> str:
    told = ", ".join(f"{row.id} ({row.name})" if row.name else row.id for row in rows[:_TOLD])
    return told + (f" … and {len(rows) - _TOLD} more (`chartline patients`)" if len(rows) > _TOLD else "")


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())


def _names(row: PatientRow) -> set[str]:
    """The name as written, as family then given, and as first given and family."""
    words = _plain(row.name).split()
    if not words:
        return set()
    return {" ".join(words), " ".join((words[-1], *words[:-1])), f"{words[0]} {words[-1]}", f"{words[-1]} {words[0]}"}


def _matches(row: PatientRow, search: str) -> bool:
    """Whether every word of the search begins a word of the name, or the search is part of the id."""
    words = _plain(row.name).split()
    return search.lower() in row.id.lower() or all(any(w.startswith(s) for w in words) for s in _plain(search).split())


def show(search: str, fhir: str | None, *, as_json: bool) -> None:
    """List the patients that match the search, or all."""
    asyncio.run(_show(search.strip(), fhir, as_json))


async def _show(search: str, fhir: str | None, as_json: bool) -> None:
    async with open_source(fhir or settings.read().store) as store:
        rows = store.patients()
        numbered = await _numbered(store, search) if search else set()
    found = [row for row in rows if not search or row.id in numbered or _matches(row, search)]
    if as_json:
        keys = ("id", "name", "birth_date", "resources")
        print(safe_json([{key: getattr(row, key) for key in keys} for row in found]))
        return
    if not found:
        raise UserError(f"no patient matches {search!r}" if search else _EMPTY)
    cells = ((row.id, clean(row.name), row.birth_date or "", f"{row.resources:,}") for row in found)
    emit(console(), plain_table(("id", "name", "born", "resources"), cells, frozenset({3})))
    noun = "patient" if len(rows) == 1 else "patients"
    tell_note(f"{len(found)} of {len(rows)} {noun}" if search else f"{len(rows)} {noun}")
