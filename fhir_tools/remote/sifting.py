"""Testing here what came back: what the server was not asked for, whose it is, and whether it did as it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_tools.search.match import tester
from fhir_tools.search.query import Param

__all__ = ["Sifted", "sift"]

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """What is left. `problems` make it incomplete; `doubted` are parameters that the server evaluated wrongly."""

    kept: tuple[Resource, ...]
    problems: tuple[str, ...] = ()
    doubted: frozenset[str] = frozenset()


def sift(
    found: Iterable[Resource], residue: Sequence[Param], *, patient: Param | None = None, retest: Sequence[Param] = ()
) -> Sifted:
    """Keep what meets every parameter of `residue` and `retest`.

    What fails `patient` (one of the residue) is somebody else's, or written so that it cannot be told: that the server
    sent it for this patient is a problem, since it may stand in the place of a match. What fails `retest` was not
    asked for, and leaving it out is all there is to do.
    """
    tests = [(param, tester(param)) for param in dict.fromkeys((*residue, *retest))]
    kept: list[Resource] = []
    strangers, doubted = 0, set[str]()
    for resource in found:
        failed = next((param for param, test in tests if not test(resource)), None)
        if failed is None:
            kept.append(resource)
        elif failed == patient:
            strangers += 1
        elif failed not in residue:
            doubted.add(failed.name)
    told = f"the server sent {strangers} resources that it does not say to be this patient's; they were left out"
    return Sifted(kept=tuple(kept), problems=(told,) if strangers else (), doubted=frozenset(doubted))
