"""Requests as a chat model gets them: real prompts and reply schemas, of many questions over the demo charts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from itertools import cycle
from typing import Any

from agent.models.base import Request
from agent.models.scripted import Scripted
from agent.open import open_chart
from agent.reasoners.llm import Llm
from agent.wire import Agent
from benchmarks.bench_ask import LISTS, about
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.tools import TOOLS
from fhir_tools.types import Reference

__all__ = ["gathered", "kinds", "shortened"]

_YEARS = (2021, 2022, 2023, 2024, 2025)
_BOUNDS = {"claims": 2, "marks": 2, "needs": 1}
_LETTERS = 40


async def gathered(most: int) -> list[Request]:
    """So many different first requests, of the demo patients in turn."""
    found: dict[str, Request] = {}
    async with LocalStore(":memory:") as store:
        load(demo.paths(), store)
        asking = [_requests(store, patient) for patient in demo.patients()]
        for requests in cycle(asking):
            request = await anext(requests, None)
            if request is None or len(found) >= most:
                break
            found.setdefault("".join(message.text for message in request.messages), request)
    return list(found.values())


async def _requests(store: LocalStore, patient: str) -> AsyncIterator[Request]:
    """The first request of each question about a patient: those of the benchmark, then each in several windows."""
    heard = Scripted(lambda _: {"claims": [], "needs": [], "status": "not_found"}, check=False)
    chart = await open_chart(store, Reference(type="Patient", id=patient), demo.AS_OF)
    questions = [*LISTS, *about(chart.catalogue)]
    windowed = (f"{question.rstrip('?')} since {year}?" for year in _YEARS for question in questions)
    async with Agent(store, patient, as_of=demo.AS_OF, reasoner=Llm(heard, tools=TOOLS)) as agent:
        for question in (*questions, *windowed):
            heard.requests.clear()
            await agent.ask(question)
            yield heard.requests[0]


def shortened(request: Request, tokens: int) -> Request:
    """The same request with fewer and shorter things allowed in its reply, so that a model which rambles gets to its
    end within `tokens`: marks, tools and their arguments stay as they are."""
    assert request.schema is not None
    return replace(request, schema=_short(request.schema), tokens=tokens, seconds=600.0)


def _short(schema: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    found = {key: _shorter(key, value, name) for key, value in schema.items()}
    if "maxItems" in found:
        found["maxItems"] = min(found["maxItems"], _BOUNDS.get(name, 2))
    if "maxLength" in found:
        found["maxLength"] = min(found["maxLength"], _LETTERS)
    return found


def _shorter(key: str, value: Any, name: str) -> Any:
    match key, value:
        case "properties", Mapping():
            return {inner: _short(schema, inner) for inner, schema in value.items()}
        case "items", Mapping():
            return _short(value, name)
        case "anyOf" | "oneOf", list():
            return [_short(schema) for schema in value]
    return value


def kinds(requests: list[Request]) -> int:
    """How many different schemas there are among them."""
    return len({json.dumps(request.schema, sort_keys=True) for request in requests})
