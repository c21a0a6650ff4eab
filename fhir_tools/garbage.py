"""How often Python's garbage collector walks what is kept.

Resources and facts are trees, and go with their last reference; only cycles wait for the collector. As it is set by
default, it walks a chart of ten thousands of resources over and over while they are read: half of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["seldom", "unwatched"]

_YOUNG = 50_000
"""New objects that stay, at which the youngest are walked (700 by default); the older generations as before."""


def seldom() -> None:
    """Let this process collect less often. For programs; a library leaves this to the program that it is in."""
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


@contextmanager
def unwatched() -> Iterator[None]:
    """No collection within, in any thread."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
