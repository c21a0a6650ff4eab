"""What one call knows of its patient: facts of the prefetch and of the FHIR server, and what could not be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agent.service.cds.requests import Context
from fhir_tools import compute
from fhir_tools.facts import facts_of
from fhir_tools.facts.elements import reference_of
from fhir_tools.lexicon import lexicon
from fhir_tools.medications import judged, taken
from fhir_tools.substances import Substance, is_within, substance
from fhir_tools.types import Fact, Quantity, Reference

__all__ = ["CURRENT", "SOFT", "Drug", "Facts", "Unread", "drafted", "facts_in"]

CURRENT = frozenset({"medications", "statements", "encounters", "encounter"})
"""The keys that current drugs are read from."""
SOFT = frozenset({"statements", "encounters", "encounter", "user"})
"""Keys that help and are not needed: many servers have no MedicationStatement. What they lack is not told as unread."""


_NAMELESS = "unnamed "
"""How the label of a fact without a concept begins (`fhir_tools.facts`)."""


class Unread(Exception):
    """A rule needs what could not be read. `key` is the prefetch key."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """A drug that is ordered or listed active, and what is in it; `replaces` is the order that it takes over from."""

    fact: Fact
    made_of: Substance
    drafted: bool = False
    replaces: Reference | None = None

    @property
    def label(self) -> str:
        """The drug as the order writes it."""
        return self.fact.concept.label

    def within(self, names: Collection[str]) -> frozenset[str]:
        """Its ingredients that are, or are of a class, among the names."""
        return frozenset(i for i in self.made_of.ingredients if is_within(i, names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts by prefetch key; a key that stands in `unread` could not be read, and says why.

    `ordered` are the drugs of the drafts that are meant, `others` the further drafts of the session.
    """

    patient: Reference
    as_of: date
    read: Mapping[str, tuple[Fact, ...]]
    unread: Mapping[str, str] = field(default_factory=dict)
    ordered: tuple[Drug, ...] = ()
    others: tuple[Drug, ...] = ()

    def of(self, key: str) -> tuple[Fact, ...]:
        """The facts of a key; none that is dated after today, an error or refuted. Raises Unread."""
        if key in self.unread or key not in self.read:
            raise Unread(key)
        return tuple(f for f in self.read[key] if f.standing in ("fact", "unconfirmed") and not self._future(f))

    def _if_read(self, key: str) -> tuple[Fact, ...]:
        return self.of(key) if key in self.read and key not in self.unread else ()

    def _future(self, fact: Fact) -> bool:
        day = fact.when.day if fact.when else None
        return day is not None and day > self.as_of

    @property
    def nameless(self) -> bool:
        """Whether an active order refers to its drug by what was not sent: what it is, is not known."""
        return any(f.concept.label.startswith(_NAMELESS) for f in self._if_read("medications"))

    @property
    def strange(self) -> tuple[str, ...]:
        """The ordered drugs that the lexicon does not know, as the order writes them: no rule is about them."""
        return tuple(d.label for d in self.ordered if not d.made_of.understood)

    @property
    def current(self) -> tuple[Drug, ...]:
        """The drugs that are listed active, or reported as taken where there are statements. Raises Unread.

        `fhir_tools.medications` says which: an inpatient order ends with its stay, where the encounter is known.
        """
        stays = {f.reference: f for key in ("encounters", "encounter") for f in self._if_read(key)}
        facts = (*self.of("medications"), *self._if_read("statements"))
        return tuple(Drug(fact=f, made_of=substance(f.concept)) for f in judged(facts, stays, self.as_of) if taken(f))

    def results(self, lab: str) -> tuple[Fact, ...]:
        """The results of a laboratory value with a number, oldest first. Raises Unread."""
        codes = frozenset(_codes(lab))
        named = [f for f in self.of(lab) if codes.intersection((c.system, c.code) for c in f.concept.codings)]
        told = [f for f in named if isinstance(f.value, Quantity) and f.when and f.when.day and f.standing == "fact"]
        return compute.in_order(tuple(told))

    def drugs(self, which: str) -> Iterator[Drug]:
        """Those ordered, those current, or both; raises Unread where current ones are meant."""
        if which in ("ordered", "both"):
            yield from self.ordered
        if which in ("current", "both"):
            yield from self.current


def _codes(lab: str) -> tuple[tuple[str, str], ...]:
    entry = lexicon().by_id("lab", lab)
    return entry.codes if entry else ()


def drafted(context: Context) -> tuple[tuple[Drug, ...], tuple[Drug, ...]]:
    """The drugs of the drafts: those that the hook is about, and the others of the session."""
    drafts = context.drafts()
    here = {f"{r['resourceType']}/{r.get('id')}": r for r in drafts}
    chosen = context.chosen()
    meant: list[Drug] = []
    others: list[Drug] = []
    for resource in drafts:
        if resource["resourceType"] != "MedicationRequest":
            continue
        fact = next(iter(facts_of(_whole(resource, here))), None)
        if fact and fact.standing != "error" and resource.get("doNotPerform") is not True:
            prior = reference_of(resource.get("priorPrescription"))
            drug = Drug(fact=fact, made_of=substance(fact.concept), drafted=True, replaces=prior)
            (meant if chosen is None or str(fact.reference) in chosen else others).append(drug)
    return tuple(meant), tuple(others)


def _whole(resource: Mapping[str, Any], here: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The order with the code of the Medication that it names, where the Bundle holds that."""
    link = resource.get("medicationReference")
    target = here.get(str(link.get("reference"))) if isinstance(link, dict) else None
    if target is None or not isinstance(target.get("code"), dict):
        return resource
    rest = {k: v for k, v in resource.items() if k != "medicationReference"}
    return {**rest, "medicationCodeableConcept": target["code"]}


def facts_in(resources: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """The facts of resources in order; a Medication among them names the orders that refer to it."""
    here = {f"{r['resourceType']}/{r.get('id')}": r for r in resources if isinstance(r.get("resourceType"), str)}
    return tuple(f for r in resources for f in facts_of(_whole(r, here)))
