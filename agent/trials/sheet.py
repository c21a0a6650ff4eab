"""Checks as a file that a coordinator reads and edits: YAML out, YAML in, every fault with its line and remedy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UserError
from agent.trials.checks import Check
from agent.trials.types import Criterion, Section, Statement, Trial

__all__ = ["Sheet", "digest", "is_sheet", "parse_sheet", "read_sheet", "write_sheet"]

_HEAD = """\
# Checks of one trial, for a coordinator to read and edit; `chartline trials match {name}` runs what stands here.
# Under `check`, type is one of: age, sex, record, measurement, pregnancy, smoking, not, all, any, at least,
# no chart (nobody can look it up: always unknown), reader (rules do not understand it).
# A record has kind (condition, medication, allergy, procedure, immunization, encounter, family, device, imaging), of,
# and if need be apart, state (active, resolved, current), period (within, before, since, until), lasting, doubts.
# `doubts` are words that the check passes over: delete those that do not matter.
"""
_MOST = 2_000_000
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
    try:
        if path.stat().st_size > _MOST:
            raise UserError(f"{str(path)!r} is too large for a sheet of criteria")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from error
    return parse_sheet(text, str(path))


def parse_sheet(text: str, name: str) -> Sheet:
    """The sheet of a text, which errors call by `name`. Raises UserError as `read_sheet`."""
    import yaml

    try:
        if re.search(r"^[^#'\"]*[:\-]\s+[&*]\w", text, re.MULTILINE):
            raise UserError(f"{name!r}: YAML anchors are not taken; write each check out")
        node, data = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise UserError(
            f"{name}: {where}{getattr(error, 'problem', None) or 'not YAML'}; see that lines are set in alike"
        ) from error
    except RecursionError as error:
        raise UserError(f"{name!r} is nested too deeply") from error
    return _sheet(name, node, data)


def _sheet(path: str, node: Any, data: Any) -> Sheet:
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        told = "; ".join(dict.fromkeys(_faults(path, node, error)))
        raise UserError(told) from error
    numbers = [row.number for row in file.criteria if row.number]
    twice = next((n for n in numbers if numbers.count(n) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two criteria have the number {twice}; give each its own")
    return Sheet(trial=file.trial, title=file.title, criteria=tuple(map(_criterion, file.criteria)))


def _criterion(row: _Row) -> Criterion:
    start, end = row.span
    statement = Statement(number=row.number, section=row.section, text=row.text, start=start, end=end)
    return Criterion(statement=statement, check=row.check, by=row.by)


def _faults(path: str, node: Any, error: ValidationError) -> Iterator[str]:
    for fault in error.errors()[:3]:
        place = [p for p in fault["loc"] if p not in _TAGS]
        line = _line(node, place)
        name = ".".join(str(p) for p in place) or "the file"
        yield f"{path}: line {line}: {name}: {_remedy(fault)}"


def _remedy(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    match fault["type"]:
        case "extra_forbidden":
            return "this check has no such key; delete it, or see the head of the file for what there is"
        case "missing":
            return "this is missing; add it"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"type should be one of {', '.join(sorted(_TAGS))}"
    return message[:1].lower() + message[1:]


def _line(node: Any, place: Sequence[Any]) -> int:
    """The line of the deepest part of a place that the file has."""
    import yaml

    line = node.start_mark.line + 1 if node is not None else 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
