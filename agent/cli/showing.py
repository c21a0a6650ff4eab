"""`chartline show`: a cited resource, readable or as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import settings
from agent.cli.output import clean, console, emit, safe_json
from agent.errors import NotFound, ScopeError, UserError
from agent.patients import choose
from agent.sources import open_source
from fhir_tools import paths, wording
from fhir_tools.facts import facts_of
from fhir_tools.scope import Scoped
from fhir_tools.scope.aliases import resolve_aliases
from fhir_tools.servers import Servers
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["resource_view", "show"]


def show(reference: str, patient: str | None, fhir: Sequence[str], *, raw: bool) -> None:
    """Print one resource of the patient's chart."""
    asyncio.run(_show(reference, patient, fhir, raw))


async def _show(reference: str, patient: str | None, fhir: Sequence[str], raw: bool) -> None:
    async with open_source(fhir, settings.read()) as source:
        found = await resolve_aliases(source, await choose(source, patient))
        scoped = Scoped(source, found.patient, found.references, searched=found.searched)
        parse = source.inside if isinstance(source, Servers) else Reference.parse
        reference = str(_parsed(reference, parse))
        if raw:
            print(safe_json(await _read(scoped, reference)))
        else:
            emit(console(), await resource_view(scoped, reference))


async def resource_view(source: Source, reference: str) -> RenderableType:
    """What the resource says, in a line each, then its elements. Raises UserError for what is not in the chart."""
    resource = await _read(source, reference)
    meta = resource.get("meta") or {}
    version = f", version {meta['versionId']}" if meta.get("versionId") else ""
    said = [Text(f"  {clean(wording.describe(fact))}") for fact in facts_of(resource)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", overflow="fold")
    grid.add_column(overflow="fold")
    for leaf in paths.leaves(resource):
        more = "" if leaf.whole else " --raw shows all"
        grid.add_row(Text(f"  {leaf.short}"), Text(clean(leaf.text) + more))
    head = Text.assemble((f"{resource['resourceType']}/{resource['id']}", "bold"), (version, "dim"))
    return Group(head, *said, Text(), grid)


async def _read(source: Source, reference: str) -> Mapping[str, Any]:
    wanted = _parsed(reference, Reference.parse)
    try:
        return await source.read(wanted)
    except (NotFound, ScopeError) as error:
        raise UserError(f"this patient's chart has no {wanted}") from error


def _parsed(reference: str, parse: Callable[[str], Reference]) -> Reference:
    try:
        return parse(reference.strip())
    except ValueError as error:
        raise UserError(f"{reference!r} is no reference; give Type/id, as an answer cites it") from error
