"""What the transformers backend costs and keeps: reuse of a thread's prompt, its speed, and answers under a schema.

    python -m benchmarks.bench_model

It needs the `medgemma` extra and Gemma 3 270M, which has MedGemma's own tokenizer, as `tools.peers.make_gemma` writes
it, in the folder that CHARTLINE_TEST_MODELS names. Prompts are those of the llm reasoner over the demo charts. What
depends on tokens alone is asked of random weights behind that tokenizer, which answer in a moment; what depends on
time is a ratio within one run, of pairs one after the other, in processor time, since machines are shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import prompts
from agent.models.base import ChatModel, Completion, Message, ModelCard, OnText, Request
from agent.models.checking import fault
from agent.models.medgemma import MedGemma
from agent.reasoners.llm import Llm
from agent.reasoners.llm.schema import tools_line
from agent.settings import Settings
from agent.wire import Agent
from benchmarks.bench_ask import LISTS, about
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.tools import AVAILABLE
from tools.peers.running_model import MODELS

__all__ = ["Listening", "folder_of", "main", "rates", "small", "threads"]

_NAME = "gemma3-270m"
_EXTRA = ("torch", "transformers", "llguidance")
_CONTEXT = 8192
_WHOLE = 4096
"""Tokens that every answer of the schema fits into."""
_CLOSERS = ('"', "]", "}")
THREADS = {
    "demo-maria-santos": (
        ("last A1c?", "and the one before?"),
        ("highest creatinine ever", "and the lowest?"),
        ("Is she still taking metformin?", "when was it started?"),
        ("problem list", "when was the first of them diagnosed?"),
        ("blood pressure trend", "average systolic last year"),
    ),
    "demo-robert-keller": (
        ("When did we start Eliquis?", "what is it for?"),
        ("nadir hemoglobin", "what was it a year before?"),
        ("latest ejection fraction", "and the first one?"),
        ("current medications", "which of them are for the heart?"),
        ("meds started at the last admission", "why was he admitted?"),
    ),
    "demo-leila-haddad": (
        ("allergies", "how severe is the reaction to peanut?"),
        ("What was her weight when pregnancy was diagnosed?", "and the latest?"),
        ("PHQ-9 trend", "when was the depression diagnosed?"),
        ("immunizations", "when was the last Tdap?"),
        ("any history of asthma?", "which inhalers does she use?"),
    ),
}
"""Patient → threads of two questions: the second follows the first, or turns to something else of the chart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500, help="how many answers are held against their schema")
    parser.add_argument("--rounds", type=int, default=5, help="pairs that speed is told from")
    arguments = parser.parse_args()
    folder = folder_of(_NAME)
    if folder is None:
        return
    print(f"{'figure':<66}{'target':>8}{'measured':>12}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        tiny = small(folder, Path(made) / "random")
        sent = asyncio.run(_reuse(tiny, folder))
        asyncio.run(_valid(tiny, arguments.prompts))
    asyncio.run(_first_tokens(folder, sent))
    _speed(folder, sent[0][0], arguments.rounds)


def folder_of(name: str) -> Path | None:
    """The folder of a model that transformers loads; None, and a line that says why, where it cannot be asked."""
    if any(find_spec(package) is None for package in _EXTRA):
        print("skipped: it needs pip install 'chartline[medgemma]'")
        return None
    folder = Path(os.environ.get(MODELS) or Path.home() / ".cache" / "chartline-models").expanduser() / name
    if (folder / "config.json").is_file():
        return folder
    print(f"skipped: no {name} in the folder that {MODELS} names; python -m tools.peers.make_gemma makes it of a .gguf")
    return None


def small(real: Path, place: Path) -> Path:
    """Random weights of a few layers behind the real tokenizer, in a folder; the same each time."""
    import torch
    from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(11)
    config = Gemma3TextConfig(
        vocab_size=262_144, hidden_size=16, intermediate_size=32, num_hidden_layers=6, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=1024, max_position_embeddings=_CONTEXT,
        initializer_range=0.2, query_pre_attn_scalar=16, pad_token_id=0, eos_token_id=1, bos_token_id=2,
    )  # fmt: skip
    model = Gemma3ForCausalLM(config).eval()
    words = AutoTokenizer.from_pretrained(real)
    table = model.get_input_embeddings().weight.data
    table *= 0.05  # else it says its last token for ever
    table[[n for word, n in words.get_vocab().items() if word[0] in _CLOSERS]] *= 20  # else no text comes to its end
    model.save_pretrained(place)
    words.save_pretrained(place)
    return place


class Listening:
    """A chat model that keeps what it is asked and what it answers; `tokens` replaces the bound of each request."""

    def __init__(self, model: ChatModel, tokens: int) -> None:
        self._model, self._tokens = model, tokens
        self.heard: list[tuple[Request, Completion]] = []

    async def __aenter__(self) -> Listening:
        return self

    async def __aexit__(self, *_: object) -> None:
        """The model behind it is its opener's to close."""

    async def describe(self) -> ModelCard:
        return await self._model.describe()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        bound = replace(request, tokens=self._tokens, seconds=3600.0)
        done = await self._model.complete(bound, on_text)
        self.heard.append((bound, done))
        return done


def _row(figure: str, target: str, measured: str) -> None:
    print(f"{figure:<66}{target:>8}{measured:>12}", flush=True)


def _opened(folder: Path, **options: Any) -> MedGemma:
    return MedGemma(str(folder), **{"device": "cpu", "context": _CONTEXT, "batch": 8, **options})


@asynccontextmanager
async def _agents(model: ChatModel) -> AsyncIterator[dict[str, Agent]]:
    """An agent with the llm reasoner for each demo patient."""
    settings = Settings(threads=Path(":memory:"), audit=None)
    async with LocalStore(":memory:") as store:
        load(demo.paths(), store)
        thinker = Llm(model, tools=AVAILABLE, rewords=False, seconds=3600.0)
        yield {p: Agent(store, p, as_of=demo.AS_OF, settings=settings, reasoner=thinker) for p in demo.patients()}


async def threads(model: ChatModel) -> list[tuple[tuple[Request, Completion], tuple[Request, Completion]]]:
    """For each thread what the model was first asked at its two questions, and what it answered."""
    kept = []
    listening = Listening(model, _WHOLE)
    async with _agents(listening) as agents:
        for patient, pairs in THREADS.items():
            for number, pair in enumerate(pairs):
                first_calls = []
                for question in pair:
                    before = len(listening.heard)
                    await agents[patient].ask(question, thread=f"{patient}-{number}")
                    first_calls.append(listening.heard[before])
                kept.append((first_calls[0], first_calls[1]))
    return kept


async def _reuse(tiny: Path, real: Path) -> list[tuple[Request, Request]]:
    """Tokens of the fixed instructions, and those newly read at a second question; also the requests."""
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(real)
    fixed = f"{prompts.load('answer').system}\n{tools_line(AVAILABLE)}"
    _row("fixed instructions with the tools, Gemma tokens", "≤ 300", str(len(words(fixed)["input_ids"]) - 1))
    async with _opened(tiny) as model:
        pairs = await threads(model)
    second = [done.used for _, (_, done) in pairs]
    fresh = [used.prompt - used.cached for used in second]
    _row(f"second question of {len(pairs)} threads: tokens newly read, median", "≤ 450", f"{median(fresh):.0f}")
    _row("  the most", "", str(max(fresh)))
    _row("  tokens of its whole prompt, median", "", f"{median(used.prompt for used in second):.0f}")
    return [(one, two) for (one, _), (two, _) in pairs]


async def _valid(tiny: Path, wanted: int) -> None:
    """Answers to real prompts, each held against its own schema by another program than the one that enforced it."""
    async with _opened(tiny, prefixes=2**28) as model:
        listening = Listening(model, _WHOLE)
        async with _agents(listening) as agents:
            asked = [(agent, question) for agent in agents.values() for question in await _questions(agent)]
            room = asyncio.Semaphore(8)
            await asyncio.gather(*(_asked(agent, q, room, listening, wanted) for agent, q in _mixed(asked)))
    heard = [(request, done) for request, done in listening.heard if request.schema is not None][:wanted]
    good = sum(done.finish == "stop" and fault(done.text, request.schema or {}) is None for request, done in heard)
    schemas = {json.dumps(request.schema, sort_keys=True) for request, _ in heard}
    _row(f"valid under their schema, of {len(heard)} ({len(schemas)} schemas)", "100 %", f"{good / len(heard):.1%}")


async def _asked(agent: Agent, question: str, room: asyncio.Semaphore, listening: Listening, wanted: int) -> None:
    async with room:
        if len(listening.heard) < wanted:
            await agent.ask(question)


async def _questions(agent: Agent) -> Sequence[str]:
    return [*LISTS, *about((await agent.chart()).catalogue, each=40)]


def _mixed(asked: Sequence[tuple[Agent, str]]) -> Iterator[tuple[Agent, str]]:
    """In an order that goes through all patients and forms, the same each time."""
    step = 37
    yield from (asked[n * step % len(asked)] for n in range(len(asked)))


async def _first_tokens(folder: Path, sent: Sequence[tuple[Request, Request]]) -> None:
    """Seconds to the first token at the second question by those at the first, one thread of each patient."""
    ratios = []
    async with _opened(folder, batch=1) as model:
        await model.complete(_short(sent[0][0], "warm up"))
        for number, (one, two) in enumerate(sent[:: len(sent) // len(THREADS)]):
            first, second = [await model.complete(_short(request, f"thread {number}")) for request in (one, two)]
            ratios.append(second.used.first_token / first.used.first_token)
    _row("first token at the second question by the first, 270M, median", "≤ 0.5", f"{median(ratios):.2f}")
    _row("  the most", "", f"{max(ratios):.2f}")


def _short(request: Request, own: str) -> Request:
    """The request behind a line of its own, so that nothing of it was read before, for two tokens of answer."""
    first = request.messages[0]
    messages = (replace(first, parts=(f"{own}\n", *first.parts)), *request.messages[1:])
    return replace(request, messages=messages, tokens=2)


def _speed(folder: Path, request: Request, rounds: int) -> None:
    pairs = rates(folder, request.messages, request.schema, rounds=rounds)
    loop, grammar = [median(of) for of in zip(*pairs, strict=True)]
    _row(f"tokens a second by bare generate, 270M, median of {rounds} pairs", "≥ 0.95", f"{loop:.3f}")
    _row("overhead of the grammar, median of as many", "≤ 5 %", f"{grammar:+.1%}")


def rates(
    folder: Path, messages: tuple[Message, ...], schema: Any, *, rounds: int, tokens: int = 40
) -> list[tuple[float, float]]:
    """For each round: tokens a second of the backend by those of transformers' own `generate`, and what a grammar adds
    to a token. Processor time of decoding alone, each token after the first; one after the other in turns."""
    import torch
    from transformers import StoppingCriteria

    from agent.models.medgemma.loading import load as load_model
    from agent.models.medgemma.loading import open_model
    from agent.models.medgemma.rows import Job
    from agent.models.medgemma.template import Template
    from agent.models.medgemma.variants import weights
    from agent.models.memory import Plan

    plan = Plan(context=4096, prefixes=2**28)
    engine = load_model(weights(str(folder)), plan, device="cpu").engine
    opened = open_model(weights(str(folder)), plan, device="cpu")
    ids = torch.tensor([Template(opened.tokenizer).prompt(messages).ids])
    times: list[float] = []

    class Clock(StoppingCriteria):  # type: ignore[misc]  # transformers has no types
        def __call__(self, *_: Any, **__: Any) -> Any:
            times.append(time.process_time())
            return torch.zeros(1, dtype=torch.bool)

    def bare() -> float:
        times.clear()
        clock = [Clock()]
        opened.model.generate(ids, max_new_tokens=tokens, do_sample=False, eos_token_id=None, stopping_criteria=clock)
        return (times[-1] - times[0]) / (len(times) - 1)

    def ours(schema: Any) -> float:
        request = Request(messages=messages, schema=schema, tokens=tokens)
        engine.join(Job(request=request, deadline=time.monotonic() + 3600))
        began, steps = time.process_time(), 0
        while engine.rows:
            engine.step()
            steps += 1
        return (time.process_time() - began) / max(1, steps)

    found = [_in_turn(n, bare, lambda: ours(None), lambda: ours(schema)) for n in range(rounds + 1)]
    return [(free / loop, held / loop - 1) for free, loop, held in found[1:]]


def _in_turn(number: int, *measures: Callable[[], float]) -> list[float]:
    """All of them, each round in another order, so that a machine that slows down favours none."""
    order = [(number + n) % len(measures) for n in range(len(measures))]
    taken = {n: measures[n]() for n in order}
    return [taken[n] for n in range(len(measures))]


if __name__ == "__main__":
    main()
