"""Bring the libraries of the page from npm, as their makers publish them: `python -m tools.make_page_vendor`.

Writes agent/service/page/vendor/, with each library's licence and a README of versions and checksums. Needs npm,
which checks what it brings against the registry's own checksum. What is written is committed: nobody who installs or
runs chartline needs npm.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LIBRARIES", "TARGET", "Library", "main"]

TARGET = Path(__file__).resolve().parents[1] / "agent" / "service" / "page" / "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A package of npm and the files of it that the page loads (paths inside the package); all keep their places."""

    name: str
    version: str
    files: tuple[str, ...]
    licence: str
    use: str


LIBRARIES = (
    Library(
        name="lit-html",
        version="3.3.3",
        files=(
            "LICENSE",
            "lit-html.js",
            "directive.js",
            "directive-helpers.js",
            "directives/live.js",
            "directives/repeat.js",
        ),
        licence="BSD-3-Clause",
        use="templates: chart text is always text, never markup",
    ),
)


def main() -> int:
    """Returns the exit code."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed; on Debian: sudo apt install npm", file=sys.stderr)
        return 1
    for library in LIBRARIES:
        _write(library, _packed(npm, library))
    (TARGET / "README.md").write_text(_readme(), "utf-8")
    return 0


def _packed(npm: str, library: Library) -> bytes:
    """The package's tarball."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{library.name}@{library.version}"
        subprocess.run([npm, "pack", wanted, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (tarball,) = Path(folder).glob("*.tgz")
        return tarball.read_bytes()


def _write(library: Library, tarball: bytes) -> None:
    folder = TARGET / library.name
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(tarball)) as package:
        for name in library.files:
            member = package.extractfile(f"package/{name}")
            if member is None:
                raise FileNotFoundError(f"{library.name} {library.version} has no {name}")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.read())


def _readme() -> str:
    lines = [
        "# Libraries of the page, unmodified",
        "",
        "Written by `python -m tools.make_page_vendor`; a test holds the files against these checksums.",
        "",
        "| library | version | licence | what for |",
        "|---|---|---|---|",
        *(f"| {x.name} | {x.version} | {x.licence} | {x.use} |" for x in LIBRARIES),
        "",
        "| file | sha256 |",
        "|---|---|",
    ]
    for library in LIBRARIES:
        for name in library.files:
            digest = hashlib.sha256((TARGET / library.name / name).read_bytes()).hexdigest()
            lines.append(f"| {library.name}/{name} | {digest} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
