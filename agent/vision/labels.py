"""Zero-shot labels: how well texts fit an image, by MedSigLIP's own sigmoid, corrected where a calibration is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import UserError
from agent.vision.calibration import Calibration, sigmoid
from agent.vision.medsiglip.model import EncoderCard

if TYPE_CHECKING:
    from agent.vision.index import Vectors
    from agent.vision.medsiglip.model import MedSigLIP

__all__ = ["Label", "labelled", "logits"]

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text and how well it fits an image.

    `fit` is the encoder's own sigmoid, which is no probability of a finding; `probability` is that of the calibration,
    None where it has no curve for the label. `picture` is the number, from 0, of the picture that it fits best.
    """

    label: str
    logit: float
    fit: float
    probability: float | None
    picture: int


async def logits(encoder: MedSigLIP, vectors: Vectors, labels: Sequence[str]) -> Mapping[str, list[float]]:
    """For each label its logit with each of the pictures whose vectors are given. Raises UserError for no label."""
    wanted = list(dict.fromkeys(" ".join(label.split()) for label in labels))
    if not wanted or not all(wanted) or len(wanted) > _MOST:
        raise UserError(f"give 1 to {_MOST} labels, each a few words")
    card = await encoder.describe()
    texts = await encoder.texts(wanted)
    cosines = texts @ vectors.T
    return {label: [_logit(card, float(x)) for x in row] for label, row in zip(wanted, cosines, strict=True)}


def _logit(card: EncoderCard, cosine: float) -> float:
    return card.scale * cosine + card.bias


async def labelled(
    encoder: MedSigLIP, vectors: Vectors, labels: Sequence[str], calibration: Calibration | None = None
) -> tuple[Label, ...]:
    """The labels of an image of one or more pictures, the likeliest first: each by the picture that it fits best."""
    found = await logits(encoder, vectors, labels)
    curves = calibration.curves if calibration else {}
    rows = []
    for label, row in found.items():
        best = max(range(len(row)), key=row.__getitem__)
        curve = curves.get(label)
        rows.append(
            Label(
                label=label,
                logit=round(row[best], 4),
                fit=round(sigmoid(row[best]), 6),
                probability=round(curve.probability(row[best]), 4) if curve else None,
                picture=best,
            )
        )
    return tuple(sorted(rows, key=lambda r: (-(r.probability if r.probability is not None else r.fit), r.label)))
