"""`chartline model`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Json

__all__ = ["models"]

models = typer.Typer(help="What a model takes on your hardware: measured, and worked out.", no_args_is_help=True)


@models.command("bench")
def model_bench(
    name: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Instead of CHARTLINE_MODEL.", show_default=False)
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="A server, instead of CHARTLINE_MODEL_URL.", show_default=False),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", metavar="FILE.jsonl", exists=True, dir_okay=False, help="Default: 24 that ship."),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option("--charts", metavar="DIR", exists=True, file_okay=False, help="Their <patient id>.json.gz."),
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", min=0.05, help="The most that it takes after loading.")] = 10.0,
    at_once: Annotated[
        int, typer.Option("--at-once", min=0, max=64, help="Questions side by side; 0 is CHARTLINE_MODEL_BATCH.")
    ] = 0,
    auto: Annotated[bool, typer.Option("--auto", help="Ask rules first, and the model what they refuse.")] = False,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", dir_okay=False, help="Also write the figures here.")
    ] = None,
) -> None:
    """Measure the model of the settings: loading, memory, speed, questions an hour, tokens and calls.

    Ctrl-C ends it and leaves what was measured.
    """
    from agent.cli import benching

    wanted = benching.Wanted(
        name=name, url=url, questions=questions, charts=charts, minutes=minutes, at_once=at_once, auto=auto
    )
    raise typer.Exit(benching.bench(wanted, out, as_json=json))


@models.command("compare")
def model_compare(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, metavar="A.json B.json…", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Put the figures of several benches (`model bench --out`) side by side."""
    from agent.cli import benching

    benching.compare(files, as_json=json)


@models.command("needs")
def model_needs(
    context: Annotated[
        list[int] | None,
        typer.Option("--context", min=1024, metavar="TOKENS", help="Twice or more for several; 8192 and 32768."),
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=0, max=64, help="Questions side by side; 0 is CHARTLINE_MODEL_BATCH.")
    ] = 0,
    json: Json = False,
) -> None:
    """Work out what memory every variant needs, and which setting would fit into what is free here."""
    from agent.cli import needing

    needing.needs(tuple(context or needing.CONTEXTS), at_once, as_json=json)
