"""Time of the image index, and of embedding with a model of MedSigLIP's shape where its packages are.

    python -m benchmarks.bench_vision [--embed]

Vectors and weights are random: it measures speed, never accuracy. `--embed` builds the so400m shape (0.9 billion
weights in bf16, 1.7 GB) and embeds a few pictures with it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from agent.vision.index import Index, Row
from agent.vision.medsiglip import ENCODERS
from agent.vision.medsiglip.model import EncoderCard

WIDTH, STUDIES, CHANGED = 1152, 20_000, 100


def vectors(number: int) -> Any:
    """Random unit vectors, shape (number, WIDTH)."""
    made = np.random.default_rng(1).normal(size=(number, WIDTH)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def put(index: Index, made: Any, numbers: range, stamp: str) -> None:
    for n in numbers:
        row = Row(place="1", caption="DX", taken="2024", vector=made[n])
        index.put(f"Patient/{n % 200}", f"ImagingStudy/{n}", stamp, [row])


def index_times(studies: int) -> None:
    card = EncoderCard(name="random", revision="1", width=WIDTH, size=448, scale=1.0, bias=0.0)
    made = vectors(studies)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with Index(Path(folder), card) as index:
            put(index, made, range(studies), "1")
        built = time.perf_counter() - start
        start = time.perf_counter()
        with Index(Path(folder), card) as index:
            put(index, made, range(CHANGED), "2")
        changed = time.perf_counter() - start
        (Path(folder) / "graph.usearch").unlink()
        start = time.perf_counter()
        with Index(Path(folder), card) as index:
            mended = time.perf_counter() - start
            start = time.perf_counter()
            for n in range(50):
                index.nearest(made[n : n + 1], 10)
            asked = (time.perf_counter() - start) / 50
            start = time.perf_counter()
            for n in range(50):
                index.nearest(made[n : n + 1], 10, patients=[f"Patient/{n}"])
            own = (time.perf_counter() - start) / 50
            alike = sum(index.nearest(made[n : n + 1], 1)[0].image == f"ImagingStudy/{n}" for n in range(200, 400))
        size = sum(p.stat().st_size for p in Path(folder).iterdir())
    print(f"{studies} pictures put one study at a time: {built:.1f} s; {size / 1e6:.0f} MB on disk")
    print(f"{CHANGED} of them changed, opening and writing included: {changed:.1f} s")
    print(f"graph lost and made anew from the stored vectors: {mended:.1f} s")
    print(
        f"ten nearest of all: {asked * 1e3:.1f} ms; within one patient ({studies // 200} pictures): {own * 1e3:.1f} ms"
    )
    print(f"a picture finds itself first: {alike} of 200")


def embedding_times(pictures: int) -> None:
    import torch
    from transformers import SiglipConfig, SiglipModel

    shape = {k: v for k, v in ENCODERS["medsiglip-448"].config.items() if k != "model_type"}
    config = SiglipConfig(vision_config=shape["vision_config"], text_config=shape["text_config"])
    torch.set_default_dtype(torch.bfloat16)
    model = SiglipModel(config).eval()
    batch = torch.randn(pictures, 3, 448, 448)
    with torch.inference_mode():
        model.get_image_features(pixel_values=batch[:1])
        start = time.perf_counter()
        model.get_image_features(pixel_values=batch)
    each = (time.perf_counter() - start) / pictures
    print(f"so400m shape, bf16, {torch.get_num_threads()} threads: {each:.1f} s a picture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--embed", action="store_true")
    parser.add_argument("--studies", type=int, default=STUDIES)
    chosen = parser.parse_args()
    index_times(chosen.studies)
    if chosen.embed:
        embedding_times(2)


if __name__ == "__main__":
    main()
