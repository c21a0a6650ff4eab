"""Bring axe-core (npm), which checks pages for accessibility in a browser: `python -m tools.peers.make_axe [FOLDER]`.

Needs npm. It is for tests alone and is not part of the page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tools.peers.pinned import ROOT, PeerMissing

__all__ = ["FOLDER", "PACKAGE", "main", "make"]

FOLDER = ROOT / ".venv" / "peers" / "axe"
PACKAGE = "axe-core@4.14.1"


def make(folder: Path = FOLDER) -> Path:
    """The script, installed where it is missing or of another version. Raises PeerMissing."""
    script, stamp = folder / "node_modules" / "axe-core" / "axe.min.js", folder / "packages.txt"
    if not (script.exists() and stamp.exists() and stamp.read_text() == PACKAGE):
        _install(folder, script)
        stamp.write_text(PACKAGE)
    return script


def _install(folder: Path, script: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PeerMissing("npm is not installed; on Debian: sudo apt install npm")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    arguments = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error", PACKAGE]
    ended = subprocess.run([npm, *arguments], cwd=folder, capture_output=True, text=True)
    if ended.returncode or not script.exists():
        raise PeerMissing(f"npm could not install axe-core: {ended.stderr.strip()[-500:] or 'no script'}")


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
