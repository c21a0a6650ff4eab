"""`chartline ask`: one question, one answer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from agent import auditing, settings
from agent.cli.output import answer_view, clean, console, emit, is_terminal, safe_json, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR
from agent.patients import choose
from agent.settings import Settings
from agent.sources import open_source
from agent.types import Answer
from fhir_tools.garbage import unwatched

if TYPE_CHECKING:
    from agent.wire import Agent

__all__ = ["ask", "asked", "session"]


def ask(
    question: str,
    patient: str | None,
    as_of: date | None,
    fhir: Sequence[str],
    thread: str | None,
    format_: str,
    *,
    verbose: bool,
) -> int:
    """Print the answer as `text`, `json` or `fhir`; the exit code is 3 when it failed for the operator to mend."""
    return asyncio.run(_ask(question, patient, as_of, fhir, thread, format_, verbose))


async def _ask(
    question: str,
    patient: str | None,
    as_of: date | None,
    fhir: Sequence[str],
    thread: str | None,
    format_: str,
    verbose: bool,
) -> int:
    async with session(patient, as_of, fhir, settings.read()) as agent:
        answer = await asked(agent, question, thread, verbose=verbose)
        who = auditing.who(agent.settings, agent.patient)
    out = console()
    if format_ == "json":
        print(safe_json(answer.model_dump(mode="json")))
    elif format_ == "fhir":
        from agent.fhir_out import Request, answer_bundle

        print(safe_json(answer_bundle(answer, Request(who=who, made=datetime.now(UTC)))))
    else:
        emit(out, answer_view(answer, out.width, verbose=verbose))
    return EXIT_OPERATOR if answer.status == "failed" else EXIT_OK


@asynccontextmanager
async def session(
    patient: str | None, as_of: date | None, fhir: Sequence[str], given: Settings
) -> AsyncIterator[Agent]:
    """An agent on the settings' store, or on `fhir`, for the patient that is meant."""
    async with open_source(fhir, given) as source, auditing.open_record(given) as record:
        reference = await choose(source, patient)
        kind = _agent_class()
        async with kind(source, reference, as_of=as_of, settings=given, record=record, fhir=fhir) as agent:
            yield agent


def _agent_class() -> type[Agent]:
    """The agent, imported late: the graph's libraries take most of the start.

    They make many objects that stay; a garbage collector that walks them again and again costs a tenth of it.
    """
    with unwatched():
        from agent.wire import Agent
    gc.freeze()
    return Agent


async def asked(agent: Agent, question: str, thread: str | None, *, verbose: bool = False) -> Answer:
    """The answer, with its progress on standard error where somebody looks at it."""
    if verbose or not is_terminal():
        return await _follow(agent, question, thread, tell_note if verbose else None)
    with console(err=True).status("opening the chart", spinner="dots") as status:
        return await _follow(agent, question, thread, lambda line: status.update(clean(line)))


async def _follow(agent: Agent, question: str, thread: str | None, tell: Callable[[str], object] | None) -> Answer:
    answer: Answer | None = None
    async for event in agent.stream(question, thread):
        if isinstance(event, Answer):
            answer = event
        elif tell:
            tell(event["text"])
    assert answer is not None  # noqa: S101  the stream ends with the answer or raises
    return answer
