"""`chartline service key`, and who `chartline serve` lets in from elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent import cli


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARTLINE_SERVICE_KEYS", str(tmp_path / "keys.json"))
    return tmp_path / "keys.json"


def main(arguments: list[str]) -> object:
    """The exit code of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chartline", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code


def test_a_key_is_made_listed_and_taken_back(capsys: pytest.CaptureFixture[str], keys: Path) -> None:
    assert main(["service", "key", "add", "bot", "--patient", "p1"]) == 0
    made = capsys.readouterr()
    assert made.out.startswith("clk_")
    assert made.out.strip() not in keys.read_text() + made.err
    assert main(["service", "key", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["patient"], sorted(row)) for row in rows] == [
        ("bot", "p1", ["created", "id", "name", "patient"])
    ]
    assert main(["service", "key", "list"]) == 0
    assert "bot" in capsys.readouterr().out
    assert main(["service", "key", "remove", rows[0]["id"]]) == 0
    assert main(["service", "key", "list"]) == 0
    assert "there are no keys" in capsys.readouterr().err


def test_what_cannot_be_done_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "key", "remove", "bot"]) == 1
    assert main(["service", "key", "add", "bot", "-p", "a/b"]) == 1
    assert "there is no key 'bot'" in capsys.readouterr().err


def test_other_machines_are_not_served_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0"]) == 1
    assert "chartline service key add NAME" in capsys.readouterr().err
