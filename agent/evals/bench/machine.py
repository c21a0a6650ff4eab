"""The machine that a bench runs on, in the words that tell it from another one; no names, no addresses."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.evals.bench.figures import Machine

__all__ = ["here"]

_TELLING = ("torch", "transformers", "bitsandbytes", "llguidance", "openai")
_CPUINFO = Path("/proc/cpuinfo")


def here(gpus: tuple[str, ...] = ()) -> Machine:
    """This machine; its GPUs are known to whoever loaded a model there."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        processor=_processor(),
        cores=_cores(),
        memory=_memory(),
        gpus=gpus,
        packages={name: found for name in _TELLING if (found := _version(name))},
    )


def _processor() -> str:
    """Linux tells the processor's name in a file alone."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def _cores() -> int:
    """Those that this process may use, which a container or a job scheduler can bound."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
