"""`chartline show`: a cited resource, readable or as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import settings
from agent.cli.output import clean, console, emit, safe_json
from agent.errors import NotFound, ScopeError, UserError
from agent.patients import choose
from agent.sources import open_source
from fhir_tools import wording
from fhir_tools.facts import facts_of
from fhir_tools.scope import Scoped
from fhir_tools.scope.aliases import resolve_aliases
from fhir_tools.servers import Servers
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["resource_view", "show"]

_LONG = 240
_HIDDEN = frozenset({"resourceType", "id", "meta", "text", "contained"})
"""What tells a reader nothing: the head says the first two, and `text` repeats the rest as HTML."""


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
    for path, value in _leaves({k: v for k, v in resource.items() if k not in _HIDDEN}):
        grid.add_row(Text(f"  {path}"), Text(clean(value)))
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


def _is_coding(value: Any) -> bool:
    return isinstance(value, Mapping) and "code" in value and set(value) <= {"system", "code", "display"}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The paths and values of a JSON value, long ones cut."""
    if _is_coding(value):
        yield path, " · ".join(str(value[key]) for key in ("display", "code", "system") if value.get(key))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}".removesuffix(".coding") if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, path if len(value) == 1 else f"{path}[{index}]")
    else:
        text = json.dumps(value) if not isinstance(value, str) else value
        yield path, text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text):,} characters; --raw shows all)"
