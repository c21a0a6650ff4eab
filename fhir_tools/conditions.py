"""Whether a condition goes on: clinicalStatus and abatement together (R4 Condition, invariants con-3 and con-4)."""

from __future__ import annotations

from fhir_tools.types import Fact

__all__ = ["ongoing"]

_ONGOING = ("active", "recurrence", "relapse", "")


def ongoing(fact: Fact) -> bool:
    """Whether a condition is recorded as going on; one without a clinicalStatus does until an abatement is recorded."""
    return fact.status in _ONGOING and not fact.details.get("abatement")
