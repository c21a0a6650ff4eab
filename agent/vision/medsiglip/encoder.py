"""The two towers of SigLIP in torch: bytes of images, or texts, to vectors of unit length."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoProcessor

from agent.errors import ModelError, UserError
from agent.models.medgemma.hub import Files
from agent.models.medgemma.machine import device_map, free
from agent.models.medgemma.variants import Weights
from agent.models.memory import gib

__all__ = ["Encoder", "fingerprint", "load_encoder"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPARE = 1.2
"""Memory for the weights and what one batch needs beside them, as a multiple of the weights."""
_LOST = "out of memory while embedding: lower the batch, or embed on the CPU"


class Encoder:
    """A SigLIP model that is ready. `size` is the side of its images in pixels, `width` the length of its vectors.

    `scale` and `bias` are its own: sigmoid(scale * cosine + bias) is how likely a text fits an image
    (Zhai et al. 2023, Sigmoid Loss for Language Image Pre-Training, section 3.2).
    """

    def __init__(self, model: Any, processor: Any, revision: str) -> None:
        self._model, self._processor, self.revision = model, processor, revision
        config = model.config
        self.size = int(config.vision_config.image_size)
        self.words = int(config.text_config.max_position_embeddings)
        self.width = int(config.vision_config.hidden_size)
        self.scale, self.bias = float(model.logit_scale.detach().float().exp()), float(model.logit_bias.detach())

    def images(self, encoded: Sequence[bytes]) -> NDArray[np.float32]:
        """Vectors of encoded images (PNG, JPEG, …), shape (n, width). Raises UserError for bytes that are no image."""
        pictures = [_opened(data) for data in encoded]
        return self._vectors(lambda: self._model.get_image_features(**self._given(images=pictures)))

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, shape (n, width); what goes beyond `words` tokens is cut off."""
        # padded to the full length and without a mask, as it was trained
        options = {"padding": "max_length", "max_length": self.words, "truncation": True}
        return self._vectors(lambda: self._model.get_text_features(**self._given(text=list(texts), **options)))

    def _given(self, **what: Any) -> dict[str, Any]:
        made = self._processor(return_tensors="pt", **what)
        kept = {name: made[name].to(self._model.device) for name in ("pixel_values", "input_ids") if name in made}
        if "pixel_values" in kept:
            kept["pixel_values"] = kept["pixel_values"].to(self._model.dtype)
        return kept

    def _vectors(self, call: Any) -> NDArray[np.float32]:
        try:
            with torch.inference_mode():
                found = call()
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise ModelError(_LOST) from error
        pooled = found if isinstance(found, torch.Tensor) else found.pooler_output
        unit = torch.nn.functional.normalize(pooled.float(), dim=-1)
        vectors: NDArray[np.float32] = unit.cpu().numpy().astype(np.float32)
        return vectors


def _opened(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"a picture to embed could not be decoded ({type(error).__name__})") from error


def load_encoder(
    weights: Weights, *, precision: str = "bf16", device: str = "auto", token: str | None = None, offline: bool = False
) -> Encoder:
    """The encoder, loaded. Raises UserError and ModelError, each with its remedy."""
    files = Files(weights, token=token, offline=offline)
    _check(files.config(), weights)
    where, gpus = device_map(device)
    folder = files.all()
    _fits(folder, gpus)
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    try:
        model = AutoModel.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": gpus[0]} if where == "auto" else where,  # small: one device is enough
            use_safetensors=True,
            local_files_only=True,
        ).eval()
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError("out of memory while loading the image encoder: load it on the CPU") from error
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"the image encoder in {folder.name!r} cannot be loaded ({type(error).__name__}): "
            "fetch or copy it again, with every .json file and spiece.model"
        ) from error
    commit = folder.name if _COMMIT.fullmatch(folder.name) else ""
    return Encoder(model, processor, commit or weights.revision or fingerprint(folder))


def _check(folder: Path, weights: Weights) -> None:
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"the config.json of {weights.place!r} cannot be read: {type(error).__name__}") from error
    if config.model_type != "siglip":
        raise UserError(f"{weights.place!r} is a {config.model_type!r} model; this takes SigLIP (MedSigLIP)")


def _fits(folder: Path, gpus: list[int]) -> None:
    """Raises ModelError where the weights are larger than what is free."""
    need = int(sum(path.stat().st_size for path in folder.glob("*.safetensors")) * _SPARE)
    have, where = free(gpus[:1])
    if need > have:
        raise ModelError(f"the image encoder needs about {gib(need)} GiB, and {where} has {gib(have)} free")


def fingerprint(folder: Path) -> str:
    """What tells weights in a folder from others, where no commit does: a digest of the files that make vectors."""
    digest = hashlib.sha256()
    kept = ("config.json", "preprocessor_config.json", "processor_config.json", "spiece.model", "tokenizer.json")
    for path in sorted([*folder.glob("*.safetensors"), *(p for p in map(folder.joinpath, kept) if p.is_file())]):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()[:16]}"
