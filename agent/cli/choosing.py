"""`chartline patients`: who is there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent import settings
from agent.cli.output import clean, console, emit, plain_table, safe_json, tell_note
from agent.errors import UserError
from agent.patients import listed
from agent.sources import open_source

__all__ = ["show"]


def show(search: str, fhir: Sequence[str], *, as_json: bool) -> None:
    """List the patients that match the search, or all."""
    asyncio.run(_show(search.strip(), fhir, as_json))


async def _show(search: str, fhir: Sequence[str], as_json: bool) -> None:
    async with open_source(fhir, settings.read()) as source:
        found, whole = await listed(source, search)
    if as_json:
        keys = ("id", "name", "birth_date", "resources")
        print(safe_json([{key: getattr(person, key) for key in keys} for person in found]))
        return
    if not found:
        raise UserError(f"no patient matches {search!r}" if search else "there are no patients; `chartline load PATH`")
    cells = [
        (p.id, clean(p.name), p.birth_date or "", "" if p.resources is None else f"{p.resources:,}") for p in found
    ]
    emit(console(), plain_table(("id", "name", "born", "resources"), cells, frozenset({3})))
    noun = "patient" if len(found) == 1 else "patients"
    more = "" if whole else "; the server has more: name one, as in `chartline patients NAME`"
    tell_note(f"{len(found)} {noun}{more}")
