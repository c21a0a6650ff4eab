"""The resources that a summary cites, read again so that a document holds what it refers to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from agent.chart import Chart
from agent.summaries.types import Summary
from fhir_tools.audit.entry import safe_reference
from fhir_tools.errors import ScopeError, SourceError
from fhir_tools.types import Reference

__all__ = ["cited_records"]

_AT_ONCE = 8
_MOST = 500


async def cited_records(chart: Chart, summary: Summary) -> Mapping[str, Mapping[str, Any]]:
    """The patient and what the summary cites, by reference, at most 500.

    What cannot be read now is left out, as are resources of further servers, whose references are absolute: the
    document names them all the same.
    """
    cited = [r for c in summary.citations for r in c.references]
    names = list(dict.fromkeys((str(summary.patient), *cited)))
    wanted = [n for n in names if safe_reference(n) != "?" and "://" not in n][:_MOST]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(name: str) -> Mapping[str, Any] | None:
        try:
            async with slots:
                return await chart.source.read(Reference.parse(name))
        except (SourceError, ScopeError):
            return None

    found = await asyncio.gather(*map(read, wanted))
    return {name: resource for name, resource in zip(wanted, found, strict=True) if resource is not None}
