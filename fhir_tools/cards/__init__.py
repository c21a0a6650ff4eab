"""Concept cards: all that a chart says about one concept, on a few short lines with marks that can be cited."""

from fhir_tools.cards.events import event_card, list_card
from fhir_tools.cards.marks import Marks
from fhir_tools.cards.measurement import measurement_card

__all__ = ["Marks", "event_card", "list_card", "measurement_card"]
