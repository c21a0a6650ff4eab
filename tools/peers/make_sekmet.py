"""Make a virtual environment with sekmet-fhir in it: `python -m tools.peers.make_sekmet [VENV]`.

Its own, so that what it needs does not mix with what chartline needs. A second run finds it and does nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import make_venv

__all__ = ["FOLDER", "PeerMissing", "main", "make"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv" / "peers" / "sekmet"
PINS = Path(__file__).with_name("sekmet.txt")
STAMP = "pins.txt"


class PeerMissing(RuntimeError):
    """A peer could not be installed; says why, for whoever runs the tests."""


def make(folder: Path = FOLDER) -> Path:
    """The `sekmet` command of the environment, made where it is missing or pinned otherwise. Raises PeerMissing."""
    command, stamp = folder / "bin" / "sekmet", folder / STAMP
    if command.exists() and stamp.exists() and stamp.read_bytes() == PINS.read_bytes():
        return command
    folder.parent.mkdir(parents=True, exist_ok=True)
    if make_venv.main([str(folder)]):
        raise PeerMissing(f"no virtual environment could be made in {folder}")
    arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r", str(PINS)]
    ended = subprocess.run([folder / "bin" / "python", *arguments], capture_output=True, text=True)
    if ended.returncode:
        raise PeerMissing(f"pip could not install sekmet-fhir: {ended.stderr.strip()[-500:]}")
    stamp.write_bytes(PINS.read_bytes())
    return command


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
