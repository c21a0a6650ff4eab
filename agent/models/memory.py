"""What a Gemma 3 model needs of memory, worked out from its configuration: weights, KV cache, and room to work.

Arithmetic only, so that it is known before anything is loaded, and for machines that are not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent.errors import ModelError

__all__ = [
    "CHUNK",
    "GIB",
    "PREFIXES",
    "Memory",
    "Plan",
    "Precision",
    "Shape",
    "Training",
    "check",
    "estimate",
    "fits",
    "gib",
    "kv_bytes",
    "shape",
]

GIB = 1024**3
Precision = Literal["fp32", "bf16", "8bit", "4bit"]

# Bytes of one weight of a quantized layer. NF4 with doubly quantized scales: 4 bits, and 8 + 32/256 bits for each 64
# weights (Dettmers et al. 2023, QLoRA, section 3). 8-bit: one byte, and one scale of 4 bytes a row, too few to count.
_QUANTIZED = {"8bit": 1.0, "4bit": 0.5 + (1 + 4 / 256) / 64}
# What is left free: the allocator's fragments, CUDA's own context, and whatever else runs.
_SPARE = 0.05
# Bytes of one trained weight: itself, its gradient and Adam's two moments, each in 32 bits.
_TRAINED = 16
# A layer's own activations while its gradient is worked out, in widths of its widest part; and the tokens whose logits
# are there at once, in 32 bits, with their gradient.
_INSIDE, _LOGITS = 3, 256
CHUNK = 2048
"""The most prompt tokens that go through the model at once."""
PREFIXES = 2 * GIB
"""The most bytes of KV cache kept of what prompts begin with, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes that decide. `window` is how many tokens a sliding layer keeps; `full` counts the layers that keep all.

    `dense` are the weights that quantization makes smaller, `kept` those that stay (embeddings, norms, vision).
    `sides` are rows and columns of all the matrices of `dense` together: what a LoRA of rank one adds to them.
    """

    dense: int
    kept: int
    layers: int
    full: int
    heads: int
    kv_heads: int
    head_dim: int
    window: int
    context: int
    vocab: int
    hidden: int
    widest: int
    sides: int
    image_tokens: int = 0

    @property
    def parameters(self) -> int:
        return self.dense + self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A LoRA that is trained: its rank. Layers are run again for their gradients, so their insides are not kept."""

    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a model is to run: prompt and answer of at most `context` tokens, `batch` at once, `prefixes` bytes kept."""

    precision: Precision = "bf16"
    context: int = 8192
    batch: int = 1
    prefixes: int = 0
    training: Training | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes: the weights, the KV cache of a full batch at full context, kept prefixes, and room to work in.

    `adapter` is what a LoRA in training takes: its weights, their gradients and the optimizer's two moments.
    """

    weights: int
    cache: int
    prefixes: int
    work: int
    adapter: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.prefixes + self.work + self.adapter


def shape(config: Mapping[str, Any]) -> Shape:
    """The shape of a Gemma 3 configuration, text or multimodal, with its defaults filled in (as `to_dict` gives it)."""
    text = config.get("text_config") or config
    vision = config.get("vision_config") or {}
    hidden, layers, head = text["hidden_size"], text["num_hidden_layers"], text["head_dim"]
    heads, kv, inner = text["num_attention_heads"], text["num_key_value_heads"], text["intermediate_size"]
    types = text.get("layer_types") or ["full" if (n + 1) % 6 == 0 else "sliding" for n in range(layers)]
    norms = layers * (4 * hidden + 2 * head) + hidden
    return Shape(
        dense=layers * (2 * hidden * head * (heads + kv) + 3 * hidden * inner),
        kept=text["vocab_size"] * hidden + norms + _vision(vision, hidden),
        layers=layers,
        full=sum(kind.startswith("full") for kind in types),
        heads=heads,
        kv_heads=kv,
        head_dim=head,
        window=text.get("sliding_window") or text["max_position_embeddings"],
        context=text["max_position_embeddings"],
        vocab=text["vocab_size"],
        hidden=hidden,
        sides=layers * (head * (2 * heads + 2 * kv) + 7 * hidden + 3 * inner),
        widest=2 * inner + 6 * hidden,
        image_tokens=int(config.get("mm_tokens_per_image") or 0) if vision else 0,
    )


