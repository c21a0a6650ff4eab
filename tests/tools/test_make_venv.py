"""The virtual environment of a fresh machine: what stands in for ensurepip, and what is said when nothing does."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from pathlib import Path

import pytest

from tools import make_venv


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Debian python3 without python3-venv, python3-pip and virtualenv."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("ensurepip", "pip") else real(name))
    monkeypatch.setattr(shutil, "which", lambda name: None)


def pypi(monkeypatch: pytest.MonkeyPatch, body: bytes | None) -> None:
    """PyPI's index with the pinned wheel, whose bytes are `body`, or no network at all."""
    index = json.dumps({"files": [{"filename": make_venv.PIP, "url": "https://files.example/pip.whl"}]}).encode()

    def urlopen(request: object, timeout: float) -> io.BytesIO:
        if body is None:
            raise urllib.error.URLError("no route")
        return io.BytesIO(body if isinstance(request, str) else index)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr(make_venv, "OLDEST", (99, 0))
    assert make_venv.main([str(tmp_path / "v")]) == 1
    assert "Python 99.0 or newer" in capsys.readouterr().err
    assert not (tmp_path / "v").exists()


def test_a_working_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert make_venv.main([str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize("body", [None, b"another wheel"], ids=["offline", "wrong-checksum"])
def test_what_cannot_be_made_leaves_nothing_and_names_the_package(
    bare, body: bytes | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    pypi(monkeypatch, body)
    assert make_venv.main([str(tmp_path / "v")]) == 1
    assert "apt install python3-venv" in capsys.readouterr().err
    assert not (tmp_path / "v").exists()


def test_the_pinned_wheel_is_run_in_the_new_environment(bare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []
    pypi(monkeypatch, b"the wheel")
    monkeypatch.setattr(make_venv, "PIP_SHA256", hashlib.sha256(b"the wheel").hexdigest())
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    assert make_venv.main([str(tmp_path / "v")]) == 0
    assert ran[-1][0] == str(tmp_path / "v" / "bin" / "python")
    assert ran[-1][1].endswith(f"{make_venv.PIP}/pip")


def test_an_environment_without_pip_gets_it_and_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "v"
    venv.create(folder, with_pip=False)
    (folder / "kept").touch()
    asked: list[Path] = []
    monkeypatch.setattr(make_venv, "_add_pip", asked.append)
    assert make_venv.main([str(folder)]) == 0
    assert asked == [folder / "bin" / "python"]
    assert (folder / "kept").exists()
