"""Silence of the client's loggers during a call of ours: at debug they tell whole requests, prompt and key included."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["quiet", "watch"]

_LIBRARIES = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
_CALLING: ContextVar[bool] = ContextVar("_CALLING", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Let none of their log lines out, in this task and those it starts. Other clients of the process go on logging."""
    token = _CALLING.set(True)
    try:
        yield
    finally:
        _CALLING.reset(token)


def watch() -> None:
    """Put the filter on every logger that these libraries have by now: a filter does not reach a logger's children."""
    for name in (*_LIBRARIES, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_outside)  # a filter that is there already is not added again


def _outside(record: logging.LogRecord) -> bool:
    return not _CALLING.get()
