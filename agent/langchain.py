"""The typed tools as LangChain StructuredTools, for somebody's own agent: the patient is bound, not an argument."""

from __future__ import annotations

from typing import Any

from langchain_core.tools import StructuredTool, ToolException

from agent.chart import Chart
from agent.errors import NeedError, QueryError, ScopeError, SourceError
from agent.supply import bench_of
from agent.types import Citation
from agent.untrusted import escape, imitations
from fhir_tools.tools import AVAILABLE, Absent, Bench, Found, Tool
from fhir_tools.types import Card, Mark

__all__ = ["tools"]


def tools(chart: Chart) -> list[StructuredTool]:
    """The tools over one open chart (`agent.open.open_chart`), async only. They share marks: one may name another's.

    What a tool returns is text with marks, chart text escaped, and as its artifact the citations behind the marks and
    the searches as plain JSON data. Wrong arguments and faults of the source come back as text that says what to do.
    """
    bench = bench_of(chart)
    return [_exported(tool, bench, chart) for tool in AVAILABLE]


def _exported(tool: Tool, bench: Bench, chart: Chart) -> StructuredTool:
    async def call(**arguments: Any) -> tuple[str, dict[str, Any]]:
        try:
            found = await tool.run(bench, arguments)
        except NeedError as error:
            raise ToolException(str(error)) from None
        except (ScopeError, QueryError) as error:
            raise ToolException(f"that cannot be looked up here ({type(error).__name__})") from None
        except SourceError as error:
            raise ToolException(f"the chart could not be read: {error}") from None
        return _text(found), _artifact(found, chart)

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema={"title": tool.name, "description": tool.description, **tool.schema},
        coroutine=call,
        response_format="content_and_artifact",
        handle_tool_error=True,
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


def _artifact(found: Found, chart: Chart) -> dict[str, Any]:
    marks = {m.id: m for m in (*(m for card in found.cards for m in card.marks), *found.search_marks)}
    return {
        "citations": [_citation(mark, chart).model_dump(mode="json") for mark in marks.values()],
        "searched": [
            {"query": row.query, "found": row.found, "complete": row.complete, "error": row.error}
            for row in found.searched
        ],
        "complete": found.complete,
        "warnings": list(found.warnings),
    }


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
