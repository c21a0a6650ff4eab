"""An adapter beside the weights: what is refused before anything is loaded, and that it is in use when it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent import reasoning
from agent.errors import MissingExtra, ModelError, UserError
from agent.models.medgemma import MedGemma
from agent.models.medgemma.adapters import adapter
from agent.models.medgemma.machine import require
from agent.models.medgemma.variants import weights
from agent.models.memory import Plan, Training, check, estimate
from agent.settings import Settings


def folder(at: Path, **card: str) -> Path:
    """What looks like an adapter: its files, and a card."""
    at.mkdir(parents=True)
    (at / "adapter_config.json").write_text("{}")
    (at / "adapter_model.safetensors").write_bytes(b"weights")
    if card:
        (at / "card.json").write_text(json.dumps(card))
    return at


def test_a_folder_that_is_no_adapter_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        adapter(tmp_path / "none")
    with pytest.raises(UserError, match=r"no adapter: there is no adapter_config\.json"):
        adapter(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match="its training has not ended"):
        adapter(tmp_path)
    place = folder(tmp_path / "a", base="x")
    (place / "card.json").write_text("{")
    with pytest.raises(UserError, match="copy the folder again"):
        adapter(place)


def test_an_adapter_of_other_weights_is_refused(tmp_path: Path) -> None:
    of = adapter(folder(tmp_path / "ours", base="medgemma-4b-it", place="google/medgemma-4b-it", revision="a" * 40))
    assert (of.name, of.size, len(of.sha256)) == ("ours", 7, 64)
    of.refuse_other(weights("medgemma-4b-it"), "a" * 40)
    of.refuse_other(weights("medgemma-4b-it"), "")
    with pytest.raises(UserError, match="trained on medgemma-4b-it, not on medgemma-27b-it"):
        of.refuse_other(weights("medgemma-27b-it"), "")
    with pytest.raises(UserError, match="CHARTLINE_MODEL_REVISION"):
        of.refuse_other(weights("medgemma-4b-it"), "b" * 40)
    adapter(folder(tmp_path / "theirs")).refuse_other(weights("medgemma-27b-it"), "c")


def test_a_base_model_can_be_asked_with_an_adapter_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there to be adapted"):
        MedGemma("medgemma-4b-pt")
    MedGemma("medgemma-4b-pt", adapter=folder(tmp_path / "ours"))
    MedGemma("medgemma-4b-pt", base=True)


def test_the_setting_is_for_weights_on_this_machine(tmp_path: Path) -> None:
    place = folder(tmp_path / "ours")
    given = Settings(model="medgemma-4b-it", model_adapter=place, audit=None)
    assert isinstance(reasoning.chat_model(given), MedGemma)
    with pytest.raises(UserError, match="--lora-modules"):
        reasoning.chat_model(given.model_copy(update={"model_url": "http://127.0.0.1:1/v1"}))


def test_without_peft_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.models.medgemma.machine.find_spec", lambda name: None if name == "peft" else object())
    monkeypatch.setattr("agent.models.medgemma.machine._fitting_torchvision", lambda: None)
    require("bf16")
    with pytest.raises(MissingExtra, match=r"chartline\[adapt\]"):
        require("bf16", adapted=True)


def test_training_is_reckoned_with_what_it_keeps() -> None:
    of = weights("medgemma-27b-it").variant
    assert of is not None
    plan = Plan(context=4096, training=Training(rank=16))
    need = estimate(of.shape, plan)
    # LoRA of rank 16 on every matrix of 62 layers: 16 x 62 x (the two sides of each of the seven matrices).
    sides = 62 * (2 * (5376 + 32 * 128) + 2 * (5376 + 16 * 128) + 3 * (5376 + 21_504))
    assert need.adapter == 16 * sides * 16
    assert need.cache == 0
    assert 50 < need.weights / 2**30 < 53
    with pytest.raises(ModelError, match="4bit weights would fit"):
        check(of.shape, plan, 32 * 2**30, "GPU 0")
