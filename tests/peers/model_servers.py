"""Real model servers with a small real model, each started when it is first wanted and stopped with the tests."""

from __future__ import annotations

import atexit
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.models.base import ChatModel
from agent.models.openai_compatible import OpenAICompatible
from tools.peers import running_model
from tools.peers.pinned import PeerMissing

__all__ = ["SMALL", "TINY", "llama_cpp", "llama_cpp_python", "tiny", "url_of", "vllm"]

SMALL, TINY = "gemma3-270m", "tiny-gemma"
_STACK = ExitStack()
_RUNNING: dict[tuple[str, str], str] = {}
atexit.register(_STACK.close)


def url_of(start: Callable[[Path], AbstractContextManager[str]], model: str = SMALL) -> str:
    """The base URL of the running server; the test is skipped where it, or the model, is not on this machine.

    Continuous integration installs the servers for which the tests make the model themselves: there it fails.
    """
    name = (start.__name__, model)
    if name not in _RUNNING:
        try:
            _RUNNING[name] = _STACK.enter_context(start(tiny() if model == TINY else running_model.weights(model)))
        except PeerMissing as error:
            if model == TINY and os.environ.get("CI"):
                pytest.fail(f"continuous integration runs without its peer: {error}")
            pytest.skip(str(error))
    return _RUNNING[name]


@cache
def tiny() -> Path:
    """The folder of a tiny random multimodal Gemma 3, as vLLM reads it; skipped without the extra."""
    pytest.importorskip("transformers")
    from tools.peers.tiny_gemma import for_vllm

    return for_vllm(Path(_STACK.enter_context(TemporaryDirectory(prefix="tiny-"))) / TINY)


@asynccontextmanager
async def vllm() -> AsyncIterator[ChatModel]:
    """The client in front of vLLM with the configuration that is shipped."""
    async with OpenAICompatible(url_of(running_model.vllm, TINY)) as model:
        yield model


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
