"""The typed tools over one open chart, told to somebody else's model: text with marks, and what is behind the marks.

LangChain users (`agent.langchain`) and MCP clients (`agent.service.mcp_server`) are told the same.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.chart import Chart
from agent.errors import NeedError, QueryError, ScopeError, SourceError
from agent.types import Citation, SearchedOut
from agent.untrusted import escape, imitations
from fhir_tools.tools import Absent, Bench, Found, Tool
from fhir_tools.types import Card, Mark

__all__ = ["Told", "ToolFault", "tell"]


class ToolFault(Exception):
    """A call that brought nothing. The message is for the model: what is wrong and what to give instead."""


class Told(BaseModel):
    """What one call brought: `text` with marks, chart text in it escaped, and the citations behind the marks.

    `complete` is False where not all of the chart could be read; `searched` then says what, and why.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    citations: list[Citation]
    searched: list[SearchedOut]
    complete: bool
    warnings: list[str]


async def tell(tool: Tool, bench: Bench, chart: Chart, arguments: Any) -> Told:
    """Run a tool over the bench of a chart; its marks go on from those of the bench. Raises ToolFault."""
    try:
        found = await tool.run(bench, arguments)
    except NeedError as error:
        raise ToolFault(str(error)) from None
    except (ScopeError, QueryError) as error:
        raise ToolFault(f"that cannot be looked up here ({type(error).__name__})") from None
    except SourceError as error:
        raise ToolFault(f"the chart could not be read: {error}") from None
    return _told(found, chart)


def _told(found: Found, chart: Chart) -> Told:
    marks = {m.id: m for m in (*(m for card in found.cards for m in card.marks), *found.search_marks)}
    return Told(
        text=_text(found),
        citations=[_citation(mark, chart) for mark in marks.values()],
        searched=[
            SearchedOut(query=row.query, found=row.found, complete=row.complete, error=row.error)
            for row in found.searched
        ],
        complete=found.complete,
        warnings=list(found.warnings),
    )


def _text(found: Found) -> str:
    lines = [*map(_card, found.cards), *map(_absence, found.absent), *map(escape, found.lines)]
    lines += [f"Warning: {escape(warning)}" for warning in found.warnings]
    if not found.complete:
        why = dict.fromkeys(escape(row.error or "cut short") for row in found.searched if not row.complete)
        lines.append(f"Not all of the chart could be read: {'; '.join(why)}")
    return "\n".join(lines) or "nothing was found"


def _card(card: Card) -> str:
    """The card, escaped: only a mark of this card stands in brackets, and only where the card set it."""
    marks, faked = frozenset(mark.id for mark in card.marks), imitations(card)
    return "\n ".join(escape(faked.defused(line), marks) for line in (card.title, *card.lines))


def _absence(absent: Absent) -> str:
    marks = " ".join(f"[{id_}]" for id_ in absent.searched)
    what = escape(" ".join(filter(None, (absent.label, absent.window))))
    ended = "searched, not there" if absent.complete else "not all could be searched"
    hidden = f"; {absent.opaque} uncoded entries might be it" if absent.opaque else ""
    near = f"; the chart has {escape(', '.join(absent.near))}" if absent.near else ""
    return f"{what} ({', '.join(absent.kinds)}) {marks} {ended}{hidden}{near}"


def _citation(mark: Mark, chart: Chart) -> Citation:
    """Where a mark points, as the answers of this program say it."""
    if mark.fact:
        where = chart.locate(mark.fact.reference)
        return Citation(
            mark=mark.id, reference=where, version=mark.fact.version, path=mark.fact.path, excerpt=mark.shown
        )
    inputs = list(dict.fromkeys(chart.locate(f.reference) for f in mark.facts))
    path = mark.computation.op if mark.computation else mark.search.query if mark.search else ""
    return Citation(mark=mark.id, reference="", path=path, excerpt=mark.shown, inputs=inputs)
