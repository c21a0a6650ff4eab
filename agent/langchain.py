"""The typed tools as LangChain StructuredTools, for somebody's own agent: the patient is bound, not an argument."""

from __future__ import annotations

from typing import Any

from langchain_core.tools import StructuredTool, ToolException

from agent.chart import Chart
from agent.supply import bench_of
from agent.tools import ToolFault, tell
from fhir_tools.tools import AVAILABLE, Bench, Tool

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
            told = await tell(tool, bench, chart, arguments)
        except ToolFault as error:
            raise ToolException(str(error)) from None
        return told.text, told.model_dump(mode="json", exclude={"text"})

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema={"title": tool.name, "description": tool.description, **tool.schema},
        coroutine=call,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )
