"""Bring axe-core (npm), which checks pages for accessibility in a browser: `python -m tools.peers.make_axe [FOLDER]`.

Needs npm. It is for tests alone and is not part of the page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.peers.npm import bring
from tools.peers.pinned import ROOT, making

__all__ = ["FOLDER", "PACKAGES", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "axe"
PACKAGES = ("axe-core@4.14.1",)


def make(folder: Path = FOLDER) -> Path:
    """The script, installed where it is missing or of another version. Raises PeerMissing."""
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    bring(folder, PACKAGES, script, "axe-core")
    return script


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(lambda: make(Path(arguments[0]) if arguments else FOLDER))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
