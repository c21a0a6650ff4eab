"""The bench of the transformers backend: where it is skipped, what it asks, and what it hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.models.scripted import Scripted
from benchmarks import bench_model
from benchmarks.bench_model import THREADS, Listening, folder_of, threads
from fhir_tools import demo
from tests.agent.models import obedient


def test_it_is_skipped_with_a_word_where_the_weights_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHARTLINE_TEST_MODELS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["bench_model"])
    bench_model.main()
    assert "skipped: " in capsys.readouterr().out
    monkeypatch.setattr(bench_model, "_EXTRA", ("no_such_package",))
    assert folder_of("gemma3-270m") is None
    assert "pip install 'chartline[medgemma]'" in capsys.readouterr().out


def test_the_folder_is_the_one_with_a_model_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_TEST_MODELS", str(tmp_path))
    monkeypatch.setattr(bench_model, "_EXTRA", ())
    (tmp_path / "m").mkdir()
    assert folder_of("m") is None
    (tmp_path / "m" / "config.json").write_text("{}")
    assert folder_of("m") == tmp_path / "m"


async def test_threads_give_the_first_calls_of_two_questions_that_share_a_beginning() -> None:
    pairs = await threads(Scripted(obedient.answer))
    assert len(pairs) == sum(map(len, THREADS.values())) and set(THREADS) == set(demo.patients())
    for (one, _), (two, done) in pairs:
        assert one.messages[0] == two.messages[0] and one.messages[1].parts[0] == two.messages[1].parts[0]
        assert one.messages[1].parts[-1] != two.messages[1].parts[-1]
        assert 0 < done.used.cached < done.used.prompt


async def test_what_is_asked_is_heard_with_the_bound_it_was_given() -> None:
    listening = Listening(Scripted(obedient.answer), 7)
    pairs = await threads(listening)
    assert len(listening.heard) >= 2 * len(pairs)
    assert {request.tokens for request, _ in listening.heard} == {7}
