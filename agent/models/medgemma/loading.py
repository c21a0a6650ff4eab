"""From a name to a model that answers: files, what they are, whether they fit, and only then the weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
)

from agent.errors import ModelError, UserError
from agent.models.base import ModelCard
from agent.models.medgemma.adapters import Adapter, attached
from agent.models.medgemma.engine import Engine
from agent.models.medgemma.grammar import Grammars
from agent.models.medgemma.hub import Files
from agent.models.medgemma.machine import device_map, free, require
from agent.models.medgemma.prefixes import Prefixes
from agent.models.medgemma.rows import Words
from agent.models.medgemma.template import Template
from agent.models.medgemma.variants import Weights
from agent.models.memory import Memory, Plan, Precision, Shape, check, shape

__all__ = ["Loaded", "Opened", "load", "open_model"]

_FAMILY = ("gemma3", "gemma3_text")
_THINKERS = 62  # layers of the 27B, the one size that was trained to think
# Left as they are: the vision tower loses most by quantization and has the least weights.
_WHOLE = ["model.vision_tower", "model.multi_modal_projector", "lm_head"]
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A model as transformers gives it, with its tokenizer, and its processor where it reads images."""

    model: Any
    tokenizer: Any
    processor: Any
    shape: Shape
    need: Memory
    precision: Precision
    revision: str


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model that is ready, what it is, and the memory that was reckoned with."""

    engine: Engine
    card: ModelCard
    need: Memory


def open_model(
    weights: Weights,
    plan: Plan,
    *,
    device: str = "auto",
    token: str | None = None,
    offline: bool = False,
    adapter: Adapter | None = None,
    on_need: Callable[[Memory, int, str], None] | None = None,
) -> Opened:
    """The weights, loaded as planned, with the adapter's layers in them where there is one.

    `on_need` is told what is needed, how many bytes are free and where, before anything is loaded. Raises UserError,
    MissingExtra and ModelError, each with its remedy.
    """
    files = Files(weights, token=token, offline=offline)
    config = _config(files.config(), weights)
    where, gpus = device_map(device)
    precision = _stored(config) or plan.precision
    require(precision, adapted=adapter is not None)
    of = shape(config.to_dict())
    plan = replace(plan, precision=precision, context=min(plan.context, of.context))
    room, place = free(gpus)
    need = check(of, plan, room - (adapter.size if adapter else 0), place)
    if on_need:
        on_need(need, room, place)
    folder = files.all()
    revision = folder.name if _COMMIT.fullmatch(folder.name) else weights.revision or ""
    if adapter:
        adapter.refuse_other(weights, revision)
    processor, tokenizer = _readers(folder, config)
    model = _model(folder, config, precision, where, gpus)
    return Opened(
        model=attached(model, adapter) if adapter else model,
        tokenizer=tokenizer,
        processor=processor,
        shape=of,
        need=need,
        precision=precision,
        revision=revision,
    )


def load(
    weights: Weights, plan: Plan, *, thinks: bool | None = None, adapter: Adapter | None = None, **where: Any
) -> Loaded:
    """What `open_model` opens, ready to answer. `thinks` None: the 27B thinks, other sizes don't."""
    opened = open_model(weights, plan, adapter=adapter, **where)
    config = opened.model.config.get_text_config()
    if thinks is None:
        thinks = weights.variant.thinks if weights.variant else config.num_hidden_layers == _THINKERS
    words = _words(opened, thinks)
    engine = Engine(
        opened.model,
        Template(opened.tokenizer, opened.processor, weights.name),
        Grammars(opened.tokenizer, opened.shape.vocab, words.stops),
        words,
        context=min(plan.context, opened.shape.context),
        prefixes=Prefixes(plan.prefixes),
    )
    quantized = opened.precision if opened.precision in ("8bit", "4bit") else ""
    card = ModelCard(
        name=f"{weights.name} + {adapter.name}" if adapter else weights.name,
        revision=" ".join(
            filter(None, (opened.revision, quantized, f"adapter {adapter.sha256[:12]}" if adapter else ""))
        ),
        context=min(plan.context, opened.shape.context),
        images=opened.processor is not None,
        thinking=words.think is not None,
    )
    return Loaded(engine=engine, card=card, need=opened.need)


def _config(folder: Path, weights: Weights) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"the config.json of {weights.place!r} cannot be read: {type(error).__name__}") from error
    if config.model_type not in _FAMILY:
        raise UserError(f"{weights.place!r} is a {config.model_type!r} model; this program runs Gemma 3 (MedGemma)")
    return config


def _stored(config: Any) -> Precision | None:
    """The precision of weights that were quantized before they were saved."""
    how = getattr(config, "quantization_config", None)
    if how is None:
        return None
    how = how if isinstance(how, dict) else how.to_dict()
    if how.get("quant_method") != "bitsandbytes":
        raise UserError(
            f"weights quantized by {how.get('quant_method')!r} are not supported; use bitsandbytes or plain ones"
        )
    return "4bit" if how.get("load_in_4bit") else "8bit"


def _readers(folder: Path, config: Any) -> tuple[Any, Any]:
    """The processor, for a model with images, and the tokenizer."""
    try:
        if config.model_type == "gemma3_text":
            return None, AutoTokenizer.from_pretrained(folder)
        processor = AutoProcessor.from_pretrained(folder)
        return processor, processor.tokenizer
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UserError(
            f"the tokenizer or image processor in {folder.name!r} cannot be read ({type(error).__name__}): "
            "copy every .json and .jinja file of the model beside the weights"
        ) from error


def _model(folder: Path, config: Any, precision: Precision, where: Any, gpus: list[int]) -> Any:
    kind = AutoModelForCausalLM if config.model_type == "gemma3_text" else AutoModelForImageTextToText
    options: dict[str, Any] = {"device_map": where, "use_safetensors": True, "local_files_only": True}
    options["dtype"] = torch.float32 if precision == "fp32" else torch.bfloat16
    if where == "auto":  # never onto the CPU or a disk by itself: that is a hundred times slower, and unasked for
        options["max_memory"] = {gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in gpus}
    if _stored(config) is None and precision in ("8bit", "4bit"):
        options["quantization_config"] = _quantization(precision)
    try:
        return kind.from_pretrained(folder, **options).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError("out of memory while loading: choose 8bit or 4bit weights, or a smaller variant") from error
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the weights in {folder.name!r} cannot be loaded ({type(error).__name__}): fetch or copy them again"
        ) from error


def _quantization(precision: Precision) -> BitsAndBytesConfig:
    if precision == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=_WHOLE)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=_WHOLE,
    )


def _words(opened: Opened, thinks: bool) -> Words:
    """The tokens that mean something to the loop. The vocabulary is padded: what no token stands for is closed too."""
    tokenizer, vocab = opened.tokenizer, opened.shape.vocab
    added = tokenizer.get_added_vocab()
    given = opened.model.generation_config.eos_token_id
    stops = {tokenizer.eos_token_id, added.get("<end_of_turn>"), *(given if isinstance(given, list) else [given])}
    stops -= {None}
    unused = {n for word, n in added.items() if word.startswith("<unused")}
    closed = {*tokenizer.all_special_ids, *unused, *range(len(tokenizer), vocab)} - stops
    pair = (added.get("<unused94>"), added.get("<unused95>"))
    return Words(
        decode=lambda ids: str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)),
        stops=frozenset(stops),
        closed=frozenset(n for n in closed if n < vocab),
        think=pair if thinks and None not in pair else None,
    )
