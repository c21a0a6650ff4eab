"""The looks that a process of the service takes at its database every so often, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

__all__ = ["DAY", "PRUNE", "looks"]

DAY = 86_400.0
"""Seconds."""
PRUNE = 3600.0
"""Seconds between looks for what is old enough to be deleted."""
_log = logging.getLogger(__name__)


async def looks(
    look: Callable[[], Awaitable[None]],
    prune: Callable[[], Awaitable[None]],
    *,
    wake: asyncio.Event,
    seconds: float,
    what: str,
) -> None:
    """Take a look every so many seconds, and at once when woken; delete what is old once in `PRUNE` seconds.

    It never ends of itself: a look that fails is told in the log (`what` names the rows), and another is taken.
    """
    pruned = -PRUNE
    while True:
        wake.clear()
        try:
            await look()
            if time.monotonic() - pruned > PRUNE:
                pruned = time.monotonic()
                await prune()
        except Exception as error:  # noqa: BLE001  of two databases, each with errors of its own
            _log.warning("the database did not tell of %s (%s)", what, type(error).__name__)
        with suppress(TimeoutError):  # not wait_for, which in Python 3.11 can swallow a cancellation
            async with asyncio.timeout(seconds):
                await wake.wait()
