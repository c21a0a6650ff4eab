"""A peer's own folder with packages of npm, pinned, so that they mix with nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.peers.pinned import PeerMissing

__all__ = ["STAMP", "bring"]

STAMP = "packages.txt"


def bring(folder: Path, packages: Sequence[str], made: Path, what: str) -> None:
    """Install the packages where they are missing or of other versions. Raises PeerMissing.

    `made` is a file that is there once they are; `what` names the peer in errors.
    """
    stamp, wanted = folder / STAMP, "\n".join(packages)
    if made.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise PeerMissing("npm is not installed; on Debian: sudo apt install npm")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    arguments = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error", *packages]
    ended = subprocess.run([npm, *arguments], cwd=folder, capture_output=True, text=True)
    if ended.returncode or not made.exists():
        raise PeerMissing(f"npm could not install {what}: {ended.stderr.strip()[-500:] or f'no {made.name}'}")
    stamp.write_text(wanted)
