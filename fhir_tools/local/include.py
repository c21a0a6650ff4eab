"""What comes with the matches of a search: `_include` and `_revinclude`, with `:iterate` (R4 3.1.1.5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_tools.local.finder import Finder, json_text
from fhir_tools.search.control import Include
from fhir_tools.search.match import linked

__all__ = ["ROUNDS", "included"]

ROUNDS = 10
"""How often what was included is followed again: further links are told as not followed."""

Resource = Mapping[str, Any]


def included(
    finder: Finder, matched: Sequence[Resource], rules: Sequence[Include]
) -> tuple[list[dict[str, Any]], bool]:
    """What the rules bring, each resource once and no match again, and whether all links were followed."""
    seen = {_name(resource) for resource in matched}
    found: list[dict[str, Any]] = []
    fresh: list[Resource] = list(matched)
    asked = list(rules)
    for _ in range(ROUNDS):
        keys = dict.fromkeys(key for rule in asked for key in _followed(finder, fresh, rule))
        added = [r for _, r in finder.parsed(list(keys)) if _name(r) not in seen]
        seen |= {_name(resource) for resource in added}
        found += added
        fresh, asked = list(added), [rule for rule in rules if rule.iterate]
        if not fresh or not asked:
            return found, True
    return found, not any(_more(finder, fresh, rule, seen) for rule in asked)


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _followed(finder: Finder, resources: Sequence[Resource], rule: Include) -> Iterable[int]:
    """Keys at the other end of the rule's references."""
    if rule.reverse:
        names = [n for n in map(_name, resources) if not rule.target or n.startswith(f"{rule.target}/")]
        other = finder.other(rule.type)
        return sorted({key for spec in rule.specs for key in other.referring(spec, names)}) if names else ()
    mine = [r for r in resources if r["resourceType"] == rule.type]
    texts = dict.fromkeys(text for r in mine for spec in rule.specs for text in linked(r, spec))
    pairs = [text for text in texts if text.count("/") == 1 and (not rule.target or text.startswith(f"{rule.target}/"))]
    return _keys(finder, pairs)


def _keys(finder: Finder, names: Sequence[str]) -> list[int]:
    sql = """SELECT r.key FROM json_each(?) j JOIN resource r
        ON r.type = substr(j.value, 1, instr(j.value, '/') - 1) AND r.id = substr(j.value, instr(j.value, '/') + 1)
        WHERE r.deleted = 0 ORDER BY j.key"""
    return [row[0] for row in finder.db.execute(sql, (json_text(names),))] if names else []


def _more(finder: Finder, resources: Sequence[Resource], rule: Include, seen: set[str]) -> bool:
    keys = list(_followed(finder, resources, rule))
    return any(_name(r) not in seen for _, r in finder.parsed(keys))
