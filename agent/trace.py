"""The trace of one answer: what ran, for how long, over how much. Without patient data, unless a setting asks.

Traces are JSON lines, one answer a line, in one file a day (UTC) of the trace folder. A line has
`trace, at, reasoner, status, op, seconds, stages [{stage, seconds, …counts}], prompts {name: sha256},
usage, removed [kind]`, and under `patient_data` what only the setting allows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from agent.errors import SettingsError
from agent.types import Answer, Draft, Evidence, Verified

__all__ = ["Trace", "Tracer"]


@dataclass(slots=True, kw_only=True)
class Trace:
    """What is noted while one question runs. `id` stands in the answer; seconds are wall-clock."""

    id: str = field(default_factory=lambda: uuid4().hex)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: list[dict[str, Any]] = field(default_factory=list)
    private: dict[str, Any] = field(default_factory=dict)
    op: str = ""
    _start: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage. The caller may add counts to the yielded row; an exception adds its type."""
        row: dict[str, Any] = {"stage": name}
        start = time.perf_counter()
        try:
            yield row
        except Exception as error:
            row["error"] = type(error).__name__
            raise
        finally:
            row["seconds"] = round(time.perf_counter() - start, 4)
            self.stages.append(row)

    def keep(self, draft: Draft, verified: Verified | None = None, evidence: Evidence | None = None) -> None:
        """Note a round of reasoning, claims with their words: patient data, written only if the setting asks."""
        rounds = self.private.setdefault("rounds", [])
        rounds.append(
            {
                "draft": [{"text": claim.text, "marks": list(claim.marks)} for claim in draft.claims],
                "needs": [{"tool": need.tool, "arguments": dict(need.arguments)} for need in draft.needs],
                "kept": [claim.text for claim in verified.claims] if verified else None,
                "feedback": verified.feedback if verified else "",
                "cards": [card.text for card in evidence.cards] if evidence else [],
            }
        )

    @property
    def seconds(self) -> float:
        """Since the question was put."""
        return round(time.perf_counter() - self._start, 4)

    def row(self, answer: Answer, prompts: Mapping[str, str], *, patient_data: bool) -> dict[str, Any]:
        """The line that is written."""
        line: dict[str, Any] = {
            "trace": self.id,
            "at": self.at.isoformat(timespec="milliseconds"),
            "reasoner": answer.reasoner,
            "status": answer.status,
            "op": self.op,
            "seconds": self.seconds,
            "stages": self.stages,
            "prompts": dict(prompts),
            "usage": answer.usage.model_dump(mode="json"),
            "removed": [removed.kind for removed in answer.removed],
        }
        if patient_data:
            line["patient_data"] = {"answer": answer.model_dump(mode="json"), **self.private}
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracer:
    """Writes traces to a folder, or nowhere when there is none."""

    folder: Path | None = None
    patient_data: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                why = f"cannot make the folder {str(self.folder)!r}: {error.strerror}"
                raise SettingsError(f"CHARTLINE_TRACE: {why}") from error

    def write(self, trace: Trace, answer: Answer) -> None:
        """Append the trace's line. Raises OSError when the folder cannot be written."""
        if self.folder is None:
            return
        line = json.dumps(trace.row(answer, self.prompts, patient_data=self.patient_data), default=str)
        path = self.folder / f"{trace.at:%Y-%m-%d}.jsonl"
        # One write of one line in append mode: processes that share the folder do not interleave.
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
