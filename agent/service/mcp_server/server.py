"""The MCP server itself: the protocol's requests, answered for the seat that each comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

import prompts
from agent.service.mcp_server import resources, tools
from agent.service.mcp_server.seats import Seat, Seats
from agent.service.problems import problem_of

__all__ = ["serving"]

_PROMPT = types.Prompt(
    name="question",
    title="Ask about the patient",
    description="Have a question answered from the chart, with citations.",
    arguments=[types.PromptArgument(name="question", description="What is asked.", required=True)],
)


def serving(seats: Seats, seat_of: Callable[[Any], Seat]) -> Server[Any]:
    """A server over the charts of `seats`. `seat_of` says whose seat a request (its context) comes from."""
    rooms = _Rooms(seats, seat_of)
    server: Server[Any] = Server(
        "chartline",
        version=version("chartline"),
        title="chartline",
        instructions=prompts.load("mcp").system.strip(),
        on_list_tools=rooms.list_tools,
        on_call_tool=rooms.call_tool,
        on_list_resources=rooms.list_resources,
        on_list_resource_templates=rooms.list_templates,
        on_read_resource=rooms.read_resource,
        on_list_prompts=rooms.list_prompts,
        on_get_prompt=rooms.get_prompt,
    )
    server.middleware[:] = [_told]  # the SDK's own would tell an exporter of traces what is asked for, if one is set up
    return server


async def _told(ctx: Any, call_next: Any) -> Any:
    """Errors in the protocol's form: chartline's own in their words, others by their type, as theirs may hold data."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):  # the latter is about the request's own form
        raise
    except Exception as error:  # noqa: BLE001  the client waits for an answer
        raise MCPError(types.INTERNAL_ERROR, problem_of(error).detail) from None


class _Rooms:
    """The handlers. Each takes the request's context and parameters and returns the protocol's result."""

    def __init__(self, seats: Seats, seat_of: Callable[[Any], Seat]) -> None:
        self._seats, self._seat_of = seats, seat_of

    async def list_tools(self, ctx: Any, _: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools.offered(self._seat_of(ctx)))

    async def call_tool(self, ctx: Any, params: Any) -> types.CallToolResult:
        if params.name not in tools.names():
            raise MCPError(types.INVALID_PARAMS, "there is no such tool; tools/list names those there are")
        progress = partial(_progress, ctx)
        return await tools.call(self._seats, self._seat_of(ctx), params.name, params.arguments or {}, progress)

    async def list_resources(self, ctx: Any, _: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=resources.LISTED if self._seat_of(ctx).patient else [])

    async def list_templates(self, ctx: Any, _: Any) -> types.ListResourceTemplatesResult:
        templates = resources.TEMPLATES if self._seat_of(ctx).patient else []
        return types.ListResourceTemplatesResult(resource_templates=templates)

    async def read_resource(self, ctx: Any, params: Any) -> types.ReadResourceResult:
        async with self._seats.bench(self._seat_of(ctx)) as (bench, chart):
            try:
                contents = await resources.read(str(params.uri), bench, chart)
            except resources.Unknown as error:
                raise MCPError(types.INVALID_PARAMS, str(error), {"uri": str(params.uri)}) from None
        return types.ReadResourceResult(contents=[contents])

    async def list_prompts(self, _: Any, __: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_PROMPT])

    async def get_prompt(self, _: Any, params: Any) -> types.GetPromptResult:
        question = (params.arguments or {}).get("question", "").strip()
        if params.name != _PROMPT.name or not question:
            raise MCPError(types.INVALID_PARAMS, "the one prompt is question, and its argument question is needed")
        text = prompts.load("mcp").user_text(question=question)
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=_PROMPT.description, messages=[message])


async def _progress(ctx: Any, done: float, told: str) -> None:
    await ctx.session.report_progress(done, message=told)
