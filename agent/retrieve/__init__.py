"""Stage retrieve: what was understood → searches → facts → cards with marks. No model.

Each target gets one card (or an `Absence` with the searches that prove it), the event of an anchor gets one,
and the closest other things get one that is told apart (`also`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from agent.chart import Chart
from agent.retrieve.against import against
from agent.retrieve.events import anchored, facts_of_target
from agent.retrieve.gather import Gather
from agent.retrieve.lists import listed
from agent.retrieve.notes import quoted
from agent.retrieve.person import person
from agent.retrieve.pictures import looked_at
from agent.retrieve.subjects import subject
from agent.types import Ask, Evidence

__all__ = ["Gather", "retrieve"]

_ORDER = {"subject": 0, "event": 1, "also": 2}


async def retrieve(chart: Chart, ask: Ask) -> Evidence:
    """The evidence for one question. Raises SourceError when the source fails before anything was read."""
    if not ask.parts:
        return await _gathered(Gather(chart), ask)
    marks, found = None, []
    for part in ask.parts:
        gather = Gather(chart, marks)
        found.append(await _gathered(gather, part))
        marks = gather.marks
    return _together(found)


def _together(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of all parts as one."""
    searched = {row.query: row for part in parts for row in part.searched}
    return replace(
        parts[0],
        cards=tuple(c for part in parts for c in part.cards),
        searched=tuple(searched.values()),
        absent=tuple(a for part in parts for a in part.absent),
        search_marks=tuple(m for part in parts for m in part.search_marks),
        warnings=tuple(dict.fromkeys(w for part in parts for w in part.warnings)),
        parts=tuple(parts),
    )


async def _gathered(gather: Gather, ask: Ask) -> Evidence:
    if ask.relies:
        gather.rely(*ask.relies)
    if ask.unknown or any(t.choices for t in ask.targets):
        return gather.evidence(())
    if ask.attribute and not ask.targets:
        return gather.evidence(await person(gather, ask))
    await _ahead(gather, ask)
    window, cards = await anchored(gather, ask)
    if ask.anchor and not cards:
        return gather.evidence(())  # without its event the question has no time, and an answer for another is wrong
    if ask.look:
        shown, view = await looked_at(gather, ask, window)
        return replace(gather.evidence((*shown, *cards)), view=view)
    if ask.op == "find":
        return gather.evidence((*await quoted(gather, ask, window), *cards))
    if ask.targets:
        for target in ask.targets:
            own = await subject(gather, ask, target, window)
            cards = (*cards, *own, *await against(gather, ask, target, own))
    elif ask.kinds:
        cards = (*cards, *await listed(gather, ask, window))
    return gather.evidence(tuple(sorted(cards, key=lambda c: _ORDER[c.role])))


async def _ahead(gather: Gather, ask: Ask) -> None:
    """Read what several subjects or an anchor need side by side; the cards are then made in order, without waiting."""
    named = (*((ask.anchor.target,) if ask.anchor else ()), *ask.targets)
    if len(named) > 1 and ask.op != "find":
        await asyncio.gather(*(facts_of_target(gather, target) for target in named))
