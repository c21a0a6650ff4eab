"""What this machine has: the packages, the devices, and what of their memory is free."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent.errors import MissingExtra, UserError
from agent.models.memory import Precision

__all__ = ["ADAPT", "EXTRA", "QUANTIZED", "Held", "device_map", "free", "held", "require", "require_packages"]

EXTRA, QUANTIZED, ADAPT = "medgemma", "quantized", "adapt"
_NEEDED = ("torch", "transformers", "accelerate", "llguidance", "PIL", "psutil")
_CGROUP = Path("/sys/fs/cgroup")


def require(precision: Precision, *, adapted: bool = False) -> None:
    """Raises MissingExtra where a package is not installed, and UserError where two of them don't fit together."""
    require_packages(_NEEDED, "A model in this program", EXTRA)
    if precision in ("4bit", "8bit") and find_spec("bitsandbytes") is None:
        raise MissingExtra(f"A model with {precision} weights", QUANTIZED)
    if adapted and find_spec("peft") is None:
        raise MissingExtra("A model with an adapter", ADAPT)


def require_packages(names: Iterable[str], feature: str, extra: str) -> None:
    """Raises MissingExtra where one of the packages is not installed, UserError for a torchvision of another torch."""
    if any(find_spec(name) is None for name in names):
        raise MissingExtra(feature, extra)
    if find_spec("torchvision") is not None:
        _fitting_torchvision()


def _fitting_torchvision() -> None:
    """A torchvision of another torch breaks the import of Gemma 3; without one, Pillow prepares the images."""
    try:
        importlib.import_module("torchvision")
    except Exception as error:
        raise UserError(
            f"the torchvision that is installed does not fit torch ({type(error).__name__}), and Gemma 3 cannot be "
            "imported beside it: pip uninstall torchvision (it is not needed)"
        ) from error


def device_map(device: str) -> tuple[Any, list[int]]:
    """Where the weights go, for transformers, and the GPUs that this takes.

    `auto` is every GPU, or the CPU where there is none; else `cpu`, `cuda`, `cuda:1`, `mps`. Raises UserError.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not count):
        return {"": "cpu"}, []
    if device == "mps" and torch.backends.mps.is_available():
        return {"": "mps"}, []
    if device == "auto" and count > 1:
        return "auto", list(range(count))
    name, _, index = device.partition(":")
    if name in ("cuda", "auto") and (index or "0").isdecimal() and int(index or 0) < count:
        return {"": int(index or 0)}, [int(index or 0)]
    have = ", ".join(["auto", "cpu", *(f"cuda:{n}" for n in range(count))])
    raise UserError(f"the device {device!r} is not on this machine; there are {have}")


def free(gpus: list[int]) -> tuple[int, str]:
    """Bytes that are free on these GPUs, or in the machine's memory, and what to call that place."""
    if gpus:
        import torch

        what = f"GPU {gpus[0]}" if len(gpus) == 1 else f"the {len(gpus)} GPUs together"
        return sum(torch.cuda.mem_get_info(gpu)[0] for gpu in gpus), what
    import psutil

    return min(int(psutil.virtual_memory().available), _container()), "this machine"


def _container() -> int:
    """What the container that this runs in may still take (cgroup v2); without a limit, no bound."""
    try:
        most = int((_CGROUP / "memory.max").read_text())
        return max(0, most - int((_CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        return 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes: the most of the machine's memory that this process held since it began, and of the GPUs' for tensors;
    None where that is not told. `gpus` are their names."""

    resident: int | None
    gpu: int | None
    gpus: tuple[str, ...]


def held() -> Held:
    """What this process has held at most. GPUs are looked at only where torch is in use."""
    torch = sys.modules.get("torch")
    count = torch.cuda.device_count() if torch and torch.cuda.is_available() else 0
    return Held(
        resident=_resident(),
        gpu=sum(torch.cuda.max_memory_reserved(n) for n in range(count)) if torch and count else None,
        gpus=tuple(str(torch.cuda.get_device_name(n)) for n in range(count)) if torch else (),
    )


def _resident() -> int | None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere (getrusage(2))
