"""How likely a label is, from the encoder's own sigmoid, and a correction of it that labelled images teach.

The sigmoid is SigLIP's (Zhai et al. 2023, section 3.2): it says how likely a text is the one of an image, among those
of its training, which is not how likely a finding is. A slope and an offset for each label put that right (Platt 1999;
temperature scaling, Guo et al. 2017, is the slope alone), fitted on images whose labels are known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UserError
from agent.vision.medsiglip.model import EncoderCard

__all__ = ["Calibration", "Curve", "brier", "fit", "read_calibration", "sigmoid", "write_calibration"]

_FEWEST = 5
"""Images with a label, and without it, that a slope is fitted from; below it nothing is."""
_STEPS = 100
_PULL = 0.1
"""How strongly slope and offset are held near 1 and 0, so that few images, or a clean cut, do not make them endless."""

Name = Annotated[str, Field(min_length=1, max_length=120)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Curve(BaseModel):
    """sigmoid(`slope` * logit + `offset`) for one label, from `present` images with it and `absent` without.

    `before` and `after` are Brier scores on those same images (0 best, 0.25 a coin): how well it fits, not how well it
    will do on others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slope: Finite
    offset: Finite
    present: int = Field(ge=0)
    absent: int = Field(ge=0)
    before: Finite
    after: Finite

    def probability(self, logit: float) -> float:
        """How likely the label is, by its corrected sigmoid."""
        return sigmoid(self.slope * logit + self.offset)


class Calibration(BaseModel):
    """The curves of labels for one model: another revision's logits mean something else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name
    revision: Name
    curves: dict[Name, Curve]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    logit: float
    target: float


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))


def fit(logits: Sequence[float], truths: Sequence[bool]) -> Curve:
    """The curve that fits these images best. Raises UserError for fewer than five with and five without the label.

    Logistic regression by Newton's method, towards Platt's targets ((n + 1)/(n + 2) and 1/(m + 2) in place of 1 and 0).
    """
    present = sum(truths)
    absent = len(truths) - present
    if len(logits) != len(truths) or min(present, absent) < _FEWEST:
        raise UserError(
            f"{present} images with the label and {absent} without teach too little; give {_FEWEST} of each or more"
        )
    high, low = (present + 1) / (present + 2), 1 / (absent + 2)
    cases = [_Case(logit=x, target=high if y else low) for x, y in zip(logits, truths, strict=True)]
    slope, offset = _newton(cases)
    return Curve(
        slope=slope,
        offset=offset,
        present=present,
        absent=absent,
        before=round(brier([sigmoid(x) for x in logits], truths), 4),
        after=round(brier([sigmoid(slope * x + offset) for x in logits], truths), 4),
    )


def _newton(cases: Sequence[_Case]) -> tuple[float, float]:
    slope, offset = 1.0, 0.0
    loss = _loss(cases, slope, offset)
    for _ in range(_STEPS):
        step = _step(cases, slope, offset)
        # shortened until it leads downhill: far from the best place Newton's own step overshoots
        for _ in range(40):
            new = slope - step[0], offset - step[1]
            if (found := _loss(cases, *new)) <= loss:
                break
            step = step[0] / 2, step[1] / 2
        else:
            break
        done = abs(loss - found) < 1e-12
        (slope, offset), loss = new, found
        if done:
            break
    return slope, offset


def _loss(cases: Sequence[_Case], slope: float, offset: float) -> float:
    held = _PULL / 2 * ((slope - 1) ** 2 + offset**2)
    return held + math.fsum(_entropy(slope * c.logit + offset, c.target) for c in cases)


def _entropy(value: float, target: float) -> float:
    """Cross entropy of a target and sigmoid(value), without overflow."""
    return max(value, 0) - value * target + math.log1p(math.exp(-abs(value)))


def _step(cases: Sequence[_Case], slope: float, offset: float) -> tuple[float, float]:
    """Newton's step: the gradient through the inverse of the 2 × 2 matrix of second derivatives."""
    g0, g1, a, b, d = _PULL * (slope - 1), _PULL * offset, _PULL, 0.0, _PULL
    for case in cases:
        said = sigmoid(slope * case.logit + offset)
        wrong, weight = said - case.target, said * (1 - said)
        g0, g1 = g0 + wrong * case.logit, g1 + wrong
        a, b, d = a + weight * case.logit**2, b + weight * case.logit, d + weight
    root = a * d - b * b
    return (d * g0 - b * g1) / root, (a * g1 - b * g0) / root


def brier(said: Sequence[float], truths: Sequence[bool]) -> float:
    """The mean squared distance of what was said from what is (Brier 1950)."""
    return math.fsum((p - y) ** 2 for p, y in zip(said, truths, strict=True)) / len(truths)


def write_calibration(path: Path, card: EncoderCard, curves: Mapping[str, Curve]) -> None:
    """Save the curves with the model that they are of. Raises UserError where the file cannot be written."""
    made = Calibration(model=card.name, revision=card.revision, curves=dict(sorted(curves.items())))
    try:
        path.write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from error


def read_calibration(path: Path, card: EncoderCard) -> Calibration:
    """The saved curves. Raises UserError where there are none, or where they are of another model or revision."""
    try:
        made = Calibration.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, ValidationError) as error:
        raise UserError(f"{str(path)!r} is no calibration; `chartline images calibrate` writes one") from error
    if made.revision != card.revision:
        raise UserError(
            f"{str(path)!r} calibrates {made.model} {made.revision}, and this is {card.name} {card.revision}: "
            "calibrate anew with this model"
        )
    return made
