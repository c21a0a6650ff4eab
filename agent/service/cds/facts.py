"""What one call knows of its patient: facts of the prefetch and of the FHIR server, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agent.service.cds.drafts import NAMELESS, Drafts, Drug, by_reference, named
from fhir_tools import compute
from fhir_tools.facts import facts_of
from fhir_tools.lexicon import lexicon
from fhir_tools.medications import judged, taken
from fhir_tools.substances import substance
from fhir_tools.types import Fact, Missing, Quantity, Reference

__all__ = ["CURRENT", "SOFT", "TESTS", "Facts", "Unread", "facts_in"]

CURRENT = frozenset({"medications", "statements", "encounters", "encounter"})
"""The keys that current drugs are read from."""
TESTS = frozenset({"orders", "reports", "tests"})
"""The keys that tests are read from which were ordered or done."""
SOFT = frozenset({"statements", "encounters", "encounter", "user"})
"""Keys that help and are not needed: many servers have no MedicationStatement. What they lack is not told as unread."""


class Unread(Exception):
    """A rule needs what could not be read. `key` is the prefetch key, `why` is in words without chart text."""

    def __init__(self, key: str, why: str) -> None:
        self.key, self.why = key, why
        super().__init__(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts by prefetch key; a key that stands in `unread` could not be read, and says why."""

    patient: Reference
    as_of: date
    read: Mapping[str, tuple[Fact, ...]]
    unread: Mapping[str, str] = field(default_factory=dict)
    drafts: Drafts = field(default_factory=Drafts)

    def of(self, key: str, *, planned: bool = False) -> tuple[Fact, ...]:
        """The facts of a key; none that is an error or refuted, or dated after today (but what is `planned`).

        Raises Unread.
        """
        if key in self.unread or key not in self.read:
            raise Unread(key, self.unread.get(key, "it was not sent"))
        sure = (f for f in self.read[key] if f.standing in ("fact", "unconfirmed"))
        return tuple(f for f in sure if planned or not self._future(f))

    def _if_read(self, key: str) -> tuple[Fact, ...]:
        return self.of(key) if key in self.read and key not in self.unread else ()

    def _future(self, fact: Fact) -> bool:
        day = fact.when.day if fact.when else None
        return day is not None and day > self.as_of

    @property
    def nameless(self) -> bool:
        """Whether an active order refers to its drug by what was not sent: what it is, is not known."""
        return any(f.concept.label.startswith(NAMELESS) for f in self._if_read("medications"))

    @property
    def strange(self) -> tuple[str, ...]:
        """The ordered drugs that the lexicon does not know, as the order writes them: no rule is about them."""
        unknown = (d.label for d in self.drafts.drugs if not d.made_of.understood)
        return tuple("a drug named by a reference alone" if label.startswith(NAMELESS) else label for label in unknown)

    @property
    def current(self) -> tuple[Drug, ...]:
        """The drugs that are listed active, or reported as taken where there are statements. Raises Unread.

        `fhir_tools.medications` says which: an inpatient order ends with its stay, where the encounter is known.
        """
        stays = {f.reference: f for key in ("encounters", "encounter") for f in self._if_read(key)}
        facts = (*self.of("medications"), *self._if_read("statements"))
        now = (f for f in judged(facts, stays, self.as_of) if taken(f) and f.reference not in self.drafts.ended)
        return tuple(Drug(fact=f, made_of=substance(f.concept)) for f in now)

    def measured(self, lab: str) -> tuple[Fact, ...]:
        """The results of a laboratory value in whatever form, oldest first: while there is one, none is absent.

        Raises Unread.
        """
        codes = frozenset(_codes(lab))
        told = (f for f in self.of(lab) if codes.intersection((c.system, c.code) for c in f.concept.codings))
        whole = (f for f in told if f.standing == "fact" and f.value and not isinstance(f.value, Missing))
        return compute.in_order(tuple(f for f in whole if f.when and f.when.day))

    def results(self, lab: str) -> tuple[Fact, ...]:
        """Those of them that are a number. Raises Unread."""
        return tuple(f for f in self.measured(lab) if isinstance(f.value, Quantity))

    def drugs(self, which: str) -> Iterator[Drug]:
        """Those ordered, those current, or both; raises Unread where current ones are meant."""
        if which in ("ordered", "both"):
            yield from self.drafts.drugs
        if which in ("current", "both"):
            yield from self.current


def _codes(lab: str) -> tuple[tuple[str, str], ...]:
    entry = lexicon().by_id("lab", lab)
    return entry.codes if entry else ()


def facts_in(resources: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """The facts of resources in order; a Medication among them names the orders that refer to it."""
    here = by_reference(resources)
    return tuple(f for r in resources for f in facts_of(named(r, here)))
