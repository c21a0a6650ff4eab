"""MedSigLIP on this machine: images and texts as vectors of one space. Light to import: torch comes with first use."""

from agent.vision.medsiglip.model import EncoderCard, MedSigLIP
from agent.vision.medsiglip.variants import DEFAULT, ENCODERS

__all__ = ["DEFAULT", "ENCODERS", "EncoderCard", "MedSigLIP"]
