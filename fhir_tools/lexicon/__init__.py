"""What clinicians' words mean: labs, drugs, conditions, vaccines and more, shipped as tables (see README.md)."""

from fhir_tools.lexicon.entry import Entry, fold, normalise
from fhir_tools.lexicon.lexicon import Lexicon, lexicon

__all__ = ["Entry", "Lexicon", "fold", "lexicon", "normalise"]
