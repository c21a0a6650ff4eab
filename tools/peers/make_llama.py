"""Build llama.cpp's own server, or a virtual environment with llama-cpp-python's, for the tests that ask them.

`python -m tools.peers.make_llama` builds the first, `python -m tools.peers.make_llama --python` the second; both
come from llama-cpp-python's source distribution, and take ten minutes or so on two cores. A second run finds what
is there and does nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.peers.pinned import ROOT, STAMP, PeerMissing, installed, is_installed, making, ran, stamp

__all__ = ["FOLDER", "PYTHON_FOLDER", "main", "make_python", "make_server", "python", "server"]

FOLDER = ROOT / ".venv" / "peers" / "llama"
PYTHON_FOLDER = ROOT / ".venv" / "peers" / "llama-python"
"""Its own: making an environment empties the folder."""
PINS = Path(__file__).with_name("llama.txt")
SERVER_STAMP = "server-pins.txt"

# Its AMX path crashes on processors that announce AMX inside a virtual machine: the native choice is left out.
_SETS = {"avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "avx512f": "AVX512", "avx512_vnni": "AVX512_VNNI"}
_PARTS = {
    "CMAKE_BUILD_TYPE": "Release",
    "CMAKE_CXX_FLAGS_RELEASE": "-O2",
    "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",  # else the build downloads it
}


def python(folder: Path = PYTHON_FOLDER) -> Path | None:
    """The Python of the environment where llama-cpp-python is installed as pinned."""
    return _there(folder, "bin/python", STAMP)


def server(folder: Path = FOLDER) -> Path | None:
    """llama.cpp's own server, where it is built as pinned."""
    return _there(folder, "llama-server", SERVER_STAMP)


def _there(folder: Path, command: str, mark: str) -> Path | None:
    return folder / command if (folder / command).exists() and is_installed(folder, PINS, mark) else None


def make_python(folder: Path = PYTHON_FOLDER) -> Path:
    """The environment's Python, made where it is missing or pinned otherwise. Raises PeerMissing."""
    ready = python(folder)
    if ready is not None:
        return ready
    options = " ".join(f"-D{name}={value}" for name, value in _processor().items())
    command = installed(folder, PINS, "llama-cpp-python", more={"CMAKE_ARGS": options})
    stamp(folder, PINS)
    return command


def make_server(folder: Path = FOLDER) -> Path:
    """The server's command, built where it is missing or pinned otherwise. Raises PeerMissing."""
    ready = server(folder)
    if ready is not None:
        return ready
    if shutil.which("cmake") is None:
        raise PeerMissing("llama.cpp is built with cmake and a C++ compiler: install them first")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="llama-") as scratch:
        source, build = _source(Path(scratch)), Path(scratch) / "build"
        options = [f"-D{name}={value}" for name, value in {**_PARTS, **_processor()}.items()]
        ran(["cmake", "-S", str(source), "-B", str(build), *options], "llama.cpp could not be configured")
        jobs = str(os.cpu_count() or 1)
        ran(["cmake", "--build", str(build), "--target", "llama-server", "-j", jobs], "llama.cpp could not be built")
        shutil.copy2(build / "bin" / "llama-server", folder / "llama-server")
    stamp(folder, PINS, SERVER_STAMP)
    return folder / "llama-server"


def _source(scratch: Path) -> Path:
    """The tree of llama.cpp that lies in the source distribution."""
    wanted = _requirement()
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "-d", str(scratch)]
    ran([sys.executable, "-m", "pip", "download", *options, wanted], f"{wanted} could not be had")
    archive = next(iter(scratch.glob("*.tar.gz")), None)
    if archive is None:
        raise PeerMissing(f"{wanted} has no source distribution")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, members=_vendored(packed), filter="data")
    return next(scratch.glob("*/vendor/llama.cpp"))


def _requirement() -> str:
    lines = (line.strip() for line in PINS.read_text().splitlines())
    return next(line for line in lines if line.startswith("llama-cpp-python")).replace("[server]", "")


def _vendored(packed: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (member for member in packed.getmembers() if "/vendor/llama.cpp/" in member.name)


def _processor() -> Mapping[str, str]:
    """Options for this processor; its makers' defaults where the system does not tell what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    known = {f"GGML_{name}": "ON" for flag, name in _SETS.items() if flag in flags}
    return {"GGML_NATIVE": "OFF", **known} if known else {}


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    return making(make_python if "--python" in arguments else make_server)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
