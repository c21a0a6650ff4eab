"""Whether a text is JSON that a schema accepts, and in few words why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

__all__ = ["bare", "fault"]

_WORDS = {
    "additionalProperties": "has a field that the schema does not have",
    "const": "is not the one value allowed",
    "enum": "is none of the values allowed",
    "maxItems": "has more items than {0}",
    "maxLength": "is longer than {0} characters",
    "maximum": "is more than {0}",
    "minItems": "has fewer items than {0}",
    "minLength": "is shorter than {0} characters",
    "minimum": "is less than {0}",
    "pattern": "has not the form asked for",
    "required": "lacks a field: {0} are required",
    "type": "is not of type {0}",
}


def fault(text: str, schema: Mapping[str, Any]) -> str | None:
    """Why the text is not JSON that the schema accepts; None where it is.

    Tells where and which rule, never the value: the words may go to a model, and not beyond it.
    Raises ValueError for a schema that is none.
    """
    try:
        value = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return "it is not JSON" if text.strip() else "it is empty"
    return _found(value, schema)


def _refused(word: str) -> NoReturn:
    raise ValueError(word)  # NaN and Infinity are no JSON (RFC 8259 6)


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """The schema's validator; to check the schema itself takes longer than all else. Raises ValueError for none."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    told = json.loads(schema)
    try:
        Draft202012Validator.check_schema(told)
    except SchemaError as error:
        raise ValueError(f"not a JSON schema: {error.message[:200]}") from None
    return Draft202012Validator(told)


def _found(value: Any, schema: Mapping[str, Any]) -> str | None:
    from jsonschema.exceptions import best_match

    broken = best_match(_validator(json.dumps(schema)).iter_errors(value))
    if broken is None:
        return None
    rule, allowed = str(broken.validator), broken.validator_value
    words = _WORDS.get(rule, f"breaks the rule {rule}").format(
        ", ".join(map(str, allowed)) if isinstance(allowed, list) else allowed
    )
    return f"{broken.json_path} {words}"[:200]


def bare(text: str) -> str:
    """The JSON of an answer that stands in a code fence or between words; the text as it is where there is none."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text.strip()
