"""The orders that a hook is about: drugs and tests that are being ordered, and orders that end with this signature."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.service.cds.requests import Context
from fhir_tools.facts import facts_of
from fhir_tools.facts.elements import reference_of, references_of
from fhir_tools.substances import Substance, is_within, substance
from fhir_tools.types import Fact, Reference

__all__ = ["NAMELESS", "Drafts", "Drug", "Test", "by_reference", "drafted", "named"]

NAMELESS = "unnamed "
"""How the label of a fact without a concept begins (`fhir_tools.facts`)."""
Resource = Mapping[str, Any]
_ORDERED = ("", "draft", "active", "unknown")
"""Statuses of what is being ordered. order-sign is also sent where a signed order is changed ("re-signed", order-sign
1.0, Workflow): one that is stopped, put on hold or cancelled with it is no order."""


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
class Test:
    """A test, image or other service that is ordered once; `replaces` are the orders that it takes over from."""

    fact: Fact
    replaces: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """What is being ordered. `drugs` and `tests` are of the orders that are meant, the others of the session's rest.

    `ended` are the orders that end with the signature.
    """

    drugs: tuple[Drug, ...] = ()
    tests: tuple[Test, ...] = ()
    other_drugs: tuple[Drug, ...] = ()
    other_tests: tuple[Test, ...] = ()
    ended: frozenset[Reference] = frozenset()


def drafted(context: Context) -> Drafts:
    """The drafts of a context; none where its hook has none."""
    here = by_reference(context.drafts())
    facts = tuple(_facts(context.drafts(), here))
    meant = [(f, r) for f, r in facts if context.means(r)]
    rest = [(f, r) for f, r in facts if not context.means(r)]
    return Drafts(
        drugs=tuple(_drugs(meant)),
        tests=tuple(_tests(meant)),
        other_drugs=tuple(_drugs(rest)),
        other_tests=tuple(_tests(rest)),
        ended=frozenset(f.reference for f, _ in facts if f.status not in _ORDERED),
    )


Read = Iterable[tuple[Fact, Resource]]


def _facts(drafts: Iterable[Resource], here: Mapping[str, Resource]) -> Iterator[tuple[Fact, Resource]]:
    for resource in drafts:
        if resource["resourceType"] in ("MedicationRequest", "ServiceRequest"):
            for fact in facts_of(named(resource, here))[:1]:
                yield fact, resource


def _ordered(read: Read, kind: str) -> Iterator[tuple[Fact, Resource]]:
    return ((f, r) for f, r in read if f.kind == kind and f.status in _ORDERED and r.get("doNotPerform") is not True)


def _drugs(read: Read) -> Iterator[Drug]:
    for fact, resource in _ordered(read, "medication"):
        prior = reference_of(resource.get("priorPrescription"))
        yield Drug(fact=fact, made_of=substance(fact.concept), drafted=True, replaces=prior)


def _tests(read: Read) -> Iterator[Test]:
    """Those that are to be done once: in a series each repeats the one before."""
    for fact, resource in _ordered(read, "order"):
        if not fact.concept.label.startswith(NAMELESS) and "occurrenceTiming" not in resource:
            yield Test(fact=fact, replaces=references_of(resource.get("replaces")))


def by_reference(resources: Iterable[Resource]) -> Mapping[str, Resource]:
    """The resources by `Type/id`."""
    return {f"{r['resourceType']}/{r.get('id')}": r for r in resources if isinstance(r.get("resourceType"), str)}


def named(resource: Resource, here: Mapping[str, Resource]) -> Resource:
    """The order with the code of the Medication that it names, where that is here (`by_reference`)."""
    link = resource.get("medicationReference")
    target = here.get(str(link.get("reference"))) if isinstance(link, dict) else None
    if target is None or not isinstance(target.get("code"), dict):
        return resource
    kept = {k: v for k, v in resource.items() if k != "medicationReference"}
    return {**kept, "medicationCodeableConcept": target["code"]}
