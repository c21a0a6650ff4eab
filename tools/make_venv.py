"""Make a virtual environment with pip in it: `python3 tools/make_venv.py .venv`. Standard library only.

Debian takes ensurepip out of python3 and puts it into python3-venv, so a fresh machine may lack it. Then
virtualenv, the system's pip or a pinned pip wheel from PyPI stands in, in this order.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path

__all__ = ["main"]

OLDEST = (3, 11)
PIP = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
INDEX = "https://pypi.org/simple/pip/"
REMEDY = "on Debian: sudo apt install python3-venv ca-certificates; then run make again"


def main(arguments: list[str]) -> int:
    """Make the environment unless a working one is there. Returns the exit code."""
    if sys.version_info < OLDEST:
        have, need = sys.version.split()[0], ".".join(map(str, OLDEST))
        return _give_up(f"Python {need} or newer is needed, this is {have}; name another one: make PYTHON=python3.12 …")
    folder = Path(arguments[0] if arguments else ".venv")
    if _runs(folder, "-m", "pip", "--version"):
        return 0
    try:
        _make(folder)
    except (OSError, subprocess.CalledProcessError, urllib.error.URLError, LookupError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return _give_up(f"no virtual environment could be made ({error}); {REMEDY}")
    return 0


def _runs(folder: Path, *arguments: str) -> bool:
    python = folder / "bin" / "python"
    return python.exists() and not subprocess.run([python, *arguments], capture_output=True).returncode


def _make(folder: Path) -> None:
    if _runs(folder, "-c", ""):  # made by a tool that leaves pip out, such as uv
        _add_pip(folder / "bin" / "python")
        return
    shutil.rmtree(folder, ignore_errors=True)
    if importlib.util.find_spec("ensurepip"):
        venv.create(folder, with_pip=True)
    elif tool := shutil.which("virtualenv"):
        subprocess.run([tool, "--quiet", "--python", sys.executable, str(folder)], check=True)
    else:
        venv.create(folder, with_pip=False)
        _add_pip(folder / "bin" / "python")


def _add_pip(python: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        if importlib.util.find_spec("pip"):
            command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "pip"]
        else:
            wheel = _download_pip(Path(scratch))
            # A pip wheel can be run as it is; it installs itself.
            command = [str(python), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]
        subprocess.run(command, check=True)


def _download_pip(folder: Path) -> Path:
    """The pinned wheel. Raises LookupError or ValueError when PyPI has another one or none."""
    request = urllib.request.Request(INDEX, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        files = {row["filename"]: row["url"] for row in json.load(answer)["files"]}
    with urllib.request.urlopen(files[PIP], timeout=60) as answer:
        body = answer.read()
    if hashlib.sha256(body).hexdigest() != PIP_SHA256:
        raise ValueError(f"{PIP} from PyPI has another checksum")
    wheel = folder / PIP
    wheel.write_bytes(body)
    return wheel


def _give_up(message: str) -> int:
    print(f"chartline: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
