"""Reading the profile files, strictly: an unknown key, a rule without a source or a field set twice raises."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fhir_tools.errors import UserError
from fhir_tools.profiles.profile import Profile, Rule

if TYPE_CHECKING:  # remote imports the profiles
    from fhir_tools.remote.statement import Statement

__all__ = ["choose", "names", "profile", "read_profile"]

_WORDS = ("name", "text", "source")
_HEAD = ("name", "title", "recognised", "rule")


def names() -> tuple[str, ...]:
    """The names of all profiles, in alphabetical order."""
    return tuple(sorted(x.name.removesuffix(".toml") for x in files(__package__).iterdir() if x.name.endswith(".toml")))


@cache
def profile(name: str) -> Profile:
    """A profile by its name. Raises UserError for one that there is not."""
    if name not in names():
        raise UserError(f"no server profile {name!r}; there are {', '.join(names())}")
    return read_profile(name, files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))


def choose(statement: Statement, base: str = "") -> Profile:
    """The profile of a server: by what its software is called, else by its publisher, else by its base URL.

    `generic` where none fits.
    """
    for text in (statement.software, statement.publisher, base, statement.base):
        for found in map(profile, names()) if text else ():
            if any(re.search(pattern, text, re.IGNORECASE) for pattern in found.recognised):
                return found
    return profile("generic")


def read_profile(name: str, text: str) -> Profile:
    """A profile from its TOML text. Raises ValueError that says what is wrong with it."""
    content = tomllib.loads(text)
    unknown = set(content) - set(_HEAD)
    if unknown or content.get("name") != name or not isinstance(content.get("title"), str):
        raise ValueError(f"profile {name}: takes its name, a title, recognised and rules, not {sorted(unknown)}")
    settings: dict[str, Any] = {}
    rules = tuple(_rule(name, row, settings) for row in content.get("rule", ()))
    if len({r.name for r in rules}) < len(rules):
        raise ValueError(f"profile {name}: two rules have one name")
    recognised = tuple(re.compile(x).pattern for x in content.get("recognised", ()))
    return Profile(name=name, title=content["title"], recognised=recognised, rules=rules, **settings)


def _rule(name: str, row: Mapping[str, Any], settings: dict[str, Any]) -> Rule:
    missing = [w for w in _WORDS if not isinstance(row.get(w), str) or not row[w].strip()]
    where = f"profile {name}, rule {row.get('name')!r}"
    if missing or not str(row["source"]).startswith(("https://", "docs/")):
        raise ValueError(f"{where}: needs name, text and a source that is a https URL or a page of docs/")
    own = {key: value for key, value in row.items() if key not in _WORDS}
    for key, value in own.items():
        if key not in _READERS:
            raise ValueError(f"{where}: a profile has no field {key!r}")
        try:
            settings[key] = _joined(settings.get(key), _READERS[key](value))
        except (TypeError, ValueError, AttributeError) as fault:
            raise ValueError(f"{where}: {key}: {fault}") from fault
    return Rule(name=row["name"], text=" ".join(row["text"].split()), source=row["source"], fields=tuple(own))


def _joined(old: Any, new: Any) -> Any:
    """Two rules may each set a part of one table, set or list; a single value is set once."""
    if old is None:
        return new
    if isinstance(old, dict):
        return old | {key: _joined(old.get(key), value) for key, value in new.items()}
    if isinstance(old, tuple):
        return old + new
    if isinstance(old, frozenset):
        return old | new
    raise ValueError("set twice")


# What each field may be in TOML.


def _is(*types: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"{value!r} is not a {' or a '.join(t.__name__ for t in types)}")
        return value

    return read


_text, _flag, _number = _is(str), _is(bool), _is(int, float)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(x) for x in _is(list)(value))


def _set(value: Any) -> frozenset[str]:
    return frozenset(_texts(value))


def _table(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {key: read(x) for key, x in _is(dict)(value).items()}


def _pair(value: Any) -> tuple[str, str]:
    first, second = _texts(value)
    return first, second


def _list(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: tuple(read(x) for x in _is(list)(value))


def _most(value: Any) -> int | None:
    """A number, or `"none"` to leave `_count` out (TOML has no null)."""
    if value == "none":
        return None
    if _number(value) != int(value) or value < 1:
        raise ValueError("_count is a positive whole number")
    return int(value)


def _form(value: Any) -> str:
    if value not in ("bare", "typed"):
        raise ValueError("the form of a patient is bare or typed")
    return str(value)


def _merged(value: Any) -> str:
    if value not in ("redirect", "link"):
        raise ValueError("a merged patient shows by redirect or link")
    return str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "require": _table(_list(_set)),
    "supply": _table(_list(_pair)),
    "lacks": _table(_set),
    "adds": _table(_set),
    "alone": _table(_set),
    "overrides": _table(_set),
    "apart": _list(_pair),
    "single": _table(_set),
    "modifiers": _set,
    "prefixes": _set,
    "chains": _flag,
    "has": _flag,
    "sorts": _table(_set),
    "sort_keys": _is(int),
    "paging_sort": _text,
    "patient": _form,
    "count": _table(_most),
    "panels": _table(_texts),
    "panels_only": _flag,
    "elements": _flag,
    "batch": _flag,
    "post": _flag,
    "everything": _flag,
    "summary_count": _flag,
    "include": _flag,
    "exact_total": _flag,
    "short_pages": _flag,
    "expires": _number,
    "binary_notes": _flag,
    "merged": _merged,
    "concurrency": _is(int),
    "accept": _text,
}
if set(_READERS) | {"name", "title", "recognised", "rules"} != {f.name for f in fields(Profile)}:
    raise RuntimeError("every field of Profile needs a reader")
