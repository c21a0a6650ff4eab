"""`chartline adapt`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, day

__all__ = ["adapt"]

adapt = typer.Typer(
    help="Adapt a Gemma 3 model to a site's own charts: rows, LoRA, and what it has changed.", no_args_is_help=True
)

_Charts = Annotated[
    Path | None,
    typer.Option("--charts", metavar="DIR", exists=True, file_okay=False, help="A folder with a file for each chart."),
]
_Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", exists=True, file_okay=False, show_default=False, help="The rows' folder.")
]


@adapt.command("dataset")
def adapt_dataset(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Where the rows go.")],
    fhir: Fhir = None,
    charts: _Charts = None,
    patients: Annotated[
        Path | None,
        typer.Option("--patients", metavar="FILE", exists=True, dir_okay=False, help="Only these ids, one a line."),
    ] = None,
    as_of: AsOf = None,
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.0, max=0.9, help="The share of patients kept for the evaluation.")
    ] = 0.2,
    per_patient: Annotated[int, typer.Option("--per-patient", min=1, help="The most rows of one patient.")] = 60,
    unhelped: Annotated[
        float,
        typer.Option("--unhelped", min=0.0, max=1.0, help="The share of rows without what rules worked out in them."),
    ] = 0.5,
    context: Annotated[int, typer.Option("--context", min=1024, help="The most tokens of a row.")] = 4096,
    seed: Annotated[int, typer.Option("--seed", help="Another one asks other questions.")] = 0,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="Only this kind of question; may be repeated.")
    ] = None,
    ids: Annotated[bool, typer.Option("--ids/--no-ids", help="Say in each row whose chart it is of.")] = True,
    json: Json = False,
) -> None:
    """Write training rows from charts: questions, the prompts a model gets for them, and replies that hold.

    Rows hold patient data. What rules answer and verify holds is taught, nothing else; patients are split.
    """
    from agent.adapt.dataset import Places, Plan
    from agent.cli import adapting

    plan = Plan(
        seed=seed,
        held_out=held_out,
        per_patient=per_patient,
        unhelped=unhelped,
        context=context,
        patient_ids=ids,
        kinds=tuple(kinds or ()),
    )
    places = Places(fhir=tuple(fhir or ()), charts=charts, patients=adapting.named(patients), as_of=day(as_of))
    adapting.dataset(out, places, plan, as_json=json)


@adapt.command("train")
def adapt_train(
    dataset: _Dataset,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Where the adapter goes.")],
    model: Annotated[
        str | None, typer.Option("--model", help="The weights, instead of the model of the settings.")
    ] = None,
    rank: Annotated[int, typer.Option("--rank", min=1, max=512, help="LoRA's rank.")] = 16,
    alpha: Annotated[int, typer.Option("--alpha", min=1, help="LoRA's alpha.")] = 32,
    rate: Annotated[float, typer.Option("--rate", min=1e-7, max=1.0, help="The highest learning rate.")] = 2e-4,
    epochs: Annotated[float, typer.Option("--epochs", min=0.01, help="How often each row is learnt from.")] = 2.0,
    steps: Annotated[int, typer.Option("--steps", min=0, help="So many steps instead of epochs.")] = 0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows that go through the model together.")] = 1,
    accumulate: Annotated[int, typer.Option("--accumulate", min=1, help="Batches to a step.")] = 8,
    context: Annotated[int, typer.Option("--context", min=256, help="The most tokens of a row.")] = 4096,
    save_every: Annotated[int, typer.Option("--save-every", min=1, help="Steps from checkpoint to checkpoint.")] = 50,
    watch: Annotated[int, typer.Option("--watch", min=1, help="Held-out rows whose loss is measured then.")] = 64,
    seed: Annotated[int, typer.Option("--seed", help="For the layers' first values and the order of rows.")] = 0,
    json: Json = False,
) -> None:
    """Train an adapter (LoRA). The same command again goes on with a run that was stopped.

    CHARTLINE_MODEL_PRECISION=4bit trains on 4-bit weights (QLoRA); the settings name revision, device and token too.
    """
    from agent.adapt.recipe import Recipe
    from agent.cli import adapting

    options = {"rank": rank, "alpha": alpha, "rate": rate, "epochs": epochs, "steps": steps, "batch": batch}
    options |= {"accumulate": accumulate, "context": context, "save_every": save_every, "watch": watch, "seed": seed}
    adapting.train(dataset, out, model, lambda given: Recipe.model_validate({**given, **options}), as_json=json)


@adapt.command("evaluate")
def adapt_evaluate(
    dataset: _Dataset,
    adapter: Annotated[
        Path, typer.Option("--adapter", metavar="DIR", exists=True, file_okay=False, help="What was trained.")
    ],
    fhir: Fhir = None,
    charts: _Charts = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Only so many held-out rows; 0 is all.")] = 0,
    tokens: Annotated[int, typer.Option("--tokens", min=16, help="The most tokens of a reply.")] = 768,
    judge: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Hold the answers against the charts that the rows came from.")
    ] = True,
    json: Json = False,
) -> None:
    """Compare the model with the adapter and without, on patients that it has not learnt from."""
    from agent.adapt.dataset import Places
    from agent.cli import adapting

    places = Places(fhir=tuple(fhir or ()), charts=charts) if judge else None
    adapting.evaluate(dataset, adapter, places, limit, tokens, as_json=json)
