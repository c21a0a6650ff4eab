"""A tiny random SigLIP (the real classes, tokenizer and image processor), built in under a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.vision.medsiglip import MedSigLIP

torch, hf, spm = (pytest.importorskip(package) for package in ("torch", "transformers", "sentencepiece"))
for package in ("accelerate", "PIL.Image", "psutil", "google.protobuf"):
    pytest.importorskip(package)

__all__ = ["SIZE", "WIDTH", "build", "opened"]

SIZE, WIDTH = 28, 32
_TEXTS = ("chest radiograph with pleural effusion", "normal lungs", "fracture of the left wrist", "pneumothorax, large")


def build(folder: Path, seed: int = 3) -> Path:
    """A model with its processor in a folder; another seed gives other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "words.txt"
    words.write_text("\n".join(_TEXTS * 20))
    spm.SentencePieceTrainer.train(
        input=str(words), model_prefix=str(folder / "spiece"), vocab_size=36, character_coverage=1.0,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    words.unlink()
    layers: dict[str, Any] = {
        "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    }  # fmt: skip
    torch.manual_seed(seed)
    config = hf.SiglipConfig(
        vision_config={**layers, "image_size": SIZE, "patch_size": 14},
        text_config={
            **layers, "vocab_size": 36, "max_position_embeddings": 64, "projection_size": WIDTH,
            "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None,
        },
    )  # fmt: skip
    model = hf.SiglipModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)  # as initialised, all vectors are nearly alike
        model.logit_scale.fill_(2.3)
        model.logit_bias.fill_(-3.0)
    model.save_pretrained(folder)
    tokenizer = hf.SiglipTokenizer(vocab_file=str(folder / "spiece.model"), model_max_length=64)
    images = hf.SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE})
    hf.SiglipProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def opened(folder: Path, **options: Any) -> MedSigLIP:
    """The encoder over a tiny folder, exact (fp32) unless told otherwise."""
    return MedSigLIP(str(folder), **{"precision": "fp32", "device": "cpu", **options})
