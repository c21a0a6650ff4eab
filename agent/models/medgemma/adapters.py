"""A LoRA adapter beside the weights: what is known of it before it is loaded, and whether it is of these weights."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import UserError
from agent.models.medgemma.variants import Weights

__all__ = ["CARD", "Adapter", "adapter", "attached", "quiet"]

CARD = "card.json"
"""What `chartline adapt train` tells of an adapter, beside peft's own two files."""
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter's folder. `base` and `revision` are the weights it was trained on, empty where nothing tells them.

    `place` is the Hub id or folder of those weights; `sha256` is of the adapter's own weights, `size` their bytes.
    """

    folder: Path
    name: str
    sha256: str
    size: int
    base: str = ""
    place: str = ""
    revision: str = ""

    def refuse_other(self, weights: Weights, revision: str) -> None:
        """Raises UserError where the weights are others than those that the adapter was trained on."""
        if self.base and self.base != weights.name:
            raise UserError(
                f"the adapter {self.name!r} was trained on {self.base}, not on {weights.name}: use that model"
            )
        if self.revision and revision and self.revision != revision:
            raise UserError(
                f"the adapter {self.name!r} was trained on revision {self.revision} of {self.base}, not on {revision}: "
                "set CHARTLINE_MODEL_REVISION to that one"
            )


def adapter(folder: Path) -> Adapter:
    """What a folder holds. Raises UserError where it is no adapter."""
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {str(folder)!r}: an adapter is the folder that `chartline adapt train` wrote"
        )
    missing = next((name for name in (_CONFIG, _WEIGHTS) if not (folder / name).is_file()), None)
    if missing:
        why = "its training has not ended" if (folder / "checkpoints").is_dir() else f"there is no {missing} in it"
        raise UserError(f"{str(folder)!r} holds no adapter: {why}")
    told = _card(folder)
    weights = (folder / _WEIGHTS).read_bytes()
    return Adapter(
        folder=folder,
        name=folder.resolve().name,
        sha256=hashlib.sha256(weights).hexdigest(),
        size=len(weights),
        base=str(told.get("base") or ""),
        place=str(told.get("place") or ""),
        revision=str(told.get("revision") or ""),
    )


def _card(folder: Path) -> dict[str, Any]:
    """The card that came with it; an adapter of other makers has none."""
    try:
        told = json.loads((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"the {CARD} of the adapter {folder.name!r} cannot be read: copy the folder again") from error
    return told if isinstance(told, dict) else {}


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings that are for peft and trl: what they ask transformers 5 for has other names in 6."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`\w+` is deprecated and will be removed in v6", FutureWarning)
        yield


def attached(model: Any, of: Adapter) -> Any:
    """The model with the adapter's layers in it, beside weights that stay as they are. Raises UserError."""
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        # Only the layers are wanted, not the wrapper: the loop goes on to see the class that it knows.
        with quiet():
            return PeftModel.from_pretrained(model, str(of.folder)).get_base_model().eval()
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(
            f"the adapter {of.name!r} does not fit these weights, or its files are broken ({type(error).__name__}): "
            "use the model that it was trained on, or copy the adapter again"
        ) from error
