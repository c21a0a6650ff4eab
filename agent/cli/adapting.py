"""`chartline adapt`: a dataset, a training run and a comparison, with what is told of them on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import settings
from agent.adapt.dataset import Made, Places, Plan, make
from agent.adapt.evaluating import Comparison
from agent.adapt.recipe import Recipe, require_packages
from agent.adapt.rows import DatasetCard, write
from agent.adapt.runs import AdapterCard
from agent.cli.output import console, emit, is_terminal, plain_table, tell_note
from agent.errors import UserError
from agent.models.medgemma.variants import DEFAULT
from agent.models.memory import Memory, gib

if TYPE_CHECKING:
    from agent.adapt.training import Progress

__all__ = ["dataset", "evaluate", "named", "train"]

_REASONS = 12


def named(path: Path | None) -> tuple[str, ...]:
    """The patient ids in a file, one a line. Raises UserError where it holds none."""
    if path is None:
        return ()
    try:
        ids = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {str(path)!r} as a list of ids, one a line") from error
    if not ids:
        raise UserError(f"{str(path)!r} holds no ids")
    return ids


def dataset(out: Path, places: Places, plan: Plan, *, as_json: bool) -> None:
    """Write the dataset, and say what is in it and what is not."""
    if places.charts and places.fhir:
        raise UserError("give --charts or --fhir, not both")
    start = time.monotonic()
    with _counting() as tell:
        made = asyncio.run(make(places, plan, settings.read(), tell))
    _refuse_lopsided(made, plan)
    card = write(out, made.rows, made.card(plan))
    if as_json:
        print(card.model_dump_json(indent=2))
        return
    _show_dataset(card)
    rows = sum(len(rows) for rows in made.rows.values())
    tell_note(f"{rows} rows in {time.monotonic() - start:.0f} s, written to {out}; they hold patient data")


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """How far it is, on a terminal; nothing elsewhere."""
    if not is_terminal():
        yield lambda patients, rows: None
        return
    with console(err=True).status("opening charts") as status:
        yield lambda patients, rows: status.update(f"{patients} patients, {rows} rows")


def _refuse_lopsided(made: Made, plan: Plan) -> None:
    """A part without rows is of no use: the one cannot be learnt from, the other cannot show what was learnt."""
    empty = [part for part, rows in made.rows.items() if not rows]
    if empty and (plan.held_out > 0 or empty != ["held-out"]):
        told = made.card(plan).patients
        share = "another --held-out" if min(told.values()) == 0 else "more patients or another --seed"
        raise UserError(
            f"no rows for the {' and '.join(empty)} part ({told['train']} patients to learn from, "
            f"{told['held-out']} held out): give {share}"
        )


def _show_dataset(card: DatasetCard) -> None:
    out = console()
    rows = [(kind, str(n["train"]), str(n["held-out"])) for kind, n in card.rows.items()]
    total = [str(sum(n[part] for n in card.rows.values())) for part in ("train", "held-out")]
    people = ("patients", str(card.patients["train"]), str(card.patients["held-out"]))
    table = plain_table(("question", "train", "held-out"), [*rows, ("rows", *total), people], frozenset((1, 2)))
    emit(out, table)
    if not card.dropped:
        return
    most = sorted(card.dropped.items(), key=lambda row: -row[1])
    emit(
        out,
        plain_table(("left out, and why", "questions"), [(why, str(n)) for why, n in most[:_REASONS]], frozenset((1,))),
    )
    if len(most) > _REASONS:
        tell_note(f"… and {len(most) - _REASONS} more reasons, in card.json")


def train(
    rows: Path, out: Path, model: str | None, recipe_of: Callable[[Mapping[str, Any]], Recipe], *, as_json: bool
) -> None:
    """Train, saying what it needs before anything is loaded and where it is on the way."""
    given = settings.read()
    recipe = recipe_of(
        {
            "model": model or given.model or DEFAULT,
            "revision": given.model_revision,
            "precision": given.model_precision,
        }
    )
    require_packages(recipe)
    from agent.adapt.training import train as trained

    try:
        card = trained(
            rows,
            out,
            recipe,
            device=given.model_device,
            token=given.model_token.get_secret_value() if given.model_token else None,
            offline=given.model_offline,
            on_need=_tell_need,
            on_step=_tell_step,
            on_resume=lambda step: tell_note(f"going on from step {step}"),
        )
    except KeyboardInterrupt:
        tell_note("stopped; the same command goes on from the last checkpoint")
        raise
    print(card.model_dump_json(indent=2) if as_json else _trained(card, out))


def _tell_need(need: Memory, room: int, where: str) -> None:
    tell_note(
        f"needs about {gib(need.total)} GiB ({gib(need.weights)} weights, {gib(need.adapter)} adapter in training, "
        f"{gib(need.work)} to work in); {where} has {gib(room)} GiB free"
    )


def _tell_step(at: Progress) -> None:
    told = [f"step {at.step} of {at.steps}"]
    told += [f"loss {at.loss:.4f}"] if at.loss is not None else []
    told += [f"held-out {at.held_out:.4f}"] if at.held_out is not None else []
    told += [f"{at.left / 60:.0f} min left"] if at.left >= 60 else []
    tell_note(", ".join(told))


def _trained(card: AdapterCard, out: Path) -> str:
    held = [loss.held_out for loss in card.losses if loss.held_out is not None]
    long = f"; {card.too_long} rows were longer than the context and left out" if card.too_long else ""
    return (
        f"{card.steps} steps on {card.rows} rows in {card.seconds:.0f} s, {card.trained:,} weights trained{long}\n"
        f"held-out loss {held[0]:.4f} → {held[-1]:.4f} nats a token\n"
        f"use it: CHARTLINE_MODEL={card.recipe.model} CHARTLINE_MODEL_ADAPTER={out}"
    )


def evaluate(rows: Path, folder: Path, places: Places | None, limit: int, tokens: int, *, as_json: bool) -> None:
    """Print the comparison."""
    from agent.adapt.comparing import Exam, compare
    from agent.adapt.runs import read_adapter_card

    given = settings.read()
    require_packages(read_adapter_card(folder).recipe)
    exam = Exam(
        dataset=rows,
        adapter=folder,
        places=places,
        limit=limit,
        tokens=tokens,
        seconds=given.model_seconds,
        batch=given.model_batch,
        device=given.model_device,
        token=given.model_token.get_secret_value() if given.model_token else None,
        offline=given.model_offline,
    )
    found = asyncio.run(compare(exam, given, tell_note))
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    _show_comparison(found)


def _show_comparison(found: Comparison) -> None:
    before, after = found.before, found.after

    def share(value: float | None) -> str:
        return "not judged" if value is None else f"{value:.3f}"

    rows = [
        ("held-out loss, nats a token", f"{before.loss:.4f}", f"{after.loss:.4f}"),
        ("valid under the schema", share(before.valid), share(after.valid)),
        ("the exact reply", share(before.exact), share(after.exact)),
        ("right after verify", share(before.right), share(after.right)),
    ]
    faults = tuple(sum(m.faults.values()) for m in (before, after))
    rows += [("no reply", str(faults[0]), str(faults[1]))] if any(faults) else []
    out = console()
    emit(
        out,
        plain_table((f"{found.rows} rows of {found.patients} patients", "before", "after"), rows, frozenset((1, 2))),
    )
    kinds = [
        (kind, *(f"{m.exact_by_kind[kind][0]} of {m.exact_by_kind[kind][1]}" for m in (before, after)))
        for kind in before.exact_by_kind
    ]
    emit(out, plain_table(("exact replies by question", "before", "after"), kinds, frozenset((1, 2))))
    for fault, number in {**before.faults, **after.faults}.items():
        tell_note(f"{number} times: {fault}")
    if found.too_long:
        tell_note(f"{found.too_long} rows were longer than the context and left out")
    if found.before.right is not None and found.judged < found.rows:
        tell_note(f"{found.rows - found.judged} rows could not be judged: their charts are not there, or have changed")
