"""`Last-Event-ID`: who comes back to a stream of server-sent events is told what is left of it (HTML 9.2).

An answer on record is told in one way alone, whichever process tells it: its claims and then the whole bear their
numbers as ids. Progress has none, since another process may tell another; it comes before them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import Header

from agent.service.events import Event, Identified, problem_event
from agent.service.problems import AWAY, problem_of
from agent.service.questions.runs import Run

__all__ = ["LastEventId", "is_told", "rest"]

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The id of the last event that the client has, as EventSource sends it: the rest is told.",
    ),
]


async def rest(events: AsyncIterator[Event], last: str | None) -> AsyncIterator[Event | Identified]:
    """What comes after the event of this id, with the ids of what is on record; an id that was never given is none."""
    had, number = _number(last), 0
    try:
        async for name, data in events:
            if name == "progress":
                yield name, data
                continue
            number += 1
            if number > had or name == "answer":
                yield name, data, str(number)
    except Exception as error:  # noqa: BLE001  told to the reader, who waits for an end
        problem = problem_of(error)
        told = problem_event(problem)
        yield told if problem.kind == AWAY else (*told, str(number + 1))  # with no id it is not over: come again


def is_told(run: Run, last: str | None) -> bool:
    """Whether the client has all that there will be: answered with 204, EventSource does not come again."""
    if run.state == "working":
        return False
    claims = len(orjson.loads(run.answer)["claims"]) if run.answer else 0
    return _number(last) == claims + 1


def _number(last: str | None) -> int:
    return int(last) if last and last.isascii() and last.isdigit() and len(last) < 9 else 0
