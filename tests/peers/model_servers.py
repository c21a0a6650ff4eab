"""Real model servers with a small real model, each started when it is first wanted and stopped with the tests."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from agent.models.base import ChatModel
from agent.models.openai_compatible import OpenAICompatible
from tools.peers import running_model
from tools.peers.pinned import PeerMissing

__all__ = ["SMALL", "llama_cpp", "llama_cpp_python", "url_of"]

SMALL = "gemma3-270m"
_STACK = ExitStack()
_RUNNING: dict[tuple[str, str], str] = {}
atexit.register(_STACK.close)


def url_of(start: Callable[[Path], AbstractContextManager[str]], model: str = SMALL) -> str:
    """The base URL of the running server; the test is skipped where it, or the model, is not on this machine."""
    name = (start.__name__, model)
    if name not in _RUNNING:
        try:
            _RUNNING[name] = _STACK.enter_context(start(running_model.weights(model)))
        except PeerMissing as error:
            pytest.skip(str(error))
    return _RUNNING[name]


@asynccontextmanager
async def llama_cpp() -> AsyncIterator[ChatModel]:
    """The client in front of llama.cpp's own server."""
    async with OpenAICompatible(url_of(running_model.llama_cpp)) as model:
        yield model


@asynccontextmanager
async def llama_cpp_python() -> AsyncIterator[ChatModel]:
    """The client in front of llama-cpp-python's server."""
    async with OpenAICompatible(url_of(running_model.llama_cpp_python)) as model:
        yield model
