"""`python -m tools.fhir_conformance URL [--patient ID] [--json]`: exit code 1 where something fails."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import httpx

from fhir_tools.search.definitions import parameters
from tools.fhir_conformance import reading, searching
from tools.fhir_conformance.session import CHECKS, Failed, NotOffered, Row, Session, body, resources

__all__ = ["main", "run"]

_MODULES = (reading, searching)
_SECONDS = 60.0


async def run(url: str, patient: str = "", transport: httpx.AsyncBaseTransport | None = None) -> list[Row]:
    """The rows of a run. Raises SystemExit where there is no server or no patient at the URL."""
    async with httpx.AsyncClient(timeout=_SECONDS, transport=transport, follow_redirects=True) as http:
        session = Session(http=http, base=url.rstrip("/"))
        session.statement = await _statement(session)
        session.patient = patient or await _any_patient(session)
        # Types that have a patient, and of which the server says that it searches them by one.
        told = {t: session.declared(t) for t in session.types() if t == "Patient" or "patient" in parameters(t)}
        await session.sample(t for t, names in told.items() if t == "Patient" or not names or "patient" in names)
        for clause, name, work in CHECKS:
            await session.run(clause, name, work(session))
    return session.rows


async def _statement(session: Session) -> dict[str, object]:
    try:
        return body(await session.get("metadata"))
    except (httpx.HTTPError, Failed, NotOffered) as fault:
        why = str(fault) or type(fault).__name__
        raise SystemExit(f"no CapabilityStatement at {session.base}/metadata: {why}") from fault


async def _any_patient(session: Session) -> str:
    answer = await session.get("Patient", [("_count", "1")])
    found = resources(body(answer)) if answer.status_code == 200 else []
    if not found:
        raise SystemExit("no patient to check with; name one with --patient")
    return str(found[0]["id"])


def _print(rows: Sequence[Row]) -> None:
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.state:<12}{row.clause:<21}{row.name:<{width}}  {row.note}".rstrip())
    counts = {state: sum(row.state == state for row in rows) for state in ("pass", "fail", "not offered")}
    print(", ".join(f"{count} {state}" for state, count in counts.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="fhir_conformance", description="Check a FHIR R4 server; it is only read.")
    parser.add_argument("url", help="the base URL")
    parser.add_argument("--patient", default="", help="the id of the patient to check with; else any")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    rows = asyncio.run(run(given.url, given.patient))
    print(json.dumps([asdict(row) for row in rows], indent=1)) if given.json else _print(rows)
    return int(any(row.state == "fail" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
