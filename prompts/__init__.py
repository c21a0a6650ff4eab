"""Every instruction that a model reads, as files beside this module, and the strict loader of them.

A prompt file `<name>.toml` has exactly the keys `name`, `purpose`, `fields`, `system` and `user`. `$field`
in `user` is filled by `Prompt.user_text`; `system` is fixed, so that a model server can reuse its KV cache.
A blank line in `user` ends a part (`Prompt.user_parts`): a place up to which a KV cache may be kept.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

__all__ = ["Prompt", "PromptError", "load", "names", "parse"]

_BLANK = re.compile(r"\n\s*\n")
_KEYS = {"name": str, "purpose": str, "fields": list, "system": str, "user": str}


class PromptError(ValueError):
    """A prompt file is not as the loader demands, or it was filled with the wrong fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt file. `sha256` is of the file's bytes, as hex: what a trace names it by."""

    name: str
    purpose: str
    fields: tuple[str, ...]
    system: str
    user: str
    sha256: str

    def user_text(self, **values: str) -> str:
        """`user` with every field filled. Raises PromptError for a missing or an unknown field."""
        self._check(values)
        return Template(self.user).substitute(values).strip()

    def user_parts(self, **values: str) -> tuple[str, ...]:
        """`user_text` in its parts, each with the line break that ends it; lines and parts left empty are dropped."""
        self._check(values)
        parts = ((Template(line).substitute(values) for line in part.splitlines()) for part in _BLANK.split(self.user))
        return tuple("\n".join(lines) + "\n" for part in parts if (lines := [line for line in part if line.strip()]))

    def _check(self, values: Mapping[str, str]) -> None:
        _same(f"the values for prompt {self.name!r}", set(values), set(self.fields))


def names() -> tuple[str, ...]:
    """The names of all prompts that ship, sorted."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@cache
def load(name: str) -> Prompt:
    """The prompt called `name`. Raises PromptError when there is none or its file is faulty."""
    if name not in names():
        raise PromptError(f"no prompt {name!r}; there are {', '.join(names())}")
    return parse(name, files(__name__).joinpath(f"{name}.toml").read_bytes())


def parse(name: str, body: bytes) -> Prompt:
    """The prompt that a file's bytes hold. Raises PromptError for whatever is missing, unknown or misplaced."""
    try:
        data = tomllib.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PromptError(f"prompt {name!r} is not TOML in UTF-8: {error}") from error
    _check_keys(name, data)
    user = Template(data["user"])
    if not user.is_valid():
        raise PromptError(f"prompt {name!r}: a lone $ in 'user'; write $$ for a dollar sign")
    _same(f"prompt {name!r}: the $fields in 'user'", set(user.get_identifiers()), set(data["fields"]))
    return Prompt(
        name=data["name"],
        purpose=data["purpose"],
        fields=tuple(data["fields"]),
        system=data["system"].strip(),
        user=data["user"].strip(),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def _check_keys(name: str, data: Mapping[str, Any]) -> None:
    _same(f"prompt {name!r}: its keys", set(data), set(_KEYS))
    for key, kind in _KEYS.items():
        if not isinstance(data[key], kind):
            raise PromptError(f"prompt {name!r}: {key!r} must be a {kind.__name__}, not {data[key]!r}")
    if not all(isinstance(field, str) for field in data["fields"]):
        raise PromptError(f"prompt {name!r}: 'fields' must hold names, not {data['fields']!r}")
    if data["name"] != name:
        raise PromptError(f"prompt {name!r}: its file says name = {data['name']!r}")


def _same(what: str, got: set[str], wanted: set[str]) -> None:
    faults = [f"missing {', '.join(sorted(wanted - got))}"] if wanted - got else []
    faults += [f"unknown {', '.join(sorted(got - wanted))}"] if got - wanted else []
    if faults:
        raise PromptError(f"{what}: {'; '.join(faults)}")
