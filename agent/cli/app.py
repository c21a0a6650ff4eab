"""The commands and their options. What they do is imported when they run, so that `--help` stays quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.adapt_app import adapt
from agent.cli.cohort_app import cohort
from agent.cli.eval_app import evals
from agent.cli.images_app import images
from agent.cli.model_app import models
from agent.cli.options import AsOf, Fhir, Json, Patient, Thread, Verbose, day
from agent.cli.service_app import service
from agent.cli.trials_app import trials

__all__ = ["app"]

app = typer.Typer(
    name="chartline",
    help="Ask a patient's FHIR chart a question; every statement of the answer is backed by a checked resource.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are read from the environment: CHARTLINE_STORE, CHARTLINE_AS_OF, … --debug shows tracebacks.",
)
app.add_typer(cohort, name="cohort")
app.add_typer(evals, name="eval")
app.add_typer(adapt, name="adapt")
app.add_typer(models, name="model")
app.add_typer(images, name="images")
app.add_typer(trials, name="trials")
app.add_typer(service, name="service")


class Kind(StrEnum):
    """What a summary is about."""

    SNAPSHOT = "snapshot"
    PROBLEMS = "problems"
    MEDICATIONS = "medications"
    LABS = "labs"
    SINCE_LAST_VISIT = "since-last-visit"
    FOR_PATIENT = "for-patient"


class ReportFormat(StrEnum):
    """How a draft report is written."""

    TEXT = "text"
    FHIR = "fhir"


class Format(StrEnum):
    """How a summary is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    FHIR = "fhir"


class AnswerFormat(StrEnum):
    """How an answer is written."""

    TEXT = "text"
    JSON = "json"
    FHIR = "fhir"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"chartline {version('chartline')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that come before a command."""


