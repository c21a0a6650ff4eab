"""Silence of the HTTP libraries' loggers during a call of ours: httpx tells whole URLs, httpcore headers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["silence"]

_NAMES = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
_CALLING: ContextVar[bool] = ContextVar("_CALLING", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Let none of their log lines out, in this task and those it starts. Other clients of the process go on logging."""
    token = _CALLING.set(True)
    try:
        yield
    finally:
        _CALLING.reset(token)


def _outside(record: logging.LogRecord) -> bool:
    return not _CALLING.get()


for _name in _NAMES:
    logging.getLogger(_name).addFilter(_outside)
