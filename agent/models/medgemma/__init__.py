"""MedGemma, or any Gemma 3, by transformers on this machine. Light to import: torch comes with the first question."""

from agent.models.medgemma.model import MedGemma
from agent.models.medgemma.variants import DEFAULT, VARIANTS, Variant

__all__ = ["DEFAULT", "VARIANTS", "MedGemma", "Variant"]
