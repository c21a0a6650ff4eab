"""The arguments of tools: strict and bounded, with a JSON schema of few tokens and errors that say what to give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema, model_validator

from fhir_tools.dates import Window
from fhir_tools.errors import NeedError

__all__ = ["Arguments", "Day", "Windowed", "schema_of", "signature_of", "wrong"]


def _day(value: Any) -> Any:
    """`YYYY-MM-DD` as a day; anything else is left for the type to refuse."""
    if isinstance(value, str) and len(value) == 10 and value.isascii():
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "maxLength": 10}),
]


class Arguments(BaseModel):
    """Arguments of one tool. Unknown names are refused; null and empty ones count as not given."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {k: v for k, v in data.items() if not (v is None or (isinstance(v, str | list | tuple) and not v))}

    @classmethod
    def read(cls, data: Any) -> Self:
        """The arguments as a model gave them. Raises NeedError that says in one sentence what to give."""
        try:
            return cls.model_validate(dict(data) if isinstance(data, Mapping) else data)
        except ValidationError as error:
            raise NeedError(wrong(cls, error)) from None
        except RecursionError:
            raise NeedError("the arguments are nested too deeply; give plain values") from None


class Windowed(Arguments):
    """Arguments with a stretch of time, both days included."""

    since: Day | None = None
    until: Day | None = None

    def window(self, as_of: date) -> Window | None:
        """The window asked for; None for the whole chart. Raises NeedError for one that is turned round or to come."""
        since, until = self.since, self.until
        if since is None and until is None:
            return None
        if since and until and since > until:
            raise NeedError("since is after until; give the earlier day as since")
        if since and since > as_of:
            raise NeedError(f"since is after today, {as_of.isoformat()}; give an earlier day")
        text = f"{since} to {until}" if since and until else f"since {since}" if since else f"until {until}"
        high = until + timedelta(days=1) if until and until < date.max else None
        return Window(low=since, high=high, text=text) if since or high else None


def wrong(model: type[BaseModel], error: ValidationError) -> str:
    """What is wrong with the first wrong argument, and what the tool takes; nothing of what was given."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] and first["loc"][0] in model.model_fields else ""
    takes = signature_of(model)
    if first["type"] == "extra_forbidden":
        return f"give only these arguments: {takes}"
    return f"{name or 'the arguments'}: {_said(first)}; give {takes}"


def _said(error: Any) -> str:
    if error["type"] in ("date_type", "date_from_datetime_parsing"):
        return "a day is written YYYY-MM-DD"
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should", "it should").rstrip(".")


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of arguments: no titles, no defaults, no null (an optional argument is left out).

    What is required comes first and the window last: a grammar keeps the order, and so the model says what before when.
    """
    full = model.model_json_schema()
    required = full.get("required", [])
    names = sorted(full["properties"], key=lambda name: (name not in required, name in Windowed.model_fields))
    properties = {name: _plain(full["properties"][name]) for name in names}
    told = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**told, "required": required} if required else told


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    parts = [p for p in given.get("anyOf", ()) if p.get("type") != "null"]
    merged = {**given, **(parts[0] if len(parts) == 1 else {})}
    return {k: v for k, v in merged.items() if k not in ("title", "default", "anyOf")}


def signature_of(model: type[BaseModel]) -> str:
    """The arguments on one line, for a prompt: `what, kind?, how? latest|first|all, since? YYYY-MM-DD, until?`."""
    schema = schema_of(model)
    told: list[str] = []
    for name, given in schema["properties"].items():
        shown = name if name in schema.get("required", ()) else f"{name}?"
        form = _form(given)
        told.append(f"{shown} {form}" if form and not any(t.endswith(form) for t in told) else shown)
    return ", ".join(told)


def _form(given: Mapping[str, Any]) -> str:
    """What a model cannot guess of an argument; the kinds stand in the catalogue's line."""
    if "enum" in given:
        return "|".join(given["enum"]) if len(given["enum"]) < 14 else ""
    return "YYYY-MM-DD" if "pattern" in given else "[]" if given.get("type") == "array" else ""