def _vision(vision: Mapping[str, Any], hidden: int) -> int:
    """The weights of SigLIP's encoder without its head, and of Gemma 3's projector."""
    if not vision:
        return 0
    width, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    layer = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    patches = (vision["image_size"] // patch) ** 2
    embedding = (vision.get("num_channels") or 3) * patch * patch * width + width + patches * width
    return int(vision["num_hidden_layers"] * layer + embedding + 2 * width + width * hidden + width)


def kv_bytes(of: Shape, tokens: int, width: int = 2) -> int:
    """The KV cache of one question of so many tokens; sliding layers keep no more than their window."""
    kept = of.full * tokens + (of.layers - of.full) * min(tokens, of.window)
    return 2 * kept * of.kv_heads * of.head_dim * width


def estimate(of: Shape, plan: Plan) -> Memory:
    """What a plan needs. Activations stay in 16 bits when weights are quantized."""
    width = 4 if plan.precision == "fp32" else 2
    weights = int(of.dense * _QUANTIZED.get(plan.precision, width)) + of.kept * width
    if plan.training:
        adapter = plan.training.rank * of.sides * _TRAINED
        return Memory(weights=weights, cache=0, prefixes=0, work=_training_work(of, plan, width), adapter=adapter)
    return Memory(
        weights=weights,
        cache=plan.batch * kv_bytes(of, plan.context, width),
        prefixes=plan.prefixes,
        work=_work(of, plan, width),
    )


def _work(of: Shape, plan: Plan, width: int) -> int:
    """One chunk of a prompt through the widest layer and its attention, the old and new cache of a layer that grows,
    and the logits.

    Beside a mask, transformers repeats keys and values for every query head (its `use_gqa_in_sdpa`), and the mask is
    held as flags and as numbers. Answers do without: a single token needs neither.
    """
    chunk = min(plan.context, CHUNK)
    attention = 2 * plan.context * of.heads * of.head_dim * width + chunk * plan.context * (1 + width)
    growing = plan.batch * 2 * plan.context * of.kv_heads * of.head_dim * width
    return int(chunk * of.widest * width + attention + growing + plan.batch * of.vocab * 8)


def fits(need: Memory, free: int) -> bool:
    """Whether it goes into `free` bytes, with some to spare."""
    return need.total <= free * (1 - _SPARE)


def _training_work(of: Shape, plan: Plan, width: int) -> int:
    """What every layer is given, kept until its gradient; one layer's insides, run again; a chunk of the logits."""
    tokens = plan.batch * plan.context
    return int(
        tokens * of.hidden * (of.layers + 4) * width + tokens * _INSIDE * of.widest * width + _LOGITS * of.vocab * 12
    )


def check(of: Shape, plan: Plan, free: int, where: str) -> Memory:
    """The memory of a plan that fits into `free` bytes. Raises ModelError that says what would fit."""
    need = estimate(of, plan)
    if fits(need, free):
        return need
    raise ModelError(
        f"not enough memory: {plan.precision} weights, {plan.batch} at once and a context of {plan.context} tokens "
        f"need {gib(need.total)} GiB ({gib(need.weights)} of them weights), and {where} has {gib(free)} GiB free; "
        f"{_remedy(of, plan, int(free * (1 - _SPARE)))}"
    )


def _remedy(of: Shape, plan: Plan, room: int) -> str:
    """The plan nearest to the one asked for that fits: first fewer kept prefixes and questions, then less precision."""
    order: tuple[Precision, ...] = ("fp32", "bf16", "8bit", "4bit")
    sizes = [(plan.batch, plan.context), (1, plan.context), *((1, shorter) for shorter in _shorter(plan.context))]
    for precision in order[order.index(plan.precision) :]:
        for batch, context in sizes:
            other = replace(plan, precision=precision, context=context, batch=batch, prefixes=0)
            if (need := estimate(of, other)).total <= room:
                return f"{_changes(plan, other)} would fit ({gib(need.total)} GiB)"
    least = estimate(of, replace(plan, precision="4bit", context=2048, batch=1, prefixes=0)).total
    return f"even 4bit weights need {gib(least)} GiB: use a smaller variant, or a machine or model server with more"


def _shorter(context: int) -> list[int]:
    return [c for c in (32_768, 16_384, 8192, 4096, 2048) if c < context]


def _changes(plan: Plan, other: Plan) -> str:
    changed = [f"{other.precision} weights"] if other.precision != plan.precision else []
    changed += [f"one {'row' if plan.training else 'question'} at once"] if other.batch != plan.batch else []
    changed += [f"a context of {other.context} tokens"] if other.context != plan.context else []
    changed += ["no kept prefixes"] if plan.prefixes else []
    return ", ".join(changed)


def gib(number: float) -> str:
    """Bytes as GiB, with the digits that mean something."""
    return f"{number / GIB:.1f}" if number >= GIB / 10 else f"{number / GIB:.3f}"
