from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools.peers import make_llama, running_model
from tools.peers.make_llama import PINS, SERVER_STAMP
from tools.peers.pinned import STAMP, PeerMissing


def test_a_second_run_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for command, stamp in (("bin/python", STAMP), ("llama-server", SERVER_STAMP)):
        (tmp_path / command).touch()
        (tmp_path / stamp).write_bytes(PINS.read_bytes())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it built again"))
    assert make_llama.make_python(tmp_path) == tmp_path / "bin" / "python"
    assert make_llama.make_server(tmp_path) == tmp_path / "llama-server"


def test_other_pins_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "llama-server").touch()
    (tmp_path / SERVER_STAMP).write_text("llama-cpp-python==0.0.1")
    assert make_llama.server(tmp_path) is None


def test_it_is_built_from_the_source_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append([word for word in words if word not in ("nice", "-n", "19")])
        if "download" in words:
            _pack(Path(words[words.index("-d") + 1]))
        if "--build" in words:
            made = Path(words[words.index("--build") + 1]) / "bin" / "llama-server"
            made.parent.mkdir(parents=True)
            made.write_text("built")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert make_llama.make_server(tmp_path).read_text() == "built"
    assert make_llama.server(tmp_path) is not None
    assert ran[0][-1].startswith("llama-cpp-python==") and "-DLLAMA_USE_PREBUILT_UI=OFF" in ran[1]


def _pack(folder: Path) -> None:
    with tarfile.open(folder / "llama_cpp_python.tar.gz", "w:gz") as packed:
        for name in ("x/setup.py", "x/vendor/llama.cpp/CMakeLists.txt"):
            packed.addfile(tarfile.TarInfo(name), io.BytesIO())


def test_what_cannot_be_built_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no compiler")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(PeerMissing, match="no compiler"):
        make_llama.make_server(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PeerMissing, match="cmake"):
        make_llama.make_server(tmp_path)
    assert make_llama.server(tmp_path) is None


def test_weights_are_looked_for_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(running_model.MODELS, str(tmp_path))
    with pytest.raises(PeerMissing, match=r"no small\.gguf"):
        running_model.weights("small")
    (tmp_path / "small.gguf").touch()
    assert running_model.weights("small") == tmp_path / "small.gguf"
