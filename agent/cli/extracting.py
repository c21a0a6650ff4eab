"""`chartline extract`: what notes state and the structured chart lacks, as a table or JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from agent import settings
from agent.cli.asking import session
from agent.cli.output import clean, console, emit, plain_table, safe_json, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError

if TYPE_CHECKING:
    from agent.extracting import Extract, Row

__all__ = ["extract", "extract_view"]

_QUOTE = 90
_HEADINGS = {
    "problem": "Problems", "adverse event": "Adverse events", "medication": "Medications",
    "measurement": "Measurements", "symptom": "Symptoms and signs",
}  # fmt: skip


def extract(
    patient: str | None, as_of: date | None, fhir: Sequence[str], out: Path | None, *, every: bool, as_json: bool
) -> int:
    """Print the statements, or write them to `out`. The exit code is that of the operator where not all was read."""
    found = asyncio.run(_extracted(patient, as_of, fhir, every))
    if out is None:
        print(safe_json(found.model_dump())) if as_json else emit(console(), extract_view(found))
    else:
        _write(out, safe_json(found.model_dump()) if as_json else _plain(found))
        tell_note(f"{len(found.rows)} statements written to {out}")
    return EXIT_OK if found.complete else EXIT_OPERATOR


async def _extracted(patient: str | None, as_of: date | None, fhir: Sequence[str], every: bool) -> Extract:
    from agent.extracting import extract as extract_from

    async with session(patient, as_of, fhir, settings.read()) as agent:
        return await extract_from(await agent.chart(), every=every)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(out)!r}: {error.strerror}") from error


def _plain(found: Extract) -> str:
    buffer = StringIO()
    emit(Console(file=buffer, width=200, no_color=True), extract_view(found))
    return buffer.getvalue()


def extract_view(found: Extract) -> RenderableType:
    """The statements by what they are of, each with the place of its quote."""
    parts: list[RenderableType] = []
    for sort, heading in _HEADINGS.items():
        rows = [row for row in found.rows if row.sort == sort]
        if rows:
            cells = [(_what(r), r.date, _meant(r), f"{r.reference}:{r.span.start}", _quote(r)) for r in rows]
            head = Text(f"{heading} that notes state and the chart does not", style="bold")
            parts += [head, plain_table(("what", "date", "meant", "document:offset", "quote"), cells), Text()]
    read = f"{found.documents} documents read, as of {found.as_of}"
    parts.append(
        Text(f"{read}; {len(found.rows) or 'no'} statements that the chart lacks or has otherwise", style="dim")
    )
    parts += [Text(clean(f"not read whole: {told}"), style="yellow") for told in found.unread]
    if not found.complete and not found.unread:
        parts.append(Text("not everything could be read, so something may be missing or be told that is there"))
    return Group(*parts)


def _what(row: Row) -> str:
    agent = f" ({row.cause})" if row.cause and row.cause.lower() != row.concept.lower() else ""
    own = f"; chart: {', '.join(row.recorded[:3])}" if row.recorded else ""
    return f"{row.concept}{agent} {row.value}".strip() + (" stopped" if row.stopped else "") + own


def _meant(row: Row) -> str:
    return f"{row.assertion}; read by {row.read_by}" if row.read_by else row.assertion


def _quote(row: Row) -> str:
    quote = " ".join(row.span.quote.split())
    return quote if len(quote) <= _QUOTE else f"{quote[:_QUOTE]}…"
