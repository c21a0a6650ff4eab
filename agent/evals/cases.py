"""The rows of an evaluation: questions, answers, evidence; JSON lines, one row a line.

A question has `id, family, patient, as_of (YYYY-MM-DD), question`; to be graded also `expected` and `support`
(`Type/id` of the resources that hold the answer). `expected.kind` is one of:
`number` (value, unit?, tolerance?), `numbers` (values), `comparator` (value), `date` (date), `dates` (dates),
`bool` (value), `text` (value), `set` (items, universe?) or `abstain` (the chart does not hold it).
`expected.absent` says that the thing asked about is not in the chart, so that "no" and abstaining are both right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UserError
from agent.types import Answer

__all__ = ["AnswerRow", "Case", "EvidenceRow", "Expected", "answer_row", "read_rows", "write_rows"]

Row = TypeVar("Row", bound=BaseModel)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Expected(_Row):
    """What the right answer holds; see the module for the kinds."""

    kind: Literal["number", "numbers", "comparator", "date", "dates", "bool", "text", "set", "abstain"]
    value: float | bool | str | None = None
    values: tuple[float, ...] = ()
    unit: str | None = None
    tolerance: float | None = None
    date: str | None = None
    dates: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    universe: tuple[str, ...] = ()
    absent: bool = False


class Case(_Row):
    """One question, as of its own day."""

    id: str
    patient: str
    question: str
    family: str = "all"
    as_of: date | None = None
    expected: Expected | None = None
    support: tuple[str, ...] = ()


class AnswerRow(_Row):
    """One graded row. `citations` are references, the inputs of computations among them.

    `removed` counts the claims that verify took out, `reasoner` is what answered.
    """

    id: str
    answer: str = ""
    value: Mapping[str, Any] | None = None
    citations: tuple[str, ...] = ()
    abstained: bool = False
    status: str = "answered"
    llm_calls: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    reasoner: str = ""
    removed: int = 0


class EvidenceRow(_Row):
    """What a model would be sent first, and what each mark in it stands for."""

    id: str
    prompt: str
    marks: Mapping[str, list[str]] = Field(default_factory=dict)


def answer_row(id_: str, answer: Answer) -> AnswerRow:
    """The public answer as a row."""
    cited = [x for c in answer.citations for x in (c.reference, *c.inputs) if x]
    return AnswerRow(
        id=id_,
        answer=answer.text,
        value=answer.value.model_dump(mode="json") if answer.value else None,
        citations=tuple(dict.fromkeys(cited)),
        abstained=answer.status == "not_found",
        status=answer.status,
        llm_calls=answer.usage.llm_calls,
        prompt_tokens=answer.usage.prompt_tokens,
        cached_prompt_tokens=answer.usage.cached_prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        seconds=answer.usage.seconds,
        reasoner=answer.reasoner,
        removed=len(answer.removed),
    )


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """All rows of a JSON-lines file. Raises UserError that names the file, the line and the field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"cannot read {str(path)!r}: {why}") from error
    return [_row(path, number, line, kind) for number, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, number: int, line: str, kind: type[Row]) -> Row:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise UserError(f"{path}: line {number}: {where + ': ' if where else ''}{fault['msg']}") from error


def write_rows(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write rows as JSON lines. Raises UserError when the file cannot be written."""
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error
