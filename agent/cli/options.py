"""Options that several commands share, each said once."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsOf", "Charts", "Fhir", "Jobs", "Json", "Limit", "MinCell", "NoNames", "Out", "Patient", "Rows", "Thread",
    "Verbose", "day",
]  # fmt: skip

Patient = Annotated[
    str | None,
    typer.Option(
        "--patient", "-p", help="Patient id, exact name or record number; not needed when there is one patient."
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day that counts as today."),
]
Fhir = Annotated[
    list[str] | None,
    typer.Option(
        "--fhir",
        metavar="URL|PATH",
        help="A FHIR server, a store, or a file or folder of FHIR JSON. Twice: one patient of two servers.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also show stages, searches and every citation.")]
Thread = Annotated[str | None, typer.Option("--thread", metavar="ID", help="Keep the conversation under this name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Charts = Annotated[
    Path, typer.Option("--charts", metavar="DIR", exists=True, file_okay=False, help="Folder of <patient id>.json.gz.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="Where the rows go, as JSON lines.")]
Rows = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="QUESTIONS.jsonl", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Only the first N questions; 0 is all.")]
MinCell = Annotated[int, typer.Option("--min-cell", min=0, metavar="N", help="Mask counts from 1 to below N.")]
NoNames = Annotated[bool, typer.Option("--no-names", help="Leave patients' names out.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="How many processes share the patients.")]


def day(moment: datetime | None) -> date | None:
    """The day of an `AsOf`; None where none was given."""
    return moment.date() if moment else None
