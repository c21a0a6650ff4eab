"""What a model is shown when its reply is not accepted: what its marks, and the first of their cards, stand for."""

from __future__ import annotations

from collections.abc import Iterator

from agent.reasoners.llm.reply import Reply
from agent.types import Evidence
from agent.untrusted import escape
from fhir_tools.types import Card

__all__ = ["THERE", "denies_what_is_there", "held_lines"]

THERE = "the cards hold records of what was asked, so it is not true that nothing was found."
_MOST = 4


def denies_what_is_there(reply: Reply, shown: Evidence) -> bool:
    """Whether a reply finds nothing where every search found something, and asks for nothing else."""
    bare = not reply.claims and not reply.needs and reply.status != "refused"
    return bare and not shown.absent and not shown.overview and any(_is_asked(card) for card in shown.cards)


def held_lines(reply: Reply, shown: Evidence) -> tuple[str, ...]:
    """`[1] 2019-03-02 Hemoglobin A1c 6.9 %` for the marks that the reply named, and the first of each of their cards.

    A small model that misread a crowded card reads a line of its own. Without marks: the first of what was asked.
    Escaped like all chart text, so that no other mark than a line's own stands in it.
    """
    named = dict.fromkeys(m for claim in reply.claims for m in claim.marks)
    cards = [c for c in shown.cards if any(m.id in named for m in c.marks)] or [c for c in shown.cards if _is_asked(c)]
    lines = dict.fromkeys(line for card in cards for line in _lines(card, named))
    return tuple(lines)[:_MOST]


def _lines(card: Card, named: dict[str, None]) -> Iterator[str]:
    firsts = [m for m in card.marks if not m.search][:1] if named else [m for m in card.marks if not m.search][:_MOST]
    chosen = [*firsts, *(m for m in card.marks if m.id in named)]
    yield from (f"[{m.id}] {escape(m.shown)}" for m in chosen)


def _is_asked(card: Card) -> bool:
    return card.role == "subject" and any(not m.search for m in card.marks)
