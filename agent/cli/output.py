"""What a terminal shows: answers with their citations, errors, tables. Chart text never reaches it unfiltered."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.types import Answer, Citation, Reading, SearchedOut

__all__ = [
    "answer_view",
    "clean",
    "console",
    "emit",
    "is_terminal",
    "plain_table",
    "safe_json",
    "tell_error",
    "tell_note",
]

_COLOURS = {"answered": "green", "not_found": "yellow", "incomplete": "magenta", "refused": "blue", "failed": "red"}
_WORDS = {"not_found": "not found"}
_SHOWN = 12
"""So many citations are shown; `--verbose` and `--json` have all."""
_EXPLAINED = ("not_found", "incomplete", "failed")
"""Statuses that are explained by what was searched."""
_VALUES = 3
_CUT = 3
_WIDE = 100
"""From this width on a citation's reference stands on the same line."""
_DATED = re.compile(r"^(\d{4}(?:-\d{2}){0,2}|undated)\s+(.*)$", re.DOTALL)
_MARK = re.compile(r"\[[a-z]?\d+(?:, [a-z]?\d+)*\]")


def console(*, err: bool = False) -> Console:
    """A console on the current standard output (or error). Rich honours NO_COLOR and pipes by itself."""
    return Console(stderr=err, highlight=False, markup=False, emoji=False)


def emit(out: Console, view: RenderableType) -> None:
    """Print without the blanks that pad lines to the terminal's width, where they would go to a file or a pipe."""
    if out.is_terminal:
        out.print(view)
        return
    with out.capture() as captured:
        out.print(view)
    out.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    out.file.flush()


