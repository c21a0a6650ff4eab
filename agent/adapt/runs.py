"""The folder of an adapter: while it is trained its checkpoints, when it is done the adapter and its card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.adapt.recipe import Recipe
from agent.errors import UserError
from agent.models.medgemma.adapters import CARD

__all__ = ["AdapterCard", "Loss", "Run", "losses_of", "read_adapter_card"]

_RUN, _CHECKPOINTS, _README = "run.json", "checkpoints", "README.md"
# The last file that a checkpoint is given: without it a kill fell into the writing.
_LAST = "trainer_state.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Loss(_Frozen):
    """Nats per token of replies at a step: of the rows learnt since the last report, of those held out, or both."""

    step: int
    train: float | None = None
    held_out: float | None = None


class AdapterCard(_Frozen):
    """What an adapter is. `base` is the name of the weights, `place` their Hub id or folder, `revision` the commit.

    `dataset` is the hash of the rows, `too_long` counts those over the context, which were left out.
    """

    base: str
    place: str
    revision: str
    dataset: str
    recipe: Recipe
    rows: int
    held_out_rows: int
    too_long: int
    trained: int
    parameters: int
    steps: int
    seconds: float
    losses: tuple[Loss, ...]
    packages: dict[str, str]


class Run:
    """A training run in its folder. Raises UserError where the folder holds something else, or another run."""

    def __init__(self, folder: Path, recipe: Recipe, dataset: str) -> None:
        self.folder, self.dataset, self._recipe = folder, dataset, recipe
        if (folder / CARD).is_file():
            raise UserError(f"{str(folder)!r} holds an adapter already: give another --out, or remove it first")
        self._settle()
        self.checkpoints = folder / _CHECKPOINTS

    def _settle(self) -> None:
        begun = self.folder / _RUN
        if begun.is_file():
            self._compare(begun)
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(f"{str(self.folder)!r} is not empty and holds no training run: give another --out")
        else:
            self._begin(begun)

    def _begin(self, begun: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            told = {"dataset": self.dataset, "recipe": self._recipe.model_dump(mode="json")}
            begun.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write into {str(self.folder)!r}: {error.strerror}") from error

    def _compare(self, begun: Path) -> None:
        """What is gone on with has to be what was begun, or the adapter is of nothing that could be told."""
        try:
            told = json.loads(begun.read_text("utf-8"))
            dataset, recipe = str(told["dataset"]), Recipe.model_validate(told["recipe"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{str(begun)!r} cannot be read: remove {str(self.folder)!r} and begin anew") from error
        other = self._recipe.differs(recipe) + (() if dataset == self.dataset else ("another dataset",))
        if other:
            raise UserError(
                f"{str(self.folder)!r} holds a run with {'; '.join(other)}: "
                "give the same options to go on with it, or another --out"
            )

    def last(self) -> tuple[Path, int] | None:
        """The newest checkpoint that is whole, and its step."""
        found = sorted(
            (int(path.name.rpartition("-")[2]), path)
            for path in self.checkpoints.glob("checkpoint-*")
            if path.name.rpartition("-")[2].isdecimal() and _whole(path)
        )
        return (found[-1][1], found[-1][0]) if found else None

    def finish(self, card: AdapterCard) -> None:
        """Write the card, and let go of what was only there to go on from."""
        (self.folder / _README).write_text(_readable(card), encoding="utf-8")
        (self.folder / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        (self.folder / _RUN).unlink(missing_ok=True)


def _whole(checkpoint: Path) -> bool:
    try:
        state: Any = json.loads((checkpoint / _LAST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(state, dict)


def _readable(card: AdapterCard) -> str:
    held = [loss for loss in card.losses if loss.held_out is not None]
    rows = "".join(f"| {loss.step} | {loss.held_out:.4f} |\n" for loss in held)
    recipe = ", ".join(f"{name} {value}" for name, value in card.recipe.model_dump().items() if value is not None)
    return (
        f"# An adapter for {card.base}\n\n"
        f"LoRA layers for {card.base} ({card.place}{', revision ' + card.revision if card.revision else ''}), trained "
        f"with `chartline adapt train` on {card.rows} rows (dataset sha256 `{card.dataset}`), {card.steps} steps in "
        f"{card.seconds:.0f} s. The vision tower and the base weights are as they were.\n\n"
        f"It was made of charts: treat it as you treat them.\n\nSettings: {recipe}.\n\n"
        f"| step | held-out loss, nats per token of a reply |\n|---|---|\n{rows}\n"
        f"Use: `CHARTLINE_MODEL={card.recipe.model} CHARTLINE_MODEL_ADAPTER=<this folder>`.\n"
    )


def read_adapter_card(folder: Path) -> AdapterCard:
    """The card of an adapter that `chartline adapt train` made. Raises UserError where there is none."""
    try:
        return AdapterCard.model_validate_json((folder / CARD).read_bytes())
    except OSError as error:
        raise UserError(f"{str(folder)!r} holds no adapter of chartline: there is no {CARD} in it") from error
    except ValidationError as error:
        raise UserError(f"{str(folder / CARD)!r} is no card of an adapter: train it anew") from error


def losses_of(history: Sequence[dict[str, Any]]) -> tuple[Loss, ...]:
    """The losses in a trainer's log, one for each step that has any."""
    found: dict[int, dict[str, float]] = {}
    for row in history:
        for name, field in (("loss", "train"), ("eval_loss", "held_out")):
            if name in row:
                found.setdefault(int(row.get("step", 0)), {})[field] = round(float(row[name]), 5)
    return tuple(Loss(step=step, **values) for step, values in sorted(found.items()))
