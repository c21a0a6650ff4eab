"""What is counted and timed, for Prometheus. Labels are route templates, stages and kinds of outcome: no patient data.

With several worker processes each writes its counts to a shared folder (`share`, before anything else is imported
from here), and whichever is asked adds up those of all (Prometheus' multiprocess mode).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from agent.graph import Progress
from agent.types import Answer
from fhir_tools.audit import Entry, Record, RequestEntry

__all__ = ["CHARTS", "IN_FLIGHT", "REJECTED", "clear", "exposition", "recorded", "requested", "watched"]

_OWN = CollectorRegistry()
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

IN_FLIGHT = Gauge(
    "chartline_requests_in_flight", "Requests being answered.", registry=_OWN, multiprocess_mode="livesum"
)
CHARTS = Gauge("chartline_open_charts", "Charts kept open.", registry=_OWN, multiprocess_mode="livesum")
REJECTED = Counter("chartline_rejected", "Requests refused by a limit.", ("why",), registry=_OWN)
_REQUESTS = Counter("chartline_requests", "Requests answered.", ("route", "method", "status"), registry=_OWN)
_SECONDS = Histogram("chartline_request_seconds", "From request to answer.", ("route",), registry=_OWN, buckets=_FAST)
_QUESTIONS = Counter("chartline_questions", "Questions answered.", ("status", "reasoner"), registry=_OWN)
_STAGES = Histogram("chartline_stage_seconds", "Stages of a question.", ("stage",), registry=_OWN, buckets=_FAST)
_FHIR = Histogram("chartline_fhir_seconds", "Requests of charts.", ("action",), registry=_OWN, buckets=_FAST)
_FHIR_ERRORS = Counter("chartline_fhir_errors", "Requests of charts that failed.", ("action",), registry=_OWN)

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


def requested(route: str, method: str, status: int, seconds: float) -> None:
    """Count a request. A method that HTTP does not have is counted as `-`: clients must not make up labels."""
    _REQUESTS.labels(route, method if method in _METHODS else "-", str(status)).inc()
    _SECONDS.labels(route).observe(seconds)


async def watched(events: AsyncIterator[Progress | Answer]) -> AsyncIterator[Progress | Answer]:
    """The events of a question as they come, with its stages timed and its end counted."""
    stage, began = "", perf_counter()
    async for event in events:
        now = perf_counter()
        if stage:
            _STAGES.labels(stage).observe(now - began)
        if isinstance(event, Answer):
            _QUESTIONS.labels(event.status, event.reasoner).inc()
        else:
            stage, began = event["stage"], now
        yield event


def recorded(record: Record | None) -> Record:
    """A record that counts what is asked of charts, and keeps it where there is something to keep it."""

    def kept(entry: Entry) -> object:
        if isinstance(entry, RequestEntry):
            _FHIR.labels(entry.action).observe(entry.seconds)
            if entry.outcome != "ok":
                _FHIR_ERRORS.labels(entry.action).inc()
        return record(entry) if record else None

    return kept  # type: ignore[return-value]


def exposition(folder: Path | None) -> bytes:
    """All that was counted, as Prometheus reads it: of this process, or of all that share the folder."""
    registry = CollectorRegistry() if folder else _OWN
    if folder:
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def clear(folder: Path) -> None:
    """Take out what processes that are gone had in flight; what they counted stays."""
    for name in folder.glob("gauge_live*.db"):
        pid = int(name.stem.rpartition("_")[2])
        if not _is_alive(pid):
            mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=_OWN)
