"""Make a virtual environment with vLLM for CPUs in it: `python -m tools.peers.make_vllm [VENV]`.

Takes two minutes and 3.5 GB. A second run finds it and does nothing. It has `transformers serve` too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.peers.pinned import ROOT, installed, is_installed, making, stamp

__all__ = ["FOLDER", "commands", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "vllm"
PINS = Path(__file__).with_name("vllm.txt")


def commands(folder: Path = FOLDER) -> Path | None:
    """The folder of its commands (`vllm`, `transformers`), where they are installed as pinned."""
    there = is_installed(folder, PINS) and (folder / "bin" / "vllm").exists()
    return folder / "bin" if there else None


def make(folder: Path = FOLDER) -> Path:
    """The folder of its commands, made where it is missing or pinned otherwise. Raises PeerMissing."""
    ready = commands(folder)
    if ready is not None:
        return ready
    python = installed(folder, PINS, "vLLM (torch's build for CPUs may want another index)", options=["--no-deps"])
    _mend(folder)
    stamp(folder, PINS)
    return python.parent


def _mend(folder: Path) -> None:
    """What keeps this set from running: torchvision 0.28 registers operators that torch 2.13 for CPUs has not, for
    shapes that are only wanted where graphs are compiled; and `vllm` asks for the version of a package of its name.
    """
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "torchvision" / "_meta_registrations.py").write_text("")
    about = site / "vllm-0.32.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n")


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(lambda: make(Path(arguments[0]) if arguments else FOLDER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
