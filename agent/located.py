"""A YAML file that a person edits, read into a pydantic model: every fault with its line and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import UserError

__all__ = ["parse_yaml", "read_yaml"]

_MOST = 2_000_000
_FAULTS = 5
M = TypeVar("M", bound=BaseModel)


def read_yaml(path: Path, model: type[M], *, tags: Collection[str] = ()) -> M:
    """The file as the model. `tags` are names of the model's unions, which stand in a fault's place and in no file.

    Raises UserError that names the file, the line and the fault; anchors are not taken, so that no file can grow.
    """
    return parse_yaml(_text(path), str(path), model, tags=tags)


def parse_yaml(text: str, name: str, model: type[M], *, tags: Collection[str] = ()) -> M:
    """The text as the model; errors call it by `name`. Raises UserError as `read_yaml`."""
    import yaml

    if re.search(r"^[^#'\"]*[:\-]\s+[&*]\w", text, re.MULTILINE):
        raise UserError(f"{name!r}: YAML anchors are not taken; write it out")
    try:
        node, data = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        told = getattr(error, "problem", None) or "not YAML"
        raise UserError(f"{name}: {where}{told}; see that lines are set in alike") from error
    except (RecursionError, ValueError) as error:
        raise UserError(f"{name!r} is nested too deeply, or holds a date that is none") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError("; ".join(dict.fromkeys(_faults(name, node, error, frozenset(tags))))) from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST:
            raise UserError(f"{str(path)!r} is too large")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"cannot read {str(path)!r}: {why}") from error


def _faults(file: str, node: Any, error: ValidationError, tags: frozenset[str]) -> Iterator[str]:
    for fault in error.errors()[:_FAULTS]:
        place = [p for p in fault["loc"] if p not in tags]
        name = ".".join(map(str, place)) or "the file"
        yield f"{file}: line {_line(node, place)}: {name}: {_remedy(fault)}"


def _remedy(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    match fault["type"]:
        case "extra_forbidden":
            return "there is no such key here; delete it or mend its spelling"
        case "missing":
            return "this is missing; add it"
        case "union_tag_invalid":
            return f"{_bare(fault['ctx']['discriminator'])} should be one of {fault['ctx']['expected_tags']}"
        case "union_tag_not_found":
            return f"{_bare(fault['ctx']['discriminator'])} is missing; add it"
    return message[:1].lower() + message[1:]


def _bare(name: str) -> str:
    return name.strip("'")


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
