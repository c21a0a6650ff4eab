"""Checks as a file that a coordinator reads and edits: YAML out, YAML in, every fault with its line and remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import UserError
from agent.located import parse_yaml, read_yaml
from agent.trials.checks import Check
from agent.trials.types import Criterion, Section, Statement, Trial

__all__ = ["Sheet", "digest", "is_sheet", "parse_sheet", "read_sheet", "write_sheet"]

_HEAD = """\
# Checks of one trial, for a coordinator to read and edit; `chartline trials match {name}` runs what stands here.
# Under `check`, type is one of: age, sex, record, measurement, pregnancy, smoking, not, all, any, at least,
# no chart (nobody can look it up: always unknown), reader (rules do not understand it).
# A record has kind (condition, medication, allergy, procedure, immunization, encounter, family, device, imaging), of,
# and if need be apart, state (active, resolved, current), period (within, before, since, until), lasting, least (how
# many, on different days), doubts. `doubts` are words that the check passes over: delete those that do not matter.
"""
_TAGS = frozenset(
    (
        "age",
        "sex",
        "record",
        "measurement",
        "pregnancy",
        "smoking",
        "no chart",
        "reader",
        "not",
        "all",
        "any",
        "at least",
    )
)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0)
    section: Section
    text: str = Field(min_length=1)
    span: tuple[int, int] = (0, 0)
    by: str = "rules"
    check: Check


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str = Field(min_length=1)
    title: str = ""
    criteria: tuple[_Row, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A trial's checks, wherever they came from."""

    trial: str
    title: str
    criteria: tuple[Criterion, ...]


def digest(criteria: Sequence[Criterion]) -> str:
    """A digest of the checks, so that a run can tell whether an earlier one asked the same."""
    said = "\n".join(f"{c.statement.number} {c.statement.section} {c.check.model_dump_json()}" for c in criteria)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def write_sheet(trial: Trial, criteria: Sequence[Criterion], name: str = "criteria.yaml") -> str:
    """The sheet's text. What has its default value is left out."""
    import yaml

    rows = [
        {
            "number": c.statement.number,
            "section": c.statement.section,
            "text": c.statement.text,
            "span": [c.statement.start, c.statement.end],
            "by": c.by,
            "check": _plain(c.check),
        }
        for c in criteria
    ]
    data = {"trial": trial.id, "title": trial.title, "criteria": rows}
    told = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return _HEAD.format(name=name) + told


def _plain(check: Any) -> Any:
    """The check as plain data with its type first."""
    told = check.model_dump(mode="json", exclude_defaults=True)

    def typed(model: Any, data: Any) -> Any:
        if isinstance(model, tuple) and model and hasattr(model[0], "type") and isinstance(data, list):
            return [typed(m, d) for m, d in zip(model, data, strict=True)]
        if not hasattr(model, "type"):
            return data
        return {"type": model.type, **{k: typed(getattr(model, k), v) for k, v in data.items() if k != "type"}}

    return typed(check, told)


def is_sheet(path: Path) -> bool:
    """Whether a path names a sheet rather than a protocol."""
    return path.suffix.lower() in (".yaml", ".yml")


def read_sheet(path: Path) -> Sheet:
    """The sheet of a file. Raises UserError that names the file, the line and what to write instead."""
    return _sheet(read_yaml(path, _File, tags=_TAGS), str(path))


def parse_sheet(text: str, name: str) -> Sheet:
    """The sheet of a text, which errors call by `name`. Raises UserError as `read_sheet`."""
    return _sheet(parse_yaml(text, name, _File, tags=_TAGS), name)


def _sheet(file: _File, name: str) -> Sheet:
    numbers = [row.number for row in file.criteria if row.number]
    twice = next((n for n in numbers if numbers.count(n) > 1), None)
    if twice is not None:
        raise UserError(f"{name}: two criteria have the number {twice}; give each its own")
    return Sheet(trial=file.trial, title=file.title, criteria=tuple(map(_criterion, file.criteria)))


def _criterion(row: _Row) -> Criterion:
    start, end = row.span
    statement = Statement(number=row.number, section=row.section, text=row.text, start=start, end=end)
    return Criterion(statement=statement, check=row.check, by=row.by)
