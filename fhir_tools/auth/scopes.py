"""What a token may do: SMART scopes of version 1 and 2 (SMART App Launch 2.2, Scopes and Launch Context).

A granular scope (`patient/Observation.rs?category=laboratory`) allows a part of a type. A search that asks for no
more than that part is covered by it; any other search runs, since the server answers with the part, but its result
is not complete and names the scope.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl

from fhir_tools.search.query import split_value
from fhir_tools.types import Query

__all__ = ["Action", "Scope", "Scopes"]

Action = Literal["c", "r", "u", "d", "s"]
Context = Literal["patient", "user", "system"]

_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.(read|write|\*|[cruds]+)(?:\?(\S+))?")
_V1: Mapping[str, frozenset[str]] = {
    "read": frozenset("rs"),
    "write": frozenset("cud"),
    "*": frozenset("cruds"),
}
"""Version 1 words as actions (SMART 2.2, "Scopes for requesting FHIR resources", v1 compatibility)."""
_WORDS = {"r": "read", "s": "read", "c": "write", "u": "write", "d": "write"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope over FHIR resources. `type` is `*` for all; `filters` are the parameters of a granular one, decoded."""

    text: str
    context: Context
    type: str
    actions: frozenset[str]
    version: Literal[1, 2]
    filters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Scope | None:
        """From its text; None for what is no scope over resources (`openid`, `launch/patient`) or not well formed.

        Actions out of order (`.sr`) are taken as they are meant: the server decides, and it has granted them.
        """
        found = _SCOPE.fullmatch(text)
        if not found or (found[3] not in _V1 and len(set(found[3])) != len(found[3])):
            return None
        context: Context = next(c for c in get_args(Context) if c == found[1])
        return cls(
            text=text,
            context=context,
            type=found[2],
            actions=_V1.get(found[3]) or frozenset(found[3]),
            version=1 if found[3] in _V1 else 2,
            filters=tuple(parse_qsl(found[4] or "", keep_blank_values=True)),
        )

    def allows(self, type_: str, action: Action) -> bool:
        """Whether it allows the action on the type, wholly or in part."""
        return self.type in ("*", type_) and action in self.actions

    def covers(self, query: Query) -> bool:
        """Whether all that the search asks for lies within the part that a granular scope allows."""
        return all(any(_narrower(asked, name, value) for asked in query.params) for name, value in self.filters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """The scopes that were granted. `others` are those that are not over resources, in order."""

    scopes: tuple[Scope, ...] = ()
    others: tuple[str, ...] = ()
    context: Context = "patient"

    @classmethod
    def parse(cls, text: str | Iterable[str], context: Context = "patient") -> Scopes:
        """From a token response's `scope` (separated by blanks) or a list; `context` is for naming what is missing
        where nothing was granted."""
        words = dict.fromkeys(text.split() if isinstance(text, str) else text)
        parsed = {word: Scope.parse(word) for word in words}
        return cls(
            scopes=tuple(scope for scope in parsed.values() if scope),
            others=tuple(word for word, scope in parsed.items() if not scope),
            context=context,
        )

    @classmethod
    def granted(cls, text: object, context: Context = "patient") -> Scopes | None:
        """What a token response says; None where it says nothing of resources (no `scope`, or only words such as
        `user_impersonation` of servers that decide by roles): then requests are tried, and a refusal is told."""
        scopes = cls.parse(text, context) if isinstance(text, str) else None
        return scopes if scopes and scopes.scopes else None

    def allows(self, type_: str, action: Action) -> bool:
        """Whether the action is allowed on the type at all, wholly or in part (`part` says which)."""
        return any(scope.allows(type_, action) for scope in self.scopes)

    def part(self, query: Query) -> str | None:
        """None where the granted scopes cover the whole search; else what of the type they allow, for the operator.

        The text is of granted scopes, so it holds no value of the search.
        """
        scopes = [scope for scope in self.scopes if scope.allows(query.type, "s")]
        if any(not scope.filters for scope in scopes) or any(s.covers(query) for s in _joined(scopes)):
            return None
        return " ".join(scope.text for scope in scopes) or "nothing"

    def missing(self, type_: str, action: Action) -> str:
        """The scope that would allow it, as an operator asks for it, in the flavour of those granted."""
        contexts = Counter(scope.context for scope in self.scopes)
        context = contexts.most_common(1)[0][0] if contexts else self.context
        if self.scopes and all(scope.version == 1 for scope in self.scopes):
            return f"{context}/{type_}.{_WORDS[action]}"
        return f"{context}/{type_}.{'rs' if action in 'rs' else action}"

    def __str__(self) -> str:
        return " ".join((*(scope.text for scope in self.scopes), *self.others))


def _narrower(asked: tuple[str, str], name: str, value: str) -> bool:
    """Whether the asked parameter finds nothing but what `name=value` finds: each alternative is one of its own.

    Modifiers, ranges and chains are never taken as narrower: what they find is the server's to say.
    """
    allowed = split_value(value)
    return asked[0] == name and all(
        one in allowed or ("|" in one and one.rpartition("|")[2] in allowed) for one in split_value(asked[1])
    )


def _joined(scopes: list[Scope]) -> list[Scope]:
    """The scopes, and those of one and the same parameter as one with all their values: together they allow both."""
    values: dict[str, list[str]] = {}
    for scope in scopes:
        if len(scope.filters) == 1:
            values.setdefault(scope.filters[0][0], []).append(scope.filters[0][1])
    return scopes + [
        Scope(text="", context="patient", type="*", actions=frozenset("s"), version=2, filters=((n, ",".join(v)),))
        for n, v in values.items()
        if len(v) > 1
    ]
