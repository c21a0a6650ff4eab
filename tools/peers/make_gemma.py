"""Convert a small real Gemma 3 for the tests that ask one: a .gguf file to what transformers loads in a second.

`python -m tools.peers.make_gemma gemma3-270m.gguf FOLDER` writes FOLDER/gemma3-270m; the tests find it where
CHARTLINE_TEST_MODELS names FOLDER. It needs the `medgemma` extra and the `gguf` package, and about a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["convert", "main"]

_STAMP = "config.json"


def convert(gguf: Path, folder: Path) -> Path:
    """The folder with the weights of a file, in bf16, and its tokenizer; what is there already is kept."""
    place = folder / gguf.stem
    if (place / _STAMP).is_file():
        return place
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    whole = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=whole
    )
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(place)
    model.save_pretrained(place)
    return place


def main(arguments: list[str]) -> int:
    """The command line: the file, and the folder that holds models."""
    if len(arguments) != 2 or not Path(arguments[0]).is_file():
        print("usage: python -m tools.peers.make_gemma FILE.gguf FOLDER", file=sys.stderr)
        return 2
    print(convert(Path(arguments[0]), Path(arguments[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
