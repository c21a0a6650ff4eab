"""Calibration: what is fitted, what is refused, what is saved."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UserError
from agent.vision.calibration import brier, fit, read_calibration, sigmoid, write_calibration
from agent.vision.medsiglip.model import EncoderCard

CARD = EncoderCard(name="tiny", revision="abc", width=4, size=28, scale=10.0, bias=-3.0)


def drawn(slope: float, offset: float, number: int = 800) -> tuple[list[float], list[bool]]:
    luck = random.Random(4)
    logits = [luck.gauss(-4, 3) for _ in range(number)]
    return logits, [luck.random() < sigmoid(slope * x + offset) for x in logits]


def test_the_curve_that_made_the_labels_is_found() -> None:
    logits, truths = drawn(1.5, 4.0)
    curve = fit(logits, truths)
    assert curve.slope == pytest.approx(1.5, abs=0.35) and curve.offset == pytest.approx(4.0, abs=0.9)
    assert curve.after < curve.before
    other, truly = drawn(1.5, 4.0, 1600)
    held_out, truth = other[800:], truly[800:]
    assert brier([curve.probability(x) for x in held_out], truth) < brier([sigmoid(x) for x in held_out], truth)


def test_a_clean_cut_of_few_images_stays_modest() -> None:
    curve = fit([-5.0, -4.8, -4.5, -4.4, -4.0, 3.0, 3.1, 3.5, 3.8, 4.0], [False] * 5 + [True] * 5)
    assert 0.02 < curve.probability(-5.0) < 0.3 and 0.7 < curve.probability(4.0) < 0.98


@pytest.mark.parametrize("truths", [[True] * 10, [True] * 6 + [False] * 4])
def test_too_few_are_refused(truths: list[bool]) -> None:
    with pytest.raises(UserError, match="give 5 of each"):
        fit([0.0] * 10, truths)


@given(st.lists(st.floats(-1e4, 1e4), min_size=10, max_size=30), st.randoms(use_true_random=False))
def test_whatever_comes_the_curve_is_finite(logits: list[float], luck: random.Random) -> None:
    truths = [True] * 5 + [False] * 5 + [luck.random() < 0.5 for _ in logits[10:]]
    curve = fit(logits, truths)
    assert math.isfinite(curve.slope) and math.isfinite(curve.offset)
    assert all(0 <= curve.probability(x) <= 1 for x in logits)


def test_saved_curves_are_of_one_model(tmp_path: Path) -> None:
    curve = fit(*drawn(1, 2))
    write_calibration(tmp_path / "c.json", CARD, {"effusion": curve})
    assert read_calibration(tmp_path / "c.json", CARD).curves == {"effusion": curve}
    other = EncoderCard(name="tiny", revision="def", width=4, size=28, scale=10.0, bias=-3.0)
    with pytest.raises(UserError, match="calibrate anew"):
        read_calibration(tmp_path / "c.json", other)


@pytest.mark.parametrize("text", ["", "{}", '{"model": "m", "revision": "r", "curves": {"x": {}}}', "no"])
def test_what_is_no_calibration_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(UserError, match="is no calibration"):
        read_calibration(tmp_path / "c.json", CARD)
    with pytest.raises(UserError, match="cannot read"):
        read_calibration(tmp_path / "none.json", CARD)
