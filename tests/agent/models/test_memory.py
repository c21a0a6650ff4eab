"""The estimator against models that were built, and against what was measured of the 27B."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.errors import ModelError
from agent.models.medgemma import VARIANTS
from agent.models.memory import GIB, Plan, check, estimate, gib, kv_bytes

LARGE, SMALL, TEXT = (VARIANTS[name].shape for name in ("medgemma-27b-it", "medgemma-4b-it", "medgemma-27b-text-it"))


def test_the_27b_is_as_large_as_it_was_measured_to_be() -> None:
    assert LARGE.parameters / 1e9 == pytest.approx(27.4, abs=0.05)
    assert estimate(LARGE, Plan()).weights / 1e9 == pytest.approx(54.9, abs=0.05)


@pytest.mark.parametrize(("tokens", "expected"), [(8192, 1.0), (32_768, 2.9), (131_072, 10.4)])
def test_the_cache_of_the_27b(tokens: int, expected: float) -> None:
    assert kv_bytes(LARGE, tokens) / GIB == pytest.approx(expected, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_weights_are_those_of_the_real_classes(name: str) -> None:
    """Built on the meta device, where nothing is allocated: every parameter, and those that bitsandbytes makes less."""
    torch, hf = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config, of = VARIANTS[name].config, VARIANTS[name].shape
    with torch.device("meta"):
        if "vision_config" in config:
            vision = hf.SiglipVisionConfig(**config["vision_config"], vision_use_head=False)
            text = hf.Gemma3TextConfig(**config["text_config"])
            model = hf.Gemma3ForConditionalGeneration(hf.Gemma3Config(text_config=text, vision_config=vision))
        else:
            model = hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(**config))
    whole = ("vision_tower", "multi_modal_projector", "lm_head")
    linear = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and not any(w in n for w in whole)]
    assert sum(p.numel() for p in model.parameters()) == of.parameters
    assert sum(m.weight.numel() for m in linear) == of.dense
    assert model.config.get_text_config().layer_types.count("full_attention") == of.full


def test_a_sliding_layer_keeps_its_window_and_no_more() -> None:
    within, beyond = kv_bytes(LARGE, 1024), kv_bytes(LARGE, 2048)
    assert within == 1024 * kv_bytes(LARGE, 1)
    assert beyond - within == 1024 * 2 * LARGE.full * LARGE.kv_heads * LARGE.head_dim * 2
    assert LARGE.full == 10


def test_what_quantization_saves() -> None:
    """About 20 GB for the 27B in 4 bits, by its makers."""
    four, eight, whole = (estimate(LARGE, Plan(precision=p)).weights / 1e9 for p in ("4bit", "8bit", "bf16"))
    assert 15 < four < 20 < eight < 32 < whole
    assert estimate(SMALL, Plan(precision="fp32")).weights == 2 * estimate(SMALL, Plan()).weights


def test_images_cost_weights() -> None:
    assert (LARGE.image_tokens, TEXT.image_tokens) == (256, 0)
    assert (LARGE.parameters - TEXT.parameters) / 1e9 == pytest.approx(0.42, abs=0.01)


def test_what_is_kept_and_how_many_are_asked_counts() -> None:
    plan = Plan(batch=4, prefixes=GIB)
    need = estimate(LARGE, plan)
    assert need.total == need.weights + need.cache + need.prefixes + need.work
    assert need.cache == 4 * kv_bytes(LARGE, plan.context) and need.prefixes == GIB
    assert estimate(LARGE, Plan(context=131_072)).work > estimate(LARGE, Plan()).work


def test_what_fits_is_told_as_it_is() -> None:
    assert check(LARGE, Plan(), 80 * GIB, "GPU 0") == estimate(LARGE, Plan())


@pytest.mark.parametrize(
    ("plan", "free", "remedy"),
    [
        (Plan(batch=4), 56, "one question at once would fit"),
        (Plan(), 45, "8bit weights would fit"),
        (Plan(prefixes=40 * GIB), 80, "no kept prefixes would fit"),
        (Plan(batch=4, prefixes=2 * GIB), 24, "4bit weights, no kept prefixes would fit"),
        (Plan(context=131_072), 66, "a context of 32768 tokens would fit"),
        (Plan(precision="4bit", context=131_072), 24, "a context of 32768 tokens would fit"),
        (Plan(), 12, "even 4bit weights need 16.6 GiB: use a smaller variant"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(plan: Plan, free: int, remedy: str) -> None:
    with pytest.raises(ModelError, match=f"GPU 0 has {free}.0 GiB free") as caught:
        check(LARGE, plan, free * GIB, "GPU 0")
    assert remedy in str(caught.value)


def test_a_bigger_window_than_the_context_keeps_all() -> None:
    assert kv_bytes(replace(SMALL, window=10**6), 5000) == 5000 * kv_bytes(SMALL, 1)


@pytest.mark.parametrize(("number", "told"), [(GIB, "1.0"), (54.94 * GIB, "54.9"), (GIB // 100, "0.010")])
def test_bytes_are_told_in_gib(number: float, told: str) -> None:
    assert gib(number) == told
