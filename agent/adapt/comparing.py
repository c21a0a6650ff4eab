"""`chartline adapt evaluate`'s work: the losses, the replies of both models, the verdicts, one comparison."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.adapt.dataset import Places
from agent.adapt.evaluating import Comparison, Spoken, judged, measured, replies
from agent.adapt.rows import Row, read_part
from agent.adapt.runs import AdapterCard, read_adapter_card
from agent.errors import UserError
from agent.models.medgemma import MedGemma
from agent.models.medgemma.adapters import Adapter, adapter
from agent.models.medgemma.variants import Weights, weights
from agent.models.memory import Plan, Precision
from agent.settings import Settings

__all__ = ["Exam", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """How a comparison is made. `limit` bounds the rows (0: all), `tokens` each reply, `seconds` its time.

    `places` are the charts, None where answers are not held against them. `precision` None is that of the training.
    """

    dataset: Path
    adapter: Path
    places: Places | None = None
    limit: int = 0
    tokens: int = 768
    seconds: float = 120.0
    batch: int = 4
    precision: Precision | None = None
    device: str = "auto"
    token: str | None = None
    offline: bool = False


Tell = Callable[[str], None]


async def compare(exam: Exam, settings: Settings, tell: Tell = lambda _: None) -> Comparison:
    """The held-out rows before and after. Raises UserError for a dataset or adapter of no use, ModelError."""
    card, of = read_adapter_card(exam.adapter), adapter(exam.adapter)
    rows = _chosen(exam)
    rows, losses, over = await asyncio.to_thread(_losses, exam, card, of, rows)
    tell(f"held-out loss of {len(rows)} rows: {losses[0]:.4f} before, {losses[1]:.4f} after")
    spoken = [await _spoken(exam, card, rows, of if after else None, tell) for after in (False, True)]
    by_id = {row.id: [said[n] for said in spoken] for n, row in enumerate(rows)}
    verdicts = await judged(rows, by_id, exam.places, settings, card.recipe.context) if exam.places else {}
    base = _weights(card)
    before, after = (
        measured(
            name,
            rows,
            spoken[n],
            [verdicts[row.id][n] for row in rows if row.id in verdicts],
            losses[n],
        )
        for n, name in enumerate((base.name, f"{base.name} + {of.name}"))
    )
    return Comparison(
        base=base.name,
        adapter=of.name,
        patients=len({row.patient for row in rows}),
        rows=len(rows),
        judged=len(verdicts),
        too_long=over,
        before=before,
        after=after,
    )


def _chosen(exam: Exam) -> list[Row]:
    """The held-out rows, in the order of their ids: as good as a lot, and the same each time."""
    rows = sorted(read_part(exam.dataset, "held-out"), key=lambda row: row.id)
    if exam.places and not any(row.patient for row in rows):
        raise UserError("the dataset names no patients, so its answers cannot be held against charts: leave them out")
    return rows[: exam.limit or None]


def _weights(card: AdapterCard) -> Weights:
    return weights(card.recipe.model, card.recipe.revision)


def _losses(
    exam: Exam, card: AdapterCard, of: Adapter, rows: Sequence[Row]
) -> tuple[list[Row], tuple[float, float], int]:
    """The rows within the context, and the loss on them without the adapter and with it, by one load of the weights."""
    from agent.adapt.encoding import encoded, reply_loss
    from agent.models.medgemma.adapters import attached
    from agent.models.medgemma.loading import open_model
    from agent.models.medgemma.template import Template

    base = _weights(card)
    plan = Plan(precision=exam.precision or card.recipe.precision, context=card.recipe.context)
    opened = open_model(base, plan, device=exam.device, token=exam.token, offline=exam.offline)
    of.refuse_other(base, opened.revision)
    template, context = Template(opened.tokenizer, opened.processor, base.name), plan.context
    pairs = [(row, encoded([row], template, min(context, opened.shape.context))[0]) for row in rows]
    kept = [row for row, examples in pairs if examples]
    examples = [example for _, found in pairs for example in found]
    if not examples:
        raise UserError(f"every held-out row is longer than the context of {context} tokens")
    before = reply_loss(opened.model, examples)
    after = reply_loss(attached(opened.model, of), examples)
    del opened
    gc.collect()
    return kept, (before, after), len(rows) - len(kept)


async def _spoken(exam: Exam, card: AdapterCard, rows: Sequence[Row], of: Adapter | None, tell: Tell) -> list[Spoken]:
    """The replies of the weights, with the adapter or without."""
    told = "after" if of else "before"
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % 10 == 0 or done == len(rows):
            tell(f"{told}: {done} of {len(rows)} replies")

    model = MedGemma(
        card.recipe.model,
        revision=card.recipe.revision,
        precision=exam.precision or card.recipe.precision,
        device=exam.device,
        context=card.recipe.context,
        batch=exam.batch,
        token=exam.token,
        offline=exam.offline,
        adapter=of.folder if of else None,
        base=True,
    )
    async with model:
        return await replies(model, rows, tokens=exam.tokens, seconds=exam.seconds, at_once=exam.batch, tell_done=count)
