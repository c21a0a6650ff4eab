"""A worklist as JSON, CSV, HTML and FHIR. Names can be left out; ids stay, so that a site can find its patients."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from agent.errors import UserError
from agent.trials.types import Screened
from agent.trials.worklist import Worklist

__all__ = ["FORMATS", "export", "unnamed"]

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_CANDIDATES = ("eligible", "possibly eligible")


def unnamed(work: Worklist) -> Worklist:
    """The worklist without names, and without the patient's own record among the excerpts."""
    return work.model_copy(update={"rows": tuple(_without_name(r) for r in work.rows)})


def _without_name(screened: Screened) -> Screened:
    return screened.model_copy(update={"name": ""})


def export(work: Worklist, format: str) -> str:  # noqa: A002  the command line's own word for it
    """The worklist in a format. Raises UserError for another one."""
    if format not in FORMATS:
        raise UserError(f"no format is called {format!r}; there are {', '.join(FORMATS)}")
    return FORMATS[format](work)


def _json(work: Worklist) -> str:
    return work.model_dump_json(indent=2)


def _csv(work: Worklist) -> str:
    """One row a patient, one column a statement; no cell that a spreadsheet would run."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    heads = [f"{c.number or 'field'} {c.section}: {c.text}" for c in work.criteria]
    rows.writerow(map(_cell, ("rank", "patient", "name", "outcome", "open", "why", *heads)))
    for rank, row in enumerate(work.rows, 1):
        open_ = " ".join(map(str, row.open))
        rows.writerow(
            map(_cell, (rank, row.patient, row.name, row.outcome, open_, row.why, *(v.verdict for v in row.verdicts)))
        )
    return out.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_RISKY) else text


def _html(work: Worklist) -> str:
    return _template().render(work=work, open_of=_open)


def _open(screened: Screened) -> Sequence[Any]:
    return [v for v in screened.verdicts if v.number in screened.open]


@cache
def _template() -> Template:
    loader = PackageLoader("agent.trials", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("worklist.html.j2")


def _fhir(work: Worklist) -> str:
    """A collection Bundle (R4): the ResearchStudy, a Group of the candidates, a ResearchSubject for each."""
    from fhir.resources.R4B.bundle import Bundle

    candidates = [r for r in work.rows if r.outcome in _CANDIDATES]
    study, group = _url("study", work.trial), _url("group", work.trial)
    entries = [
        (study, _study(work, group)),
        (group, _group(work, candidates)),
        *((_url("subject", f"{work.trial}/{r.patient}"), _subject(r, study)) for r in candidates),
    ]  # fmt: skip
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": u, "resource": r} for u, r in entries],
    }
    return str(Bundle.model_validate(bundle).model_dump_json(indent=2))


def _study(work: Worklist, group: str) -> Mapping[str, Any]:
    return {
        "resourceType": "ResearchStudy",
        "status": "active",
        "title": work.title or work.trial,
        "identifier": [{"value": work.trial}],
        "enrollment": [{"reference": group}],
    }


def _group(work: Worklist, candidates: Sequence[Screened]) -> Mapping[str, Any]:
    group: dict[str, Any] = {
        "resourceType": "Group", "type": "person", "actual": True,
        "name": f"Candidates for {work.trial} as of {work.as_of}",
        "quantity": len(candidates),
    }  # fmt: skip
    if candidates:
        group["member"] = [{"entity": {"reference": r.patient}} for r in candidates]
    return group


def _subject(screened: Screened, study: str) -> Mapping[str, Any]:
    open_ = "; ".join(f"{v.text}: {v.missing or v.reason}" for v in _open(screened))
    said = html.escape(
        f"{screened.outcome.capitalize()} as of {screened.as_of}." + (f" Open: {open_}" if open_ else "")
    )
    return {
        "resourceType": "ResearchSubject", "status": "candidate", "study": {"reference": study},
        "individual": {"reference": screened.patient},
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{said}</div>'},
    }  # fmt: skip


def _url(kind: str, name: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'chartline/{kind}/{name}')}"


FORMATS = {"json": _json, "csv": _csv, "html": _html, "fhir": _fhir}
