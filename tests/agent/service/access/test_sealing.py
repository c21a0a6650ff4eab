"""The seal: what opens, what does not, and one key for processes that start at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import OperatorError, UserError
from agent.service.access.sealing import Seal


@given(text=st.binary(max_size=99), place=st.text(st.characters(codec="utf-8"), max_size=9), at=st.integers(0))
def test_a_sealed_text_opens_in_its_place_unchanged(
    text: bytes, place: str, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seal = Seal(tmp_path_factory.getbasetemp() / "one.secret")
    sealed = seal.seal(text, place)
    assert seal.open(sealed, place) == text
    assert seal.open(sealed, place + "x") is None
    at %= len(sealed)
    assert seal.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], place) is None
    assert seal.open(sealed[:at], place) is None


def test_another_key_does_not_open(tmp_path: Path) -> None:
    assert Seal(tmp_path / "b").open(Seal(tmp_path / "a").seal(b"x", "p"), "p") is None


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    seals: list[Seal] = []
    made = [threading.Thread(target=lambda: seals.append(Seal(tmp_path / "s" / "secret"))) for _ in range(12)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    sealed = [seal.seal(b"x", "p") for seal in seals]
    assert len(sealed) == 12
    assert all(seal.open(text, "p") == b"x" for seal in seals for text in sealed)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["secret"]
    assert (tmp_path / "s" / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"abc", b"!" * 44, b"YWJj"])
def test_a_file_that_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(UserError, match="is not what chartline made"):
        Seal(tmp_path / "secret")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="CHARTLINE_SERVICE_SECRET"):
        Seal(tmp_path / "file" / "secret")
