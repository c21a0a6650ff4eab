"""The values of search parameters as text: escapes, prefixes, tokens, dates and numbers (R4 3.1.1.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from fhir_tools.errors import QueryError
from fhir_tools.search.definitions import R4_TYPES, SearchParameter
from fhir_tools.search.elements import TimeSpan, literal, time_range

__all__ = [
    "PREFIXES",
    "asked_composite",
    "asked_number",
    "asked_quantity",
    "asked_range",
    "asked_references",
    "asked_token",
    "asked_typed",
    "escape",
    "split_value",
    "unescape",
    "with_prefix",
]

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
"""Comparison prefixes of date, number and quantity values (R4 3.1.1.4.4)."""

_ESCAPED = re.compile(r"\\([\\,|$])")


def escape(value: str) -> str:
    r"""A literal for use inside a parameter value: `\`, `,`, `|` and `$` get a backslash (R4 3.1.1.4.1)."""
    return re.sub(r"([\\,|$])", r"\\\1", value)


def unescape(value: str) -> str:
    """The literal behind an escaped value."""
    return _ESCAPED.sub(r"\1", value)


def split_value(value: str, separator: str = ",") -> tuple[str, ...]:
    """Split on separators that no backslash escapes; the parts stay escaped."""
    if "\\" not in value:
        return tuple(value.split(separator))
    parts, start, i = [], 0, 0
    while i < len(value):
        if value[i] == "\\":
            i += 1
        elif value[i] == separator:
            parts.append(value[start:i])
            start = i + 1
        i += 1
    return (*parts, value[start:])


def with_prefix(value: str) -> tuple[str, str]:
    """The comparison prefix of an ordered value and the rest; `eq` where none is written."""
    head, rest = value[:2], value[2:]
    return (
        (head, rest)
        if head in PREFIXES and rest[:1].isdigit() | rest[:1].startswith(("-", "+", "."))
        else ("eq", value)
    )


def asked_token(value: str) -> tuple[str | None, str | None]:
    """(system, code) of a token value: None where not asked, '' for `|code` (no system)."""
    parts = split_value(value, "|")
    if len(parts) > 2 or value == "|":
        raise QueryError("not a token; write it as code, system|code, |code or system|")
    if len(parts) == 1:
        return None, unescape(value)
    return unescape(parts[0]), unescape(parts[1]) or None


def asked_typed(value: str) -> tuple[str | None, str, str]:
    """(system, code) of the type, and the value, of an `:of-type` search (R4 3.1.1.4.10)."""
    parts = [unescape(part) for part in split_value(value, "|")]
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise QueryError("not an identifier with its type; write it as system|code|value")
    return parts[0] or None, parts[1], parts[2]


def asked_range(value: str, now: datetime | None = None) -> tuple[str, TimeSpan]:
    """Prefix and range of a date value; `ap` widens it by a tenth of its distance from now (R4 3.1.1.4.4)."""
    prefix, text = with_prefix(unescape(value))
    # A '+' of an offset that was not percent-encoded arrives as a blank.
    found = time_range(text.replace(" ", "+"))
    if found is None:
        raise QueryError("not a date; write it as YYYY, YYYY-MM, YYYY-MM-DD or with a time and offset")
    if prefix == "ap":
        instant = int((now or datetime.now(UTC)).timestamp() * 1_000_000)
        gap = abs(instant - found[0]) // 10
        return prefix, (found[0] - gap, found[1] + gap)
    return prefix, found


def asked_number(text: str) -> tuple[str, tuple[float, float]]:
    """Prefix and range of a number: without prefix, the half unit round its last digit (R4 3.1.1.4.6)."""
    prefix, digits = with_prefix(unescape(text))
    try:
        number = Decimal(digits)
        exponent = number.as_tuple().exponent
    except InvalidOperation:
        exponent = "n"
    if not isinstance(exponent, int):
        raise QueryError("not a number")
    value = float(number)
    if prefix in ("eq", "ne"):
        half = Decimal((0, (5,), exponent - 1))
        return prefix, (float(number - half), float(number + half))
    spread = abs(value) * 0.1 if prefix == "ap" else 0.0
    return prefix, (value - spread, value + spread)


def asked_quantity(value: str) -> tuple[str, str, str]:
    """(number, system, code or unit) of a quantity value; system and code are '' where not asked."""
    parts = split_value(value, "|")
    if len(parts) not in (1, 3):
        raise QueryError("not a quantity; write it as number, number|system|code or number||code")
    asked_number(parts[0])
    number, system, code = parts if len(parts) == 3 else (parts[0], "", "")
    return number, unescape(system), unescape(code)


def asked_composite(spec: SearchParameter, value: str) -> tuple[str, ...]:
    """The values of the components, in their order."""
    parts = split_value(value, "$")
    if len(parts) != len(spec.components) or not all(parts):
        shape = "$".join(part.name for part in spec.components)
        raise QueryError(f"not a value of {spec.name}; write it as {shape}")
    return parts


def asked_references(spec: SearchParameter, modifier: str | None, value: str, types: Iterable[str]) -> tuple[str, ...]:
    """The references that a value stands for: `Type/id`, a bare id of each target type, an absolute or canonical URL.

    What leads to a type that the parameter does not reach (`patient=Group/1`) stands for none.
    """
    text = literal(unescape(value)) or ""
    targets = (modifier,) if modifier else spec.targets or tuple(types)
    if "/" not in text:
        # A urn: or a canonical without a path is a reference as it stands.
        return (text,) if ":" in text else tuple(f"{type_}/{text}" for type_ in targets)
    tail = "/".join(text.rsplit("/", 2)[-2:])
    if modifier and not tail.startswith(f"{modifier}/"):
        raise QueryError(f"{spec.name}:{modifier} cannot be a reference of another type")
    kind = tail.partition("/")[0]
    if kind in R4_TYPES and targets and kind not in targets and spec.targets:
        return ()
    return tuple(dict.fromkeys((text, tail))) if kind in R4_TYPES else (text,)