@app.command()
def ask(
    question: Annotated[list[str], typer.Argument(help="The question; quotes are optional.", show_default=False)],
    patient: Patient = None,
    as_of: AsOf = None,
    fhir: Fhir = None,
    thread: Thread = None,
    format_: Annotated[AnswerFormat, typer.Option("--format", help="How it is written.")] = AnswerFormat.TEXT,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask one question about one patient.

    chartline ask --patient 123 "last hemoglobin A1c?"
    """
    from agent.cli import asking

    said, form = " ".join(question), "json" if json else format_.value
    raise typer.Exit(asking.ask(said, patient, day(as_of), fhir or (), thread, form, verbose=verbose))


@app.command()
def chat(
    patient: Patient = None, as_of: AsOf = None, fhir: Fhir = None, thread: Thread = None, verbose: Verbose = False
) -> None:
    """Ask one question after another; follow-ups keep their subject. Reads from a pipe as well."""
    from agent.cli import chatting

    raise typer.Exit(chatting.chat(patient, day(as_of), fhir or (), thread, verbose=verbose))


@app.command()
def load(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Bundles, resources, NDJSON (also .gz), or folders of them.", show_default=False),
    ],
    store: Annotated[
        Path | None, typer.Option("--store", help="The store to fill, instead of the default one.")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check every resource against FHIR R4, and report.")
    ] = False,
) -> None:
    """Load FHIR R4 files into the store. A file is loaded whole or not at all."""
    from agent.cli import loading

    raise typer.Exit(loading.load(paths, store, validate=validate))


@app.command()
def patients(
    search: Annotated[str, typer.Argument(help="Part of a name, an id or a record number.", show_default=False)] = "",
    fhir: Fhir = None,
    json: Json = False,
) -> None:
    """List the patients of the store."""
    from agent.cli import choosing

    choosing.show(search, fhir or (), as_json=json)


@app.command()
def summary(
    patient: Patient = None,
    kind: Annotated[Kind, typer.Option("--kind", help="What it is about.")] = Kind.SNAPSHOT,
    format_: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="Write to a file.", dir_okay=False)] = None,
    as_of: AsOf = None,
    fhir: Fhir = None,
) -> None:
    """Summarise a chart; every line is cited and checked as in answers."""
    from agent.cli import summing

    summing.summary(patient, kind.value, format_.value, out, day(as_of), fhir or ())


@app.command()
def report(
    study: Annotated[str, typer.Option("--study", metavar="TYPE/ID", help="The image, e.g. ImagingStudy/abc.")],
    patient: Patient = None,
    format_: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = ReportFormat.TEXT,
    out: Annotated[Path | None, typer.Option("--out", help="Write to a file.", dir_okay=False)] = None,
    as_of: AsOf = None,
    fhir: Fhir = None,
) -> None:
    """Draft a report of an image, as a model reads it, for a radiologist to check and sign."""
    from agent.cli import reporting

    reporting.report(study, patient, format_.value, out, day(as_of), fhir or ())


@app.command()
def extract(
    patient: Patient = None,
    as_of: AsOf = None,
    fhir: Fhir = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to a file.", dir_okay=False)] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what is negated, uncertain or of the family, marked as that.")
    ] = False,
    json: Json = False,
) -> None:
    """List what notes state and the structured chart lacks, each with the document and the place of its quote."""
    from agent.cli import extracting

    raise typer.Exit(extracting.extract(patient, day(as_of), fhir or (), out, every=every, as_json=json))


@app.command()
def show(
    reference: Annotated[str, typer.Argument(help="Type/id, as an answer cites it.", show_default=False)],
    patient: Patient = None,
    fhir: Fhir = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the resource's JSON.")] = False,
) -> None:
    """Show a cited resource."""
    from agent.cli import showing

    showing.show(reference, patient, fhir or (), raw=raw)


@app.command()
def serve(
    fhir: Fhir = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer side by side.")] = 1,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="The certificate chain (PEM), for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key (PEM).")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_of: AsOf = None,
) -> None:
    """Serve questions over HTTP, until Ctrl-C: the clinician's page, REST, CDS Hooks and MCP."""
    from agent.cli import hosting

    serving = hosting.Serving(host=host, port=port, workers=workers, certificate=tls_cert, key=tls_key, browse=open_)
    raise typer.Exit(hosting.serve(fhir or (), serving, day(as_of)))


@app.command()
def mcp(patient: Patient = None, fhir: Fhir = None, as_of: AsOf = None) -> None:
    """Serve one patient's chart to an MCP client over standard input and output; `serve` does so over HTTP, at /mcp."""
    from agent.cli import connecting

    connecting.mcp(patient, fhir or (), day(as_of))


@app.command("serve-fhir")
def serve_fhir(
    store: Annotated[
        str | None, typer.Option("--store", metavar="PATH", help="A store, or FHIR JSON, instead of the default store.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8080,
    writable: Annotated[bool, typer.Option("--writable", help="Let clients create, update and delete.")] = False,
    operations: Annotated[
        bool, typer.Option("--operations/--no-operations", help="Offer chartline's own operation as well.")
    ] = True,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen for other machines too; there is no authentication.")
    ] = False,
) -> None:
    """Serve the store as a FHIR R4 server, read-only unless told otherwise, until Ctrl-C."""
    from agent.cli import serving

    raise typer.Exit(
        serving.serve(store, host, port, writable=writable, operations=operations, allow_remote=allow_remote)
    )


@app.command()
def doctor(
    fhir: Annotated[
        str | None, typer.Option("--fhir", metavar="URL", help="The FHIR base URL, instead of the one of the settings.")
    ] = None,
    patient: Annotated[
        str | None, typer.Option("--patient", "-p", metavar="ID", help="Id of a patient to try searches with.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="URL|NAME", help="Look at a model instead: its server, or its name there."),
    ] = None,
    json: Json = False,
) -> None:
    """Tell in a minute whether a FHIR server, or a model, can be used, for what, and what would help."""
    from agent.cli import doctoring, doctoring_model

    if model is not None:
        raise typer.Exit(doctoring_model.doctor_model(model, as_json=json))
    raise typer.Exit(doctoring.doctor(fhir, patient, as_json=json))


@app.command()
def demo(
    page: Annotated[bool, typer.Option("--page", help="Open the clinician's page on the demo charts instead.")] = False,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="With --page: open a browser.")] = True,
) -> None:
    """Load the demo charts into a temporary store, ask questions of different kinds, and print a summary."""
    from agent.cli import demonstrating

    if page:
        raise typer.Exit(demonstrating.page(browse=browse))
    demonstrating.demo()
