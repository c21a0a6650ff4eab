"""What the OpenAPI document shows of answers: made from the demo charts, as a test holds them to be."""

from __future__ import annotations

from typing import Any

import orjson

from agent.service.problems import responses

__all__ = ["ANSWER", "ANSWERED"]

ANSWER: dict[str, Any] = {
    "question": "last A1c?",
    "patient": "Patient/demo-maria-santos",
    "as_of": "2026-06-15",
    "thread": None,
    "status": "answered",
    "text": "Latest: Hemoglobin A1c was 7.2 % (H) on 2026-04-06 [1].",
    "value": {"kind": "number", "value": 7.2, "unit": "%", "date": "2026-04-06"},
    "claims": [
        {"text": "Latest: Hemoglobin A1c was 7.2 % (H) on 2026-04-06.", "marks": ["1"], "support": "direct"},
    ],
    "citations": [
        {
            "mark": "1",
            "reference": "Observation/santos-a1c-2026-04-06",
            "version": "1",
            "path": "Observation.valueQuantity",
            "excerpt": "2026-04-06 Hemoglobin A1c 7.2 %",
            "inputs": [],
            "span": None,
        }
    ],
    "searched": [
        {
            "query": "Observation?patient=Patient/demo-maria-santos&combo-code=http://loinc.org|4548-4",
            "found": 61,
            "complete": True,
            "error": None,
        }
    ],
    "readings": [],
    "removed": [],
    "warnings": [],
    "usage": {
        "llm_calls": 0,
        "prompt_tokens": 0,
        "cached_prompt_tokens": 0,
        "completion_tokens": 0,
        "seconds": 0.01,
    },
    "reasoner": "rules",
    "trace": "d5155ac01a204f69b9a81f69de2fb81d",
}
"""`last A1c?` of the demo chart."""


def _events() -> str:
    told = (
        ("progress", {"stage": "open", "text": "opening the chart"}),
        ("claim", ANSWER["claims"][0]),
        ("answer", ANSWER),
    )
    return "".join(f"event: {name}\ndata: {orjson.dumps(data).decode()}\n\n" for name, data in told)


_SSE = {
    "schema": {
        "type": "string",
        "description": "Server-sent events: `progress`, `claim`, and at the end `answer`, or `problem`.",
    },
    "example": _events(),
}
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": ANSWER}, "text/event-stream": _SSE}},
    **responses(404, 502),
}
"""What a route that answers a question says of its answers, for `responses=`."""
