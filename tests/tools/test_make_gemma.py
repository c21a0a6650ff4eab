"""The converter of the small real Gemma: what it refuses, and that it does its work once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.peers.make_gemma import convert, main


@pytest.mark.parametrize("arguments", [[], ["one"], ["nowhere.gguf", "folder"], ["a", "b", "c"]])
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: python -m tools.peers.make_gemma" in capsys.readouterr().err


def test_what_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gguf, place = tmp_path / "small.gguf", tmp_path / "models" / "small"
    gguf.write_bytes(b"no weights")
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    assert convert(gguf, tmp_path / "models") == place
    assert main([str(gguf), str(tmp_path / "models")]) == 0
    assert capsys.readouterr().out == f"{place}\n"
