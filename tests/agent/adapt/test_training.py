"""Training, on a tiny random Gemma 3 and made-up patients: what it touches, that it goes on, and that it teaches.

The figures of the last test are of patients that were held out; they are printed (`pytest -s`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.adapt.comparing import Exam, compare
from agent.adapt.dataset import Places, Plan
from agent.adapt.recipe import Recipe
from agent.adapt.rows import read_part
from agent.errors import UserError
from tests.agent.adapt.made import SETTINGS, dataset
from tests.agent.models import tiny

# Without the extra this module is skipped.
for package in ("peft", "trl", "datasets"):
    pytest.importorskip(package)
encoded = pytest.importorskip("agent.adapt.encoding").encoded
Template = pytest.importorskip("agent.models.medgemma.template").Template
train = pytest.importorskip("agent.adapt.training").train

pytestmark = [
    pytest.mark.slow,
    # transformers 5.24 has another name for it, which 5.20 does not know; the backend passes the one that both do.
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning"),
]

KINDS = ("absent", "advice", "needs")
"""Replies of these are short and the same for many patients: what so small a model can learn in a minute."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Multimodal weights whose words are far enough apart to be told from one another."""
    import torch
    from transformers import AutoModelForImageTextToText

    folder = tiny.build(tmp_path_factory.mktemp("weights") / "tiny")
    model = AutoModelForImageTextToText.from_pretrained(folder)
    torch.manual_seed(3)
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Places]:
    folder = tmp_path_factory.mktemp("data")
    places, _ = dataset(folder, 12, Plan(held_out=0.3, per_patient=6, context=4096, kinds=KINDS))
    return folder / "rows", places


def recipe(base: Path, **more: Any) -> Recipe:
    given = {"steps": 4, "accumulate": 1, "save_every": 2, "watch": 2, "rank": 4, "rate": 1e-2, "precision": "fp32"}
    return Recipe.model_validate({"model": str(base), "context": 4096, **given, **more})


def layers(adapter: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(adapter / "adapter_model.safetensors")
    return found


def test_only_replies_are_learnt_and_no_row_is_cut(base: Path, rows: tuple[Path, Places]) -> None:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(base)
    template = Template(processor.tokenizer, processor)
    some = read_part(rows[0], "train")[:6]
    examples, over = encoded(some, template, 4096)
    assert (len(examples), over) == (len(some), 0)
    for row, example in zip(some, examples, strict=True):
        columns = example.columns()
        learnt = [token for token in columns["labels"] if token != -100]
        assert processor.tokenizer.decode(learnt) == f"{row.reply}<end_of_turn>"
        assert tuple(columns["input_ids"][: -len(learnt)]) == template.prompt(row.prompt()).ids
    assert encoded(some, template, min(len(e.ids) for e in examples))[1] >= len(some) - 2


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    base: Path, rows: tuple[Path, Places], tmp_path: Path
) -> None:
    def stop(at: Any) -> None:
        if at.step == 3:
            raise KeyboardInterrupt

    whole = train(rows[0], tmp_path / "whole", recipe(base), device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(rows[0], tmp_path / "stopped", recipe(base), device="cpu", on_step=stop)
    resumed: list[int] = []
    again = train(rows[0], tmp_path / "stopped", recipe(base), device="cpu", on_resume=resumed.append)
    assert resumed == [2]
    assert again.losses[-1].held_out == pytest.approx(whole.losses[-1].held_out, rel=1e-4)
    import torch

    one, other = layers(tmp_path / "whole"), layers(tmp_path / "stopped")
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_the_vision_tower_gets_no_layers(base: Path, rows: tuple[Path, Places], tmp_path: Path) -> None:
    card = train(rows[0], tmp_path / "a", recipe(base, steps=1), device="cpu")
    names = layers(tmp_path / "a")
    assert len(names) == 6 * 7 * 2
    assert all(".language_model.layers." in name for name in names)
    assert card.trained == sum(weight.numel() for weight in names.values())
    with pytest.raises(UserError, match="longer than the context"):
        train(rows[0], tmp_path / "b", recipe(base, context=256), device="cpu")


def test_4bit_weights_learn_also_after_a_loss_was_measured(
    base: Path, rows: tuple[Path, Places], tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    card = train(rows[0], tmp_path / "a", recipe(base, steps=16, save_every=8, precision="4bit"), device="cpu")
    held = [loss.held_out for loss in card.losses if loss.held_out is not None]
    assert held[-1] < held[0] - 1


def test_held_out_patients_are_answered_better(base: Path, rows: tuple[Path, Places], tmp_path: Path) -> None:
    taught = recipe(base, steps=60, save_every=60, rank=16, alpha=32)
    card = train(rows[0], tmp_path / "taught", taught, device="cpu")
    exam = Exam(
        dataset=rows[0], adapter=tmp_path / "taught", places=rows[1], limit=8, tokens=90, seconds=600, device="cpu"
    )
    found = asyncio.run(compare(exam, SETTINGS))
    print(f"\n{card.steps} steps in {card.seconds} s; before {found.before}; after {found.after}")
    assert found.after.loss < found.before.loss / 3
    assert found.after.exact > found.before.exact
    assert found.after.valid >= found.before.valid
    assert found.judged == found.rows
    assert found.after.right is not None
    assert found.after.right >= found.after.exact
    assert found.after.model == f"{base.name} + taught"