def clean(text: str) -> str:
    """Text of a chart without control, bidirectional and invisible characters: it must not steer a terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))


def safe_json(value: Any) -> str:
    """The value as indented JSON, in which what `clean` takes out of text is escaped instead."""
    written = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return "".join(c if c == "\n" or clean(c) else json.dumps(c)[1:-1] for c in written)


def tell_error(line: str) -> None:
    """One line on standard error."""
    console(err=True).print(Text.assemble(("chartline: ", "bold red"), clean(line)), soft_wrap=True)


def tell_note(line: str) -> None:
    """A dim line on standard error, beside what a program reads from standard output."""
    console(err=True).print(Text(clean(line), style="dim"), soft_wrap=True)


def answer_view(answer: Answer, width: int, *, verbose: bool = False) -> RenderableType:
    """An answer for the terminal: the text, what it cites, what was searched, warnings, and by whom in what time."""
    parts: list[RenderableType] = [_headline(answer)]
    resources = [c for c in answer.citations if c.reference or c.inputs]
    if resources:
        parts.append(Padding(_citations(resources, width, verbose), (1, 0, 0, 2)))
    if answer.readings:
        parts.append(Padding(_readings(answer.readings), (1, 0, 0, 2)))
    if answer.searched and (verbose or len(resources) < len(answer.citations) or answer.status in _EXPLAINED):
        parts.append(Padding(_searched(answer, verbose), (1, 0, 0, 2)))
    parts += [Padding(Text(f"! {clean(warning)}", style="yellow"), (0, 0, 0, 2)) for warning in answer.warnings]
    if answer.removed:
        kinds = ", ".join(sorted({removed.kind for removed in answer.removed}))
        parts.append(Padding(Text(f"! left out, since it did not hold: {kinds}", style="yellow"), (0, 0, 0, 2)))
    parts.append(Padding(Text(_footer(answer, verbose), style="dim"), (0, 0, 0, 2)))
    return Group(*parts)


def _headline(answer: Answer) -> RenderableType:
    colour = _COLOURS[answer.status]
    text = Text(clean(answer.text))
    text.highlight_regex(_MARK, "cyan")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    if answer.status != "answered":
        text = Text.assemble((_WORDS.get(answer.status, answer.status), f"bold {colour}"), "  ", text)
    grid.add_row(Text("●", style=colour), text)
    return grid


def _citations(citations: list[Citation], width: int, verbose: bool) -> RenderableType:
    shown = citations if verbose else citations[:_SHOWN]
    wide = width >= _WIDE
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    if wide:
        grid.add_column(overflow="fold", style="dim")
    for citation in shown:
        when, what = _split(clean(citation.excerpt))
        where = Text(_where(citation), style="dim")
        cells = (Text(what), where) if wide else (Text("\n").join((Text(what), where)) if where else Text(what),)
        grid.add_row(Text(f"[{citation.mark}]"), Text(when), *cells)
    if len(shown) < len(citations):
        grid.add_row("", "", Text(f"… and {len(citations) - len(shown)} more; --verbose shows them", style="dim"))
    return grid


def _readings(readings: list[Reading]) -> RenderableType:
    """What a model read from pixels, told apart by its heading; a finding once, with each box that shows it."""
    boxes: dict[tuple[str, str], list[str]] = {}
    for reading in readings:
        shown = boxes.setdefault((reading.image, reading.text), [])
        if reading.region:
            shown.append(f"box {','.join(f'{edge:.0f}' for edge in reading.region)} of frame {reading.frame or 1}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column(overflow="fold")
    for (image, text), places in boxes.items():
        told = Text(clean(text), style="italic")
        grid.add_row(Text(f"[{image}]"), told.append(f"  {'; '.join(places)}", style="dim") if places else told)
    head = f"Read from the image by {clean(readings[0].model)}, not checked:"
    return Group(Text(head, style="magenta"), grid)


def _split(excerpt: str) -> tuple[str, str]:
    """The date an excerpt begins with, and the rest of it."""
    found = _DATED.match(excerpt)
    return (found[1], found[2]) if found else ("", excerpt)


def _where(citation: Citation) -> str:
    if not citation.inputs:
        return clean(citation.reference)
    first, more = citation.inputs[:2], len(citation.inputs) - 2
    return "from " + clean(", ".join(first)) + (f" and {more} more" if more > 0 else "")


def _searched(answer: Answer, verbose: bool) -> RenderableType:
    """What was searched, with the mark of the search where the answer cites it."""
    marks = {citation.path: f"[{citation.mark}]" for citation in answer.citations}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", style="dim")
    rows = _told(answer.searched, marks, verbose)
    for row in rows:
        ended = Text("searched") if row.complete and not row.error else Text("not all read", style="magenta")
        query = row.query if verbose else _short(row.query)
        told = f"{query}: {row.found} found" + (f" ({row.error})" if row.error else "")
        grid.add_row(Text(marks.get(row.query, "")), ended, Text(clean(told)))
    if left := len(answer.searched) - len(rows):
        grid.add_row("", Text("not all read", style="magenta"), f"… and {left} more; --verbose shows them")
    return grid


def _told(searched: list[SearchedOut], marks: Mapping[str, str], verbose: bool) -> list[SearchedOut]:
    """The searches to show: all but those that were cut short and that the answer neither cites nor names first."""
    cut = [row for row in searched if not row.complete and row.query not in marks]
    hidden = [] if verbose else cut[_CUT:]
    return [row for row in searched if row not in hidden]


def _short(query: str) -> str:
    """A search for the eye: without the patient, code systems and control parameters, and with few of many codes."""
    kind, _, parameters = query.partition("?")
    told = []
    for name, _, value in (parameter.partition("=") for parameter in parameters.split("&")):
        if name and name not in ("patient", "subject") and not name.startswith("_"):
            values = [one.rpartition("|")[2] for one in value.split(",")]
            more = f" and {len(values) - _VALUES} more" if len(values) > _VALUES else ""
            told.append(f"{name} {', '.join(values[:_VALUES])}{more}")
    return ", ".join((kind, *told))


def _footer(answer: Answer, verbose: bool) -> str:
    usage = answer.usage
    parts = [answer.reasoner, f"{usage.seconds:.2f} s", f"as of {answer.as_of}"]
    if usage.llm_calls:
        parts.insert(1, f"{usage.llm_calls} calls, {usage.prompt_tokens} + {usage.completion_tokens} tokens")
    return " · ".join(parts + ([f"trace {answer.trace}"] if verbose and answer.trace else []))


def plain_table(
    headers: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: frozenset[int] = frozenset()
) -> Table:
    """A table without frames; the columns in `right` are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    return table


def is_terminal() -> bool:
    """Whether a person is likely to be looking at standard error."""
    return sys.stderr.isatty()
