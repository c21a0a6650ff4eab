"""Starting a model server on a free port of this machine, waiting until its weights are loaded, and stopping it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.peers import make_llama, make_vllm
from tools.peers.pinned import ROOT, PeerMissing
from tools.peers.running import free_port, running

__all__ = ["MODELS", "VLLM_CONFIG", "llama_cpp", "llama_cpp_python", "transformers_serve", "vllm", "weights"]

START_SECONDS = 120.0
_IMPORTS_SECONDS = 600.0
"""vLLM is up in 40 s on a machine that has nothing else to do."""
VLLM_CONFIG = ROOT / "docs" / "serving" / "vllm.yaml"
_WHOLE = ("--swa-full",)
"""Keeps the whole KV cache of layers with a sliding window: without it Gemma 3 reuses little of a prompt."""
THREADS = 1
"""Two that wait for each other on busy cores take many times as long as one."""
CONTEXT = 4096
MODELS = "CHARTLINE_TEST_MODELS"
"""The variable that names the folder of small real models; they are no part of the project."""


def weights(name: str) -> Path:
    """The file of a small real model, such as `gemma3-270m`. Raises PeerMissing where it is not on this machine."""
    folder = Path(os.environ.get(MODELS) or Path.home() / ".cache" / "chartline-models").expanduser()
    file = folder / f"{name}.gguf"
    if not file.is_file():
        raise PeerMissing(f"no {file.name} in {folder}; {MODELS} names the folder of small real models")
    return file


@contextmanager
def llama_cpp(model: Path, *, context: int = CONTEXT, slots: int = 2, key: str = "") -> Iterator[str]:
    """llama.cpp's own server; its base URL. `context` is of each slot. Raises PeerMissing, RuntimeError."""
    command = _there(make_llama.server(), "")
    port = free_port()
    size = ["-c", str(context * slots), "-np", str(slots), "-t", str(THREADS)]
    arguments = ["-m", str(model), "--host", "127.0.0.1", "--port", str(port), "--jinja", "--no-webui", *_WHOLE, *size]
    whole = [str(command), *arguments, *(["--api-key", key] if key else [])]
    with running(whole, f"http://127.0.0.1:{port}/health", ready=_loaded, seconds=START_SECONDS):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def llama_cpp_python(model: Path, *, context: int = CONTEXT) -> Iterator[str]:
    """llama-cpp-python's server, which serves one request after another. Raises PeerMissing, RuntimeError."""
    python = _there(make_llama.python(), "--python")
    port = free_port()
    size = ["--n_ctx", str(context), "--n_threads", str(THREADS)]
    # By default a second request ends the first one's answer.
    arguments = [
        "--model",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--interrupt_requests",
        "False",
        *size,
    ]
    whole = [str(python), "-m", "llama_cpp.server", *arguments]
    with running(whole, f"http://127.0.0.1:{port}/v1/models", ready=_loaded, seconds=START_SECONDS):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def vllm(model: Path, *, config: Path = VLLM_CONFIG, options: Sequence[str] = ()) -> Iterator[str]:
    """vLLM on the CPU with the configuration that is shipped; its base URL. Raises PeerMissing, RuntimeError.

    `model` is a folder as transformers writes it (`tiny_gemma.for_vllm`), `options` go before the configuration.
    """
    bin_ = _peer(make_vllm.commands())
    port = free_port()
    here = ["--port", str(port), "--served-model-name", model.name, "--enforce-eager"]
    whole = [str(bin_ / "vllm"), "serve", str(model), "--config", str(config), *here, *options]
    with running(whole, f"http://127.0.0.1:{port}/health", ready=_loaded, seconds=_IMPORTS_SECONDS, more=_SILENT):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def transformers_serve(model: Path) -> Iterator[str]:
    """`transformers serve`, which takes a response_format and keeps none; its base URL. Raises as `vllm` does."""
    bin_ = _peer(make_vllm.commands())
    port = free_port()
    whole = [str(bin_ / "transformers"), "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    more = {**_SILENT, "HF_HUB_CACHE": str(model.parent)}  # it lists what lies there, not the model that it serves
    with running(whole, f"http://127.0.0.1:{port}/health", ready=_loaded, seconds=_IMPORTS_SECONDS, more=more):
        yield f"http://127.0.0.1:{port}/v1"


_SILENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": str(THREADS),
}
"""Nothing is told to anybody, one GiB of KV cache, and no core that is bound to one server alone."""


def _peer(made: Path | None) -> Path:
    if made is None:
        raise PeerMissing("vLLM is not installed here; `python -m tools.peers.make_vllm` does that")
    return made


def _there(made: Path | None, option: str) -> Path:
    if made is None:
        raise PeerMissing(f"it is not built here; `python -m tools.peers.make_llama {option}".rstrip() + "` does that")
    return made


def _loaded(status: int) -> bool:
    """503 is said while the weights are loading."""
    return status == 200
