"""A run's folder: it goes on only with what was begun, from the newest checkpoint that is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.adapt.recipe import Recipe, require_packages
from agent.adapt.runs import AdapterCard, Run, losses_of, read_adapter_card
from agent.errors import MissingExtra, UserError

RECIPE = Recipe(model="medgemma-4b-it", rank=8)


def card() -> AdapterCard:
    return AdapterCard(
        base="medgemma-4b-it", place="google/medgemma-4b-it", revision="", dataset="d", recipe=RECIPE, rows=3,
        held_out_rows=2, too_long=0, trained=5, parameters=9, steps=4, seconds=1.5, packages={},
        losses=losses_of([{"eval_loss": 2.0, "step": 0}, {"loss": 1.5, "step": 2}, {"eval_loss": 1.0, "step": 4}]),
    )  # fmt: skip


def checkpoint(run: Run, step: int, state: str = "{}") -> Path:
    place = run.checkpoints / f"checkpoint-{step}"
    place.mkdir(parents=True)
    (place / "trainer_state.json").write_text(state)
    return place


def test_the_same_run_goes_on_and_another_does_not(tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    Run(out, RECIPE, "d")
    assert Run(out, RECIPE, "d").last() is None
    with pytest.raises(UserError, match="holds a run with rank 8, not 16"):
        Run(out, RECIPE.model_copy(update={"rank": 16}), "d")
    with pytest.raises(UserError, match="another dataset"):
        Run(out, RECIPE, "e")


def test_a_checkpoint_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path / "adapter", RECIPE, "d")
    whole = checkpoint(run, 20)
    checkpoint(run, 100, '{"global_st')
    (run.checkpoints / "checkpoint-200").mkdir()
    (run.checkpoints / "checkpoint-x").mkdir()
    assert run.last() == (whole, 20)


def test_an_adapter_that_is_done_is_not_trained_over(tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    run = Run(out, RECIPE, "d")
    checkpoint(run, 4)
    run.finish(card())
    assert not run.checkpoints.exists()
    assert read_adapter_card(out) == card()
    assert "| 4 | 1.0000 |" in (out / "README.md").read_text()
    with pytest.raises(UserError, match="holds an adapter already"):
        Run(out, RECIPE, "d")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        Run(tmp_path, RECIPE, "d")
    broken = tmp_path / "run"
    Run(broken, RECIPE, "d")
    (broken / "run.json").write_text(json.dumps({"dataset": "d"}))
    with pytest.raises(UserError, match="begin anew"):
        Run(broken, RECIPE, "d")
    with pytest.raises(UserError, match=r"no card\.json"):
        read_adapter_card(broken)


def test_losses_are_those_of_their_steps() -> None:
    told = [(x.step, x.train, x.held_out) for x in card().losses]
    assert told == [(0, None, 2.0), (2, 1.5, None), (4, None, 1.0)]


def test_what_is_missing_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapt.recipe.require", lambda precision: None)
    monkeypatch.setattr("agent.adapt.recipe.find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(MissingExtra, match=r"pip install 'chartline\[adapt\]'"):
        require_packages(RECIPE)
    monkeypatch.setattr("agent.adapt.recipe.find_spec", lambda name: object())
    require_packages(RECIPE)
    with pytest.raises(UserError, match="bf16 or 4bit"):
        require_packages(RECIPE.model_copy(update={"precision": "8bit"}))
