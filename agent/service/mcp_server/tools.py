"""What an MCP client may call: the typed read-only tools, the whole agent as `ask`, and a list of patients where none
is bound yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from mcp import types
from pydantic import BaseModel, Field

from agent.patients import listed
from agent.service import metrics
from agent.service.bounds import within
from agent.service.mcp_server.resources import links
from agent.service.mcp_server.seats import UNBOUND, Seat, Seats
from agent.service.problems import problem_of
from agent.service.prose import prose
from agent.tools import Told, ToolFault, tell
from agent.types import Answer
from agent.untrusted import escape
from fhir_tools.tools import AVAILABLE, Tool
from fhir_tools.tools.arguments import Arguments, schema_of

__all__ = ["Progress", "call", "names", "offered"]

Progress = Callable[[float, str], Awaitable[None]]
"""How far a call is, as a number that grows, and in words without chart text."""

_MOST = 50


class _Ask(Arguments):
    question: Annotated[str, Field(min_length=1, max_length=4000, description="One whole question, in plain words.")]


class _Search(Arguments):
    search: Annotated[str, Field(max_length=120, description="Part of a name, an id or a record number.")] = ""


class PatientOut(BaseModel):
    """One that may be chosen."""

    id: str
    name: str
    birth_date: str | None


class Patients(BaseModel):
    """Those that were found; `complete` is False where there are more."""

    patients: list[PatientOut]
    complete: bool


def _described(
    name: str, title: str, description: str, arguments: Mapping[str, Any], output: type[BaseModel]
) -> types.Tool:
    return types.Tool(
        name=name,
        title=title,
        description=description,
        input_schema=dict(arguments),
        output_schema=output.model_json_schema(mode="serialization"),
        annotations=types.ToolAnnotations(
            title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _exported(tool: Tool) -> types.Tool:
    title = tool.name.replace("_", " ").capitalize()
    return _described(tool.name, title, tool.description, tool.schema, Told)


_ASK = _described(
    "ask",
    "Ask the chart",
    "Answer a question about the patient: a checked answer, each statement with marks and their citations.",
    schema_of(_Ask),
    Answer,
)
_LIST = _described(
    "list_patients",
    "List patients",
    f"The patients that this connection may be bound to. It answers nothing about them: {UNBOUND}.",
    schema_of(_Search),
    Patients,
)
_TOOLS = {tool.name: tool for tool in AVAILABLE}


def offered(seat: Seat) -> list[types.Tool]:
    """The tools of a seat: of the patient that is bound; where none is, the list of those that can be."""
    return [_ASK, *map(_exported, AVAILABLE)] if seat.patient else [_LIST]


def names() -> frozenset[str]:
    """Every tool there is, offered or not."""
    return frozenset(("ask", "list_patients", *_TOOLS))


async def call(
    seats: Seats, seat: Seat, name: str, arguments: Mapping[str, Any], progress: Progress
) -> types.CallToolResult:
    """The result of a call of one of `names`. Whatever fails is a result too, `is_error`, which says what to do."""
    try:
        if name == "ask":
            return await _ask(seats, seat, _Ask.read(arguments), progress)
        if name == "list_patients":
            return await _patients(seats, seat, _Search.read(arguments))
        async with seats.bench(seat) as (bench, chart):
            return _found(await tell(_TOOLS[name], bench, chart, arguments))
    except ToolFault as error:
        return _fault(str(error))
    except Exception as error:  # noqa: BLE001  told by its type alone where it is not chartline's own
        return _fault(problem_of(error).detail)


async def _ask(seats: Seats, seat: Seat, asked: _Ask, progress: Progress) -> types.CallToolResult:
    done = 0.0
    async with seats.agent(seat) as agent:
        heard = metrics.watched(agent.stream(asked.question))
        async for event in within(seats.desk.settings.service_seconds, heard):
            if isinstance(event, Answer):
                return _answered(event)
            done += 1
            await progress(done, event["text"])
    raise AssertionError("the stream ends with the answer or raises")


def _answered(answer: Answer) -> types.CallToolResult:
    marks = frozenset(citation.mark for citation in answer.citations)
    return types.CallToolResult(
        content=[_text(_escaped(prose(answer), marks)), *links(answer.citations)],
        structured_content=_escaped(answer.model_dump(mode="json"), marks),
        is_error=answer.status == "failed",
    )


def _found(told: Told) -> types.CallToolResult:
    marks = frozenset(citation.mark for citation in told.citations)
    rest = _escaped(told.model_dump(mode="json", exclude={"text"}), marks)
    return types.CallToolResult(
        content=[_text(told.text), *links(told.citations)], structured_content={"text": told.text, **rest}
    )


async def _patients(seats: Seats, seat: Seat, asked: _Search) -> types.CallToolResult:
    if seat.patient:
        return _fault("a patient is bound to this connection; there is no other to be asked about")
    async with seats.desk.source(seat.caller) as source:
        people, complete = await listed(source, asked.search)
    told = Patients(
        patients=[PatientOut(id=p.id, name=escape(p.name), birth_date=p.birth_date) for p in people[:_MOST]],
        complete=complete and len(people) <= _MOST,
    )
    lines = [f"{p.id}  {p.name}  born {p.birth_date or 'unknown'}" for p in told.patients]
    lines += [] if told.complete else ["There are more; search for part of a name."]
    return types.CallToolResult(
        content=[_text("\n".join(lines) or "no patient was found")], structured_content=told.model_dump(mode="json")
    )


def _escaped(value: Any, marks: frozenset[str]) -> Any:
    """The data with every text of it as a model may read it, line by line."""
    if isinstance(value, str):
        return "\n".join(escape(line, marks) for line in value.split("\n"))
    if isinstance(value, dict):
        return {key: _escaped(inner, marks) for key, inner in value.items()}
    return [_escaped(inner, marks) for inner in value] if isinstance(value, list) else value


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text)


def _fault(why: str) -> types.CallToolResult:
    return types.CallToolResult(content=[_text(why)], is_error=True)
