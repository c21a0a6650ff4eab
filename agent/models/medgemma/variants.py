"""The weights by name: MedGemma's variants with their pinned revisions, a local folder, or any id of the Hub."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import UserError
from agent.models.memory import Shape, shape

__all__ = ["DEFAULT", "VARIANTS", "Variant", "Weights", "weights"]

DEFAULT = "medgemma-27b-it"

_VISION = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "image_size": 896, "patch_size": 14}
_ALL = {"vocab_size": 262_208, "sliding_window": 1024, "max_position_embeddings": 131_072}
_27B = _ALL | {
    "hidden_size": 5376, "intermediate_size": 21_504, "num_hidden_layers": 62,
    "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128,
}  # fmt: skip
_4B = _ALL | {
    "hidden_size": 2560, "intermediate_size": 10_240, "num_hidden_layers": 34,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
}  # fmt: skip


def _both(text: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"text_config": text, "vision_config": _VISION, "mm_tokens_per_image": 256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One set of weights on the Hub. `revision` is the commit it is pinned to.

    None means that no pin was known when this table was written (the repositories are gated): the commit that the Hub
    gives is then told in the model's card, and the setting for the revision pins it. `asks` is False for a base
    model, which follows no instructions. `config` is the published shape, for arithmetic without the weights.
    """

    name: str
    repo: str
    config: Mapping[str, Any]
    revision: str | None = None
    thinks: bool = False
    asks: bool = True

    @property
    def shape(self) -> Shape:
        return shape(self.config)


VARIANTS: Mapping[str, Variant] = {
    v.name: v
    for v in (
        Variant(name="medgemma-27b-it", repo="google/medgemma-27b-it", config=_both(_27B), thinks=True),
        Variant(name="medgemma-27b-text-it", repo="google/medgemma-27b-text-it", config=_27B, thinks=True),
        Variant(name="medgemma-4b-it", repo="google/medgemma-4b-it", config=_both(_4B)),
        Variant(name="medgemma-1.5-4b-it", repo="google/medgemma-1.5-4b-it", config=_both(_4B)),
        Variant(name="medgemma-4b-pt", repo="google/medgemma-4b-pt", config=_both(_4B), asks=False),
    )
}
"""What the makers publish (https://huggingface.co/collections/google/medgemma-release), by the name a setting gives."""

_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where weights are: `place` is a folder's path or a Hub id; `name` is what answers call the model."""

    name: str
    place: str
    local: bool = False
    revision: str | None = None
    variant: Variant | None = None


def weights(name: str, revision: str | None = None, variants: Mapping[str, Variant] = VARIANTS) -> Weights:
    """The weights that a setting names: one of the variants, a folder, or `owner/name` on the Hub, in this order.

    Raises UserError for anything else, with the names that are near.
    """
    if name in variants:
        variant = variants[name]
        return Weights(name=name, place=variant.repo, revision=revision or variant.revision, variant=variant)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return Weights(name=folder.resolve().name, place=str(folder), local=True, variant=variants.get(folder.name))
    if _ID.fullmatch(name) and not name.startswith("."):
        known = next((v for v in variants.values() if v.repo.lower() == name.lower()), None)
        pinned = revision or (known.revision if known else None)
        return Weights(name=known.name if known else name, place=name, revision=pinned, variant=known)
    raise UserError(f"{name!r} names no model: {_remedy(name, variants)}")


def _remedy(name: str, variants: Mapping[str, Variant]) -> str:
    if "/" in name or "\\" in name or name.startswith(("~", ".")):
        return "there is no such folder, and it is no owner/name of the Hub"
    near = difflib.get_close_matches(name.lower(), variants, n=2, cutoff=0.6)
    known = " or ".join(near) if near else ", ".join(variants)
    return f"give {known}, a folder, or an owner/name of the Hub"
