"""Make a virtual environment with sekmet-fhir in it: `python -m tools.peers.make_sekmet [VENV]`.

Its own, so that what it needs does not mix with what chartline needs. A second run finds it and does nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.peers.pinned import ROOT, installed, is_installed, making, stamp

__all__ = ["FOLDER", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "sekmet"
PINS = Path(__file__).with_name("sekmet.txt")


def make(folder: Path = FOLDER) -> Path:
    """The `sekmet` command of the environment, made where it is missing or pinned otherwise. Raises PeerMissing."""
    command = folder / "bin" / "sekmet"
    if not (command.exists() and is_installed(folder, PINS)):
        installed(folder, PINS, "sekmet-fhir", options=["--no-deps"])
        stamp(folder, PINS)
    return command


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(lambda: make(Path(arguments[0]) if arguments else FOLDER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
