"""LoRA on a Gemma 3: peft's layers, trl's trainer, this program's own way of loading weights and reading turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from agent.adapt.encoding import Example, encoded
from agent.adapt.recipe import Recipe
from agent.adapt.rows import Row, fingerprint, read_part
from agent.adapt.runs import AdapterCard, Run, losses_of
from agent.errors import ModelError, UserError
from agent.models.medgemma.adapters import quiet
from agent.models.medgemma.loading import Opened, open_model
from agent.models.medgemma.template import Template
from agent.models.medgemma.variants import weights
from agent.models.memory import Memory, Plan, Training

__all__ = ["TARGETS", "Progress", "train"]

TARGETS = r"model\.(?:language_model\.)?layers\.\d+\.(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)"
"""The matrices that get LoRA layers: those of the language model, none of the vision tower or the projector."""
_MEMORY = (
    "out of memory while training: a smaller --batch, a shorter --context, a lower --rank, or 4bit weights "
    "(CHARTLINE_MODEL_PRECISION); the run goes on from its last checkpoint with the same options alone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is. `loss` is of the rows since the last report, `held_out` of the held-out rows, where measured."""

    step: int
    steps: int
    loss: float | None = None
    held_out: float | None = None
    left: float = 0.0


def train(
    dataset: Path,
    out: Path,
    recipe: Recipe,
    *,
    device: str = "auto",
    token: str | None = None,
    offline: bool = False,
    on_need: Callable[[Memory, int, str], None] | None = None,
    on_step: Callable[[Progress], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> AdapterCard:
    """Train an adapter into `out`, or go on with the run that was stopped there; the adapter's card.

    Raises UserError and ModelError with the remedy: an empty dataset, weights that cannot be loaded, too little memory.
    """
    rows, held = read_part(dataset, "train"), read_part(dataset, "held-out")
    run = Run(out, recipe, fingerprint(dataset))
    opened = open_model(
        weights(recipe.model, recipe.revision),
        Plan(
            precision=recipe.precision,
            context=recipe.context,
            batch=recipe.batch,
            training=Training(rank=recipe.rank),
        ),
        device=device,
        token=token,
        offline=offline,
        on_need=on_need,
    )
    taught, watched, over = _examples(opened, recipe, rows, held)
    before = run.last()
    if before and on_resume:
        on_resume(before[1])
    start = time.monotonic()
    with quiet():
        trainer = _trainer(opened, recipe, run, taught, watched, on_step)
        _run(trainer, before[0] if before else None)
        _measure_last(trainer)
    trainer.model.save_pretrained(str(out))
    card = _card(opened, recipe, run, trainer, over, len(taught), len(held), round(time.monotonic() - start, 1))
    run.finish(card)
    return card


def _examples(
    opened: Opened, recipe: Recipe, rows: Sequence[Row], held: Sequence[Row]
) -> tuple[list[Example], list[Example], int]:
    """What is learnt, what is watched, and how many rows are over the context. Raises UserError where none is left."""
    template = Template(opened.tokenizer, opened.processor, recipe.model)
    context = min(recipe.context, opened.shape.context)
    taught, over = encoded(rows, template, context)
    watched, more = encoded(sorted(held, key=lambda row: row.id)[: recipe.watch], template, context)
    if not taught or not watched:
        raise UserError(
            f"every row is longer than the context of {context} tokens: give a larger --context, or write the dataset "
            "with a smaller CHARTLINE_TOKENS"
        )
    return taught, watched, over + more


def _trainer(
    opened: Opened,
    recipe: Recipe,
    run: Run,
    taught: Sequence[Example],
    watched: Sequence[Example],
    on_step: Callable[[Progress], None] | None,
) -> Any:
    model = _with_gradients(opened.model).requires_grad_(False)
    lora = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=TARGETS, task_type="CAUSAL_LM")
    torch.manual_seed(recipe.seed)  # the layers' first values
    trainer = _Trainer(
        model=get_peft_model(model, lora),
        args=_arguments(recipe, run, model.device.type, begun=run.last() is not None),
        train_dataset=_columns(taught),
        eval_dataset=_columns(watched),
        processing_class=opened.tokenizer,
        callbacks=[_Told(on_step)] if on_step else [],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _with_gradients(model: Any) -> Any:
    """bitsandbytes on a CPU lays 4-bit weights out anew at the first forward without gradients, and what it then
    runs has none: a held-out loss in between would end the learning, silently. So it keeps the layout it has."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _columns(examples: Sequence[Example]) -> Dataset:
    return Dataset.from_list([example.columns() for example in examples])


def _arguments(recipe: Recipe, run: Run, device: str, *, begun: bool) -> SFTConfig:
    given = SFTConfig(
        output_dir=str(run.checkpoints),
        num_train_epochs=recipe.epochs,
        max_steps=recipe.steps or -1,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.rate,
        lr_scheduler_type="linear",
        warmup_steps=0.03,
        logging_steps=max(1, recipe.save_every // 5),
        eval_strategy="steps",
        eval_steps=recipe.save_every,
        eval_on_start=not begun,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=2,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=device == "cpu",
        bf16=device == "cuda" and recipe.precision != "fp32",
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        max_length=None,  # a longer row is left out, never cut: the reply stands at its end
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=False,
        report_to="none",
        disable_tqdm=True,
    )
    if device == "cuda":
        # Weights that were put on one GPU stay there; those spread over several are a single model too.
        given._n_gpu = 1
    return given


def _run(trainer: Any, checkpoint: Path | None) -> None:
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError(_MEMORY) from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise ModelError(_MEMORY) from error


def _measure_last(trainer: Any) -> None:
    """The held-out loss at the last step, where that was none at which it is measured anyway."""
    state = trainer.state
    if not any("eval_loss" in row and row["step"] == state.global_step for row in state.log_history):
        trainer.evaluate()


class _Trainer(SFTTrainer):  # type: ignore[misc]
    """trl's trainer, that sends nothing: its own reports each run to the Hub's makers."""

    def _send_telemetry(self) -> None:
        return


class _Told(TrainerCallback):  # type: ignore[misc]
    """Tells each report of the trainer."""

    def __init__(self, on_step: Callable[[Progress], None]) -> None:
        self._on_step, self._start, self._from = on_step, time.monotonic(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._start, self._from = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        told = logs or {}
        if "loss" not in told and "eval_loss" not in told:
            return
        done = state.global_step - self._from
        pace = (time.monotonic() - self._start) / done if done else 0.0
        self._on_step(
            Progress(
                step=state.global_step,
                steps=state.max_steps,
                loss=float(told["loss"]) if "loss" in told else None,
                held_out=float(told["eval_loss"]) if "eval_loss" in told else None,
                left=pace * (state.max_steps - state.global_step),
            )
        )


def _card(
    opened: Opened, recipe: Recipe, run: Run, trainer: Any, over: int, rows: int, held: int, seconds: float
) -> AdapterCard:
    base = weights(recipe.model, recipe.revision)
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return AdapterCard(
        base=base.name,
        place=base.place,
        revision=opened.revision,
        dataset=run.dataset,
        recipe=recipe,
        rows=rows,
        held_out_rows=held,
        too_long=over,
        trained=trained,
        parameters=opened.shape.parameters,
        steps=trainer.state.global_step,
        seconds=seconds,
        losses=losses_of(trainer.state.log_history),
        packages={name: version(name) for name in ("torch", "transformers", "peft", "trl")},
    )
