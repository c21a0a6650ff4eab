"""Following `_include` by reading, where the server cannot include (R4 3.1.1.5.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from fhir_tools.errors import NotFound
from fhir_tools.remote.unite import Union
from fhir_tools.search.control import Include, read_control
from fhir_tools.search.match import linked
from fhir_tools.search.query import R4_TYPES
from fhir_tools.types import Reference

__all__ = ["Following"]

Resource = Mapping[str, Any]
Read = Callable[[Sequence[Reference]], Awaitable[Sequence[Resource | Exception]]]

_ROUNDS = 10
"""How often what was included is followed again, as in the embedded store."""


class Following:
    """Adds what matches point to. `read` reads many at once; what is not there any more is left out, as servers do.

    `base` is the server's own URL, by which it may write its references in full.
    """

    def __init__(self, read: Read, base: str) -> None:
        self._read, self._base = read, f"{base}/"

    async def add(self, found: Iterable[Resource], values: Sequence[str], included: Union) -> list[str]:
        """Read what the `_include` values point to into `included`; gives the problems that were met.

        A value is `Type:parameter[:Target]`, with `:iterate` behind it where it holds for what was included too.
        """
        rules = _rules(values)
        further = [rule for rule in rules if rule.iterate]
        matched = list(found)
        asked = {str(resource.get("resourceType")) + "/" + str(resource.get("id")) for resource in matched}
        problems: list[str] = []
        # What the server has included itself is followed on as well.
        wanted = [*self._wanted(matched, rules), *self._wanted(included, further)]
        for _ in range(_ROUNDS):
            wanted = [r for r in dict.fromkeys(wanted) if str(r) not in asked and str(r) not in included]
            if not wanted:
                return problems
            asked.update(map(str, wanted))
            read = await self._read(wanted)
            fresh = [one for one in read if isinstance(one, Mapping)]
            included.add(fresh)
            failed = [one for one in read if isinstance(one, Exception) and not isinstance(one, NotFound)]
            problems += [f"what is to be included could not be read: {one}" for one in failed]
            wanted = self._wanted(fresh, further)
        if any(str(r) not in asked and str(r) not in included for r in wanted):
            problems.append(f"what is to be included was followed no further than {_ROUNDS} links")
        return problems

    def _wanted(self, found: Iterable[Resource], rules: Sequence[Include]) -> list[Reference]:
        """The literal references at the elements that the rules name, each once."""
        texts = {
            (text.removeprefix(self._base), rule.target): None
            for resource in found
            for rule in rules
            if resource.get("resourceType") == rule.type
            for spec in rule.specs
            for text in linked(resource, spec)
        }
        plain = dict.fromkeys(
            t for t, target in texts if t.count("/") == 1 and t.startswith(f"{target}/" if target else "")
        )
        return [Reference.parse(t) for t in plain if t.partition("/")[0] in R4_TYPES]


def _rules(values: Sequence[str]) -> list[Include]:
    named: dict[str, list[str]] = {}
    for value in values:
        plain, _, end = value.rpartition(":")
        iterate = end == "iterate"
        named.setdefault("_include:iterate" if iterate else "_include", []).append(plain if iterate else value)
    return list(read_control((), named).include)
