"""A question in a model's words: taken only where rules know them, and where two wordings come to the same concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.types import Ask
from fhir_tools.codes import words_of

__all__ = ["reworded"]

_ALIKE = 0.5
"""More than this share of the shorter wording's words must stand in the other."""


def reworded(asked: Ask, wordings: Sequence[Ask]) -> Ask:
    """The question as the last of its wordings has it, or the only one that rules know; as before where they differ.

    A wording names a concept and what is asked of it: what the question itself said of time is kept. `reads_as` says
    the wording; where none could be taken, `unknown` stays and says so.
    """
    known = [w for w in wordings if _known(w, alone=len(wordings) == 1)]
    taken = known[-1] if known and _agree(wordings, known) else None
    if taken is None:
        return replace(asked, reads_as=wordings[-1].question if wordings else "")
    timed = taken.window is not None or taken.anchor is not None
    return replace(
        taken,
        question=asked.question,
        window=taken.window if timed else asked.window,
        anchor=taken.anchor if timed else asked.anchor,
        reads_as=taken.question,
    )


def _known(ask: Ask, alone: bool) -> bool:
    """Whether rules know all of it. A whole kind ("allergies") is only meant where it was chosen as that."""
    chosen = not any(t.choices for t in ask.targets)
    return not ask.unknown and chosen and (all(t.keys for t in ask.targets) if ask.targets else alone)


def _agree(wordings: Sequence[Ask], known: Sequence[Ask]) -> bool:
    """Whether the wordings mean the same concept, or, where rules know the last alone, mostly are the same words."""
    if len(wordings) == 1 or known[-1] is not wordings[-1]:
        return True
    keys = [{k for t in w.targets for k in t.keys} for w in wordings]
    if set.intersection(*keys):
        return True
    one, other = (_words(w) for w in (wordings[0], wordings[-1]))
    common = {w for w in one for o in other if w == o or (len(w) > 4 and o.startswith(w[:5]))}
    return len(common) > _ALIKE * min(len(one), len(other))


def _words(ask: Ask) -> set[str]:
    """The words of what is named, not of what is asked of it."""
    return {w.text for said in (*ask.unknown, *(t.words for t in ask.targets)) for w in words_of(said)}
