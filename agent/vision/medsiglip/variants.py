"""The image and text encoders by name."""

from __future__ import annotations

from collections.abc import Mapping

from agent.models.medgemma.variants import Variant

__all__ = ["DEFAULT", "ENCODERS"]

DEFAULT = "medsiglip-448"

_TOWER = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}

ENCODERS: Mapping[str, Variant] = {
    DEFAULT: Variant(
        name=DEFAULT,
        repo="google/medsiglip-448",
        config={
            "model_type": "siglip",
            "vision_config": {**_TOWER, "image_size": 448, "patch_size": 14},
            "text_config": {**_TOWER, "vocab_size": 32_000, "max_position_embeddings": 64},
        },
        asks=False,
    )
}
"""What its makers publish (https://huggingface.co/google/medsiglip-448): gated, so no commit could be pinned here;
the one that the Hub gives is told in the card, and an index refuses another."""
