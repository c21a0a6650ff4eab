"""A peer's own virtual environment with what its pins name, so that it does not mix with what chartline needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools import make_venv

__all__ = ["ROOT", "STAMP", "PeerMissing", "installed", "is_installed", "making", "ran", "stamp"]

ROOT = Path(__file__).resolve().parents[2]
STAMP = "pins.txt"


class PeerMissing(RuntimeError):
    """A peer could not be installed; says why, for whoever runs the tests."""


def is_installed(folder: Path, pins: Path, mark: str = STAMP) -> bool:
    """Whether the folder was filled by these very pins."""
    made = folder / mark
    return made.exists() and made.read_bytes() == pins.read_bytes()


def stamp(folder: Path, pins: Path, mark: str = STAMP) -> None:
    """Note that all is there, as these pins say."""
    (folder / mark).write_bytes(pins.read_bytes())


def installed(
    folder: Path, pins: Path, what: str, *, options: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> Path:
    """The environment's Python, after pip has installed the pins there. Raises PeerMissing.

    `what` names the peer in errors, `options` are pip's, `more` are variables for what it builds.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if make_venv.main([str(folder)]):
        raise PeerMissing(f"no virtual environment could be made in {folder}")
    python = folder / "bin" / "python"
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, "-r", str(pins)]
    ran([str(python), *pip], f"pip could not install {what}", more)
    return python


def ran(command: Sequence[str], failing: str, more: Mapping[str, str] | None = None) -> None:
    """Run it out of the way of other work, since it may take long. Raises PeerMissing with its last words."""
    gentle = ["nice", "-n", "19", *command] if shutil.which("nice") else [*command]
    ended = subprocess.run(gentle, capture_output=True, text=True, env={**os.environ, **(more or {})})
    if ended.returncode:
        raise PeerMissing(f"{failing}: {(ended.stderr or ended.stdout).strip()[-500:]}")


def making(make: Callable[[], Path | tuple[Path, ...]]) -> int:
    """The exit code of a command that makes a peer and prints where it is."""
    try:
        made = make()
    except PeerMissing as error:
        print(error, file=sys.stderr)
        return 1
    print(*(made if isinstance(made, tuple) else (made,)))
    return 0
