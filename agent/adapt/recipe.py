"""How an adapter is trained: the weights, the LoRA and the run. What a run that was stopped is compared by."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import MissingExtra, UserError
from agent.models.medgemma.machine import ADAPT, require
from agent.models.medgemma.variants import DEFAULT
from agent.models.memory import Precision

__all__ = ["Recipe", "require_packages"]

_NEEDED = ("peft", "trl", "datasets")


class Recipe(BaseModel):
    """`rank` and `alpha` are LoRA's (Hu et al. 2021), on every matrix of the language model; `rate` is the highest
    learning rate, reached after 3 % of the steps and falling to nothing. A step takes `batch` times `accumulate` rows.

    `steps` bounds the run, 0 leaves that to `epochs`. `context` bounds a row in tokens. A checkpoint is kept, and the
    loss on `watch` of the held-out rows measured, every `save_every` steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT
    revision: str | None = None
    precision: Precision = "bf16"
    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    rate: float = Field(default=2e-4, gt=0, le=1)
    epochs: float = Field(default=2.0, gt=0)
    steps: int = Field(default=0, ge=0)
    batch: int = Field(default=1, ge=1)
    accumulate: int = Field(default=8, ge=1)
    context: int = Field(default=4096, ge=256)
    save_every: int = Field(default=50, ge=1)
    watch: int = Field(default=64, ge=1)
    seed: int = 0

    def differs(self, other: Recipe) -> tuple[str, ...]:
        """The fields in which another recipe is another, as `rank 16, not 8`."""
        mine, its = self.model_dump(), other.model_dump()
        return tuple(f"{name} {its[name]}, not {mine[name]}" for name in mine if mine[name] != its[name])


def require_packages(recipe: Recipe) -> None:
    """Raises MissingExtra where a package of training is not installed, UserError for what cannot be trained."""
    require(recipe.precision)
    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtra("Training an adapter", ADAPT)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it asks for a package that nothing here needs
    if recipe.precision == "8bit":
        raise UserError("adapters are trained on bf16 or 4bit weights: set CHARTLINE_MODEL_PRECISION to one of them")
