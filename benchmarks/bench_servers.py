"""Whether servers keep every schema, how many requests they take at once, and how much of a prompt they reuse.

    python -m benchmarks.bench_servers --prompts 500 [--only vllm]

The prompts and reply schemas are those of questions over the demo charts (`benchmarks.requests`). vLLM answers with a
tiny random Gemma 3, llama.cpp with the real Gemma 3 270M, a base model that knows no chat: what they say means nothing,
and that it is valid under each schema is the server's doing. What is not on this machine is left out, with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from jsonschema import Draft202012Validator

from agent.errors import ModelError
from agent.models.base import Completion, Request
from agent.models.openai_compatible import OpenAICompatible
from benchmarks.requests import gathered, kinds, shortened
from tools.peers import running_model
from tools.peers.pinned import PeerMissing

AT_ONCE = 8
TOKENS = 2000
"""Of a reply: the tiny model spends one on each character."""


@dataclass(kw_only=True)
class Tally:
    """What came of the prompts of one server."""

    asked: int = 0
    valid: int = 0
    cut: int = 0
    repaired: int = 0
    failed: list[str] = field(default_factory=list)
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    now: int = 0
    most: int = 0

    def take(self, request: Request, done: Completion) -> None:
        self.valid += _is_valid(done.text, request)
        self.cut += done.finish == "length"
        self.repaired += done.used.calls > 1
        self.prompt += done.used.prompt
        self.cached += done.used.cached
        self.completion += done.used.completion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=60, help="how many; the figure wants 500, an hour on two cores")
    parser.add_argument("--only", choices=sorted(SERVERS), help="one server")
    arguments = parser.parse_args()
    requests = [shortened(request, TOKENS) for request in asyncio.run(gathered(arguments.prompts))]
    print(f"{len(requests)} prompts with {kinds(requests)} different schemas\n", flush=True)
    for name, started in SERVERS.items():
        if arguments.only in (None, name):
            _measured(name, started, requests)


def _measured(name: str, started: Callable[[], AbstractContextManager[str]], requests: list[Request]) -> None:
    begun = time.perf_counter()
    try:
        with started() as url:
            up = time.perf_counter() - begun
            hits = _hits(url)
            seconds, tally = asyncio.run(_asked(url, requests))
            _told(name, up, seconds, tally, _hits(url) - hits)
    except PeerMissing as error:
        print(f"{name}: left out: {error}\n", flush=True)


async def _asked(url: str, requests: list[Request]) -> tuple[float, Tally]:
    tally = Tally()
    async with OpenAICompatible(url, at_once=AT_ONCE) as model:
        await model.describe()
        begun = time.perf_counter()
        slots = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(_one(model, request, slots, tally) for request in requests))
    return time.perf_counter() - begun, tally


async def _one(model: OpenAICompatible, request: Request, slots: asyncio.Semaphore, tally: Tally) -> None:
    async with slots:
        tally.now += 1
        tally.most = max(tally.most, tally.now)
        try:
            tally.take(request, await model.complete(request))
        except ModelError as error:
            tally.failed.append(str(error))
        tally.now -= 1
        tally.asked += 1
        if tally.asked % 50 == 0:
            print(f"  {tally.asked} asked, {tally.valid} valid", flush=True)


def _is_valid(text: str, request: Request) -> bool:
    assert request.schema is not None
    try:
        return bool(Draft202012Validator(request.schema).is_valid(json.loads(text)))
    except ValueError:
        return False


def _told(name: str, up: float, seconds: float, tally: Tally, hits: float) -> None:
    rows = (
        ("server up after", "", f"{up:.0f} s"),
        ("valid under the schema", "100 %", f"{tally.valid} of {tally.asked}"),
        ("  cut by the token bound", "", str(tally.cut)),
        ("  asked again", "", str(tally.repaired)),
        ("  failed", "0", str(len(tally.failed))),
        ("most requests in flight", "", str(tally.most)),
        ("prompt tokens", "", f"{tally.prompt:,}"),
        ("  reused, as told with the answers", "", f"{tally.cached / max(1, tally.prompt):.0%}"),
        ("  hits of the prefix cache, as the server counts them", "", f"{hits:,.0f}" if hits else "not told"),
        ("tokens a second, all together", "", f"{tally.completion / seconds:.0f}"),
        ("seconds", "", f"{seconds:.0f}"),
    )
    print(f"{name:<56}{'target':>10}{'measured':>14}")
    for figure, target, measured in rows:
        print(f"{figure:<56}{target:>10}{measured:>14}")
    for error in sorted(set(tally.failed)):
        print(f"  failed: {error}")
    print(flush=True)


def _hits(url: str) -> float:
    """Tokens found in vLLM's prefix cache since it started; 0 where the server has no such counter."""
    answer = httpx.get(url.removesuffix("/v1") + "/metrics", trust_env=False)
    found = re.findall(r"^vllm:prefix_cache_hits_total\{.*\} (\S+)$", answer.text, re.MULTILINE)
    return sum(map(float, found))


@contextmanager
def _vllm() -> Iterator[str]:
    from tools.peers.tiny_gemma import for_vllm

    with TemporaryDirectory() as folder, running_model.vllm(for_vllm(Path(folder) / "tiny-gemma")) as url:
        yield url


@contextmanager
def _llama_cpp() -> Iterator[str]:
    with running_model.llama_cpp(running_model.weights("gemma3-270m"), slots=4) as url:
        yield url


SERVERS: dict[str, Callable[[], AbstractContextManager[str]]] = {"vllm": _vllm, "llama.cpp": _llama_cpp}


if __name__ == "__main__":
    main()
