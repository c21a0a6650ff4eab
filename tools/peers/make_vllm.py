"""Make a virtual environment with vLLM for CPUs in it: `python -m tools.peers.make_vllm [VENV]`.

Takes two minutes and 3.5 GB. A second run finds it and does nothing. It has `transformers serve` too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.peers.pinned import ROOT, PeerMissing, installed, is_installed, stamp

__all__ = ["FOLDER", "commands", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "vllm"
PINS = Path(__file__).with_name("vllm.txt")


def commands(folder: Path = FOLDER) -> Path | None:
    """The folder of its commands (`vllm`, `transformers`), where they are installed as pinned."""
    return folder / "bin" if is_installed(folder, PINS) else None


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
    """torchvision 0.28 registers operators that torch 2.13's build for CPUs has not: it cannot be imported then.

    Shapes of operators are only wanted where graphs are compiled, so the list of them is left empty.
    """
    for shapes in folder.glob("lib/python3*/site-packages/torchvision/_meta_registrations.py"):
        shapes.write_text("")


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    try:
        print(make(Path(arguments[0]) if arguments else FOLDER))
    except PeerMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
