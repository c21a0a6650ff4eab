"""Benches for tests of the tools: over a chart, and one call as plain data."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import pytest

from agent.chart import Chart
from agent.supply import bench_of
from fhir_tools.errors import NeedError
from fhir_tools.tools import Bench, Found, tool


def run(on: Chart | Bench, name: str, /, **arguments: Any) -> Found:
    """One call; on a chart with marks from 1."""
    bench = bench_of(on) if isinstance(on, Chart) else on
    return asyncio.run(tool(name).run(bench, arguments))


def refused(on: Chart | Bench, name: str, /, **arguments: Any) -> str:
    """What the model is told where it gave something wrong."""
    with pytest.raises(NeedError) as caught:
        run(on, name, **arguments)
    return str(caught.value)


def text(found: Found) -> str:
    """All that a model could read of it."""
    return "\n".join([*(c.text for c in found.cards), *(a.label for a in found.absent), *found.lines])


def note(key: str, day: str, body: str, *, title: str = "Progress note", **more: Any) -> Mapping[str, Any]:
    """A DocumentReference with its text inside."""
    return {
        "resourceType": "DocumentReference",
        "id": key,
        "status": "current",
        "type": {"text": title},
        "subject": {"reference": "Patient/p"},
        "date": f"{day}T10:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(body.encode()).decode()}}],
        **more,
    }
