"""Summary → text for a terminal, Markdown, HTML or JSON. The same lines and citations in each."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from agent.errors import UserError
from agent.summaries import page
from agent.summaries.plots import sparkline
from agent.summaries.types import Line, Plot, Section, Summary
from fhir_tools import units

__all__ = ["FORMATS", "data_of", "render"]

_WIDTH = 100
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def render(summary: Summary, format: str) -> str:  # noqa: A002  the command line's own word for it
    """The summary as `text`, `markdown`, `html` or `json`. Raises UserError for another format."""
    maker = FORMATS.get(format)
    if maker is None:
        raise UserError(f"no summary format is called {format!r}; there are {', '.join(FORMATS)}")
    return maker(summary)


# Text


def _text(summary: Summary) -> str:
    out = [summary.title, "=" * len(summary.title), f"{summary.patient}, as of {summary.as_of}"]
    out += [f"! {w}" for w in summary.warnings]
    for section in (summary.banner, *summary.sections):
        out += ["", section.title, "-" * len(section.title), *_text_section(section)]
    if summary.closing:
        out += ["", summary.closing]
    out += ["", "Citations", "---------"]
    for cited in summary.citations:
        head = f"[{cited.mark}] "
        where = _places(cited.references)
        out += _wrapped(f"{head}{cited.text}{f'  ({where})' if where else ''}", len(head))
    out += ["", _searches(summary)]
    return "\n".join(out) + "\n"


def _text_section(section: Section) -> Iterator[str]:
    for line in section.lines:
        spark = f"  {_course(line.plot)}" if line.plot else ""
        yield from _wrapped(f"{'!' if line.flagged else '-'} {line.text}{_marks(line.marks)}{spark}", 2)
    for note in section.notes:
        yield from _wrapped(f"  {note.text}{_marks(note.marks)}", 2)
    yield from (f"  {more}" for more in _more(section))


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _marks(marks: tuple[str, ...]) -> str:
    return f" [{', '.join(marks)}]" if marks else ""


def _course(plot: Plot) -> str:
    first, last = plot.points[0][0].date(), plot.points[-1][0].date()
    values = [v for _, v, name in plot.points if name == plot.names[0]]
    number = f"{units.show_number(min(values))} to {units.show_number(max(values))}"
    older = f" ({plot.older} older ones left out)" if plot.older else ""
    return f"{sparkline(plot)} {len(values)} results {first} to {last}, {number}{older}"


def _more(section: Section) -> Iterator[str]:
    if section.hidden:
        yield f"{section.hidden} more {'is' if section.hidden == 1 else 'are'} not shown."
    reasons = Counter(r.reason for r in section.removed)
    for reason, number in reasons.items():
        yield f"{number} line{'s' if number > 1 else ''} removed or shortened by the check: {reason}."


def _searches(summary: Summary) -> str:
    cut = [s for s in summary.searched if not s.complete]
    told = f"{len(summary.searched)} searches, {'all complete' if not cut else f'{len(cut)} not complete'}; "
    return f"{told}{len(summary.removed)} lines removed by the check."


def _places(references: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(references) - most} more" if len(references) > most else ""
    return ", ".join(references[:most]) + more


# Markdown


def _markdown(summary: Summary) -> str:
    out = [f"# {_escaped(summary.title)}", "", f"{summary.patient}, as of {summary.as_of}", ""]
    out += [f"> {_escaped(w)}\n" for w in summary.warnings]
    for section in (summary.banner, *summary.sections):
        out += [f"## {_escaped(section.title)}", "", *_markdown_section(section), ""]
    if summary.closing:
        out += [summary.closing, ""]
    out += ["## Citations", "", "| Mark | Date | What it says | Where |", "| --- | --- | --- | --- |"]
    for c in summary.citations:
        out.append(f"| {c.mark} | {c.date or ''} | {_escaped(c.text)} | {_places(c.references)} |")
    return "\n".join([*out, "", _searches(summary), ""])


def _markdown_section(section: Section) -> Iterator[str]:
    for line in section.lines:
        text = f"**{_escaped(line.text)}**" if line.flagged else _escaped(line.text)
        yield f"- {text}{_escaped(_marks(line.marks))}{f' `{_course(line.plot)}`' if line.plot else ''}"
    if section.lines and (section.notes or section.hidden or section.removed):
        yield ""
    yield from (f"*{_escaped(n.text)}*{_escaped(_marks(n.marks))}\n" for n in section.notes)
    yield from (f"*{_escaped(more)}*\n" for more in _more(section))


def _escaped(text: str) -> str:
    """Chart text without Markdown or HTML of its own."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


# JSON


def _json(summary: Summary) -> str:
    return orjson.dumps(data_of(summary), option=orjson.OPT_INDENT_2).decode()


def data_of(summary: Summary) -> dict[str, Any]:
    """The summary as plain data: the banner is the first of its sections."""
    return {
        "kind": summary.kind,
        "title": summary.title,
        "patient": str(summary.patient),
        "as_of": summary.as_of.isoformat(),
        "sections": [_section_data(s) for s in (summary.banner, *summary.sections)],
        "closing": summary.closing,
        "citations": [
            {
                "mark": c.mark,
                "text": c.text,
                "date": c.date,
                "references": c.references,
                "version": c.version,
                "path": c.path,
            }
            for c in summary.citations
        ],
        "searched": [
            {"query": s.query, "found": s.found, "complete": s.complete, "error": s.error} for s in summary.searched
        ],
        "removed": [r.model_dump() for r in summary.removed],
        "warnings": summary.warnings,
        "complete": all(s.complete for s in summary.searched),
    }


def _section_data(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "lines": [_line_data(line) for line in section.lines],
        "notes": [{"text": n.text, "marks": n.marks} for n in section.notes],
        "hidden": section.hidden,
        "removed": [r.model_dump() for r in section.removed],
    }


def _line_data(line: Line) -> dict[str, Any]:
    plot = line.plot
    course = plot and {
        "title": plot.title,
        "unit": plot.unit,
        "low": plot.low,
        "high": plot.high,
        "older": plot.older,
        "points": [
            {"when": when.isoformat(), "value": value, "series": name or None} for when, value, name in plot.points
        ],
    }
    return {"text": line.text, "marks": line.marks, "support": line.support, "flagged": line.flagged, "course": course}


def _html(summary: Summary) -> str:
    told = {s.title: tuple(_more(s)) for s in (summary.banner, *summary.sections)}
    return page.html(summary, told, _searches(summary))


FORMATS: dict[str, Callable[[Summary], str]] = {"text": _text, "markdown": _markdown, "html": _html, "json": _json}
