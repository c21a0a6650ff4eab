"""Checks that a chat model proposes for what rules do not understand, and the rules that a proposal must hold against.

A proposal may use nothing that the statement does not have: every number of it must be used and no other, every name
must stand in it or mean what stands in it. What fails is dropped, and the check by rules stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

import prompts
from agent.models.base import ChatModel, Message, Request
from agent.trials.checks import Age, All, Any_, Measurement, NoChart, Not, Reader, Record, checker, walk
from agent.trials.names import meanings
from agent.trials.types import Criterion, Statement
from agent.untrusted import escape
from fhir_tools.lexicon import normalise

__all__ = ["improved", "is_borne", "needs_model", "schema"]

_PARTS, _NAMES, _LONG = 6, 6, 80
_STRING = {"type": "string", "maxLength": _LONG}
_LENGTH = {"type": "string", "maxLength": 20, "pattern": r"^(\d{1,3} (day|week|month|year)s?)?$"}
_LIMITS = {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 40}}
_OF = {
    "type": "array",
    "minItems": 1,
    "maxItems": _NAMES,
    "items": {"type": "string", "minLength": 1, "maxLength": _LONG},
}
_KINDS = ["condition", "medication", "allergy", "procedure", "immunization", "encounter", "family", "device", "imaging"]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def schema() -> dict[str, Any]:
    """The JSON schema of a proposal: one level of parts, every string and array bounded."""
    parts = [
        _object(
            type={"const": "record"},
            kind={"enum": _KINDS},
            of=_OF,
            state={"enum": ["", "active", "resolved", "current"]},
            within=_LENGTH,
        ),
        _object(type={"const": "measurement"}, of=_OF, limits=_LIMITS, within=_LENGTH),
        _object(type={"const": "age"}, limits=_LIMITS),
        _object(
            type={"const": "sex"},
            of={"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["female", "male"]}},
        ),
        _object(type={"const": "no chart"}, ask=_STRING),
        _object(type={"const": "reader"}, why=_STRING),
    ]
    return _object(
        thought={"type": "string", "maxLength": 300},
        join={"enum": ["all", "any"]},
        negated={"type": "boolean"},
        parts={"type": "array", "minItems": 1, "maxItems": _PARTS, "items": {"anyOf": parts}},
    )


def needs_model(criterion: Criterion) -> bool:
    """Whether rules left something of the statement open that is no question of will or opinion."""
    return any(
        isinstance(leaf, Reader) or (isinstance(leaf, Record | Measurement) and (leaf.doubts or not _is_known(leaf)))
        for leaf in walk(criterion.check)
    )


def _is_known(leaf: Record | Measurement) -> bool:
    kind = leaf.kind if isinstance(leaf, Record) else "measurement"
    return all(meanings(c.name, kind) or c.codes for c in leaf.of)


async def improved(criteria: Sequence[Criterion], model: ChatModel, *, seconds: float = 120.0) -> tuple[Criterion, ...]:
    """The criteria, those that rules left open with the model's check where it holds. Raises ModelError."""
    card = await model.describe()
    return tuple([await _one(c, model, card.name, seconds) if needs_model(c) else c for c in criteria])


async def _one(criterion: Criterion, model: ChatModel, name: str, seconds: float) -> Criterion:
    prompt = prompts.load("criteria")
    user = prompt.user_parts(
        section=criterion.statement.section,
        statement=escape(criterion.statement.text),
        rules=escape(criterion.check.model_dump_json(exclude_defaults=True))[:600],
    )
    turns = (Message(role="system", parts=(prompt.system,)), Message(role="user", parts=user))
    done = await model.complete(Request(messages=turns, schema=schema(), tokens=700, seconds=seconds))
    check = _check(done.text) if done.finish == "stop" else None
    if check is None or not is_borne(check, criterion.statement):
        return criterion
    return replace(criterion, check=check, by=name)


def _check(text: str) -> Any:
    """The proposal as a check; None for what is none."""
    try:
        data = json.loads(text)
        parts = [checker.validate_python(_leaf(part)) for part in data["parts"]]
        joined = parts[0] if len(parts) == 1 else (All if data["join"] == "all" else Any_)(of=tuple(parts))
        return Not(of=joined) if data["negated"] else joined
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, ValidationError):
        return None


def _leaf(part: dict[str, Any]) -> dict[str, Any]:
    told = {k: v for k, v in part.items() if k != "within"}
    return {**told, "period": {"within": part["within"]}} if part.get("within") else told


def is_borne(check: Any, statement: Statement) -> bool:
    """Whether a check says what the statement does, as far as code can tell: its numbers, all of them, and its names.

    One that leaves the whole statement to a reader is no improvement.
    """
    leaves = list(walk(check))
    if all(isinstance(leaf, Reader) for leaf in leaves):
        return False
    said = sorted(float(n.replace(",", "")) for n in _NUMBER.findall(statement.text))
    used = sorted(_numbers(leaves, statement.text))
    return (
        all(n in said for n in used)
        and all(n in used for n in said)
        and all(_names_stand(leaf, statement.text) for leaf in leaves)
    )


def _numbers(leaves: Sequence[Any], text: str) -> Iterator[float]:
    """The numbers that the leaves use; those in their names and words count as used."""
    for leaf in leaves:
        if isinstance(leaf, Age | Measurement):
            yield from (limit.value for limit in leaf.limits)
        if isinstance(leaf, Record | Measurement):
            if leaf.period and leaf.period.within:
                yield leaf.period.within.count
            yield from (float(n) for c in leaf.of for n in _NUMBER.findall(c.name) if n in text)
        if isinstance(leaf, Reader | NoChart):
            yield from (
                float(n.replace(",", "")) for n in _NUMBER.findall(leaf.why if isinstance(leaf, Reader) else leaf.ask)
            )


def _names_stand(leaf: Any, text: str) -> bool:
    """Whether each name stands in the text, or one of the lexicon's words for it does."""
    if not isinstance(leaf, Record | Measurement):
        return True
    kind = leaf.kind if isinstance(leaf, Record) else "measurement"
    said = f" {normalise(text)} "
    return all(
        f" {normalise(c.name)} " in said
        or any(f" {t} " in said or f" {t}s " in said for e in meanings(c.name, kind) for t in e.terms)
        for c in leaf.of
    )
