from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fhir_tools.local import LocalStore
from tools import make_venv
from tools.peers import make_medplum, make_sekmet
from tools.peers.make_sekmet import PINS
from tools.peers.pinned import STAMP, PeerMissing
from tools.peers.running import resources_of


def test_a_second_run_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "bin" / "sekmet"
    command.parent.mkdir()
    command.touch()
    (tmp_path / STAMP).write_bytes(PINS.read_bytes())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it installed again"))
    assert make_sekmet.make(tmp_path) == command


def test_other_pins_install_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    command = tmp_path / "bin" / "sekmet"
    command.parent.mkdir()
    command.touch()
    (tmp_path / STAMP).write_text("sekmet-fhir==0.0.1")
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(make_venv, "main", lambda _: 0)
    monkeypatch.setattr(subprocess, "run", lambda *words, **_: ran.append(words[0]) or done)
    make_sekmet.make(tmp_path)
    assert "-r" in ran[0] and (tmp_path / STAMP).read_bytes() == PINS.read_bytes()


def test_what_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no matching distribution")
    monkeypatch.setattr(make_venv, "main", lambda _: 0)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(PeerMissing, match="no matching distribution"):
        make_sekmet.make(tmp_path)
    assert not (tmp_path / STAMP).exists()


def test_without_npm_there_is_no_medplum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(PeerMissing, match="npm"):
        make_medplum.make(tmp_path)


def test_every_current_resource_of_a_store_is_given() -> None:
    store = LocalStore()
    with store.transaction():
        for id_ in ("a", "b"):
            store.put({"resourceType": "Patient", "id": id_})
    assert [r["id"] for r in resources_of(store)] == ["a", "b"]
    store.close()
