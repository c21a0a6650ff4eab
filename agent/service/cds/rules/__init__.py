"""The rules of the cards, one module a kind: what of the chart each needs, and what it finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.service.cds.drafts import Drafts
from agent.service.cds.facts import Facts
from agent.service.cds.findings import Finding
from agent.service.cds.rules import allergy, duplicate, kidney, monitoring, repeat, result

__all__ = ["find", "needs", "offered"]

_FIND: Mapping[str, Callable[[Any, Facts], Iterator[Finding]]] = {
    "allergy": allergy.find,
    "kidney": kidney.find,
    "result": result.find,
    "duplicate": duplicate.find,
    "repeat": repeat.find,
    "monitoring": monitoring.find,
}
_NEEDS: Mapping[str, Callable[[Any, Drafts | None], frozenset[str]]] = {
    "allergy": allergy.needs,
    "kidney": kidney.needs,
    "result": result.needs,
    "duplicate": duplicate.needs,
    "repeat": repeat.needs,
    "monitoring": monitoring.needs,
}


def find(card: Any, facts: Facts) -> Iterator[Finding]:
    """What a card's rule finds; nothing for questions, whose answers are kept. Raises Unread."""
    rule = _FIND.get(card.kind)
    return rule(card, facts) if rule else iter(())


def needs(card: Any, drafts: Drafts) -> frozenset[str]:
    """The prefetch keys that the rule wants for these orders; none where the orders do not concern it."""
    rule = _NEEDS.get(card.kind)
    return rule(card, drafts) if rule else frozenset()


def offered(card: Any) -> frozenset[str]:
    """The prefetch keys that the rule may want, whatever is ordered."""
    rule = _NEEDS.get(card.kind)
    return rule(card, None) if rule else frozenset()
