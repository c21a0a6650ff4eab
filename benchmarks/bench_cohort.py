"""How fast a trial of 20 criteria is held against many simulated patients, and how much memory it takes.

    python -m benchmarks.bench_cohort --patients 100000 --spark

One patient in ten (at most 10,000) is simulated as FHIR and loaded; the rest are grown from them with other days and
values. The embedded store is asked patient by patient, on a sample, and its time is extrapolated. Each measurement
runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.settings import Settings
from agent.trials.matching import match
from agent.trials.population import Place
from agent.trials.prescreening import column_of, prescreen
from agent.trials.reading import compile_trial, read_text
from agent.trials.sheet import Sheet
from benchmarks.cohorts import AS_OF, TRIAL, grow, write
from fhir_tools.cohort.loading import load_cohort
from fhir_tools.cohort.tables import opened
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

_BASE = 10_000


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(_measured(arguments.measure, arguments.engine)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        _run(Path(folder), arguments.patients, arguments.sample, spark=arguments.spark)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=5_000)
    parser.add_argument("--sample", type=int, default=25, help="patients that the store is asked about one by one")
    parser.add_argument("--spark", action="store_true", help="also run the same expression on Spark local[2]")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--measure", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="duckdb", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(folder: Path, patients: int, sample: int, *, spark: bool) -> None:
    base = max(min(patients // 10, _BASE), 1)
    files = write(folder / "fhir", range(base))
    start = time.perf_counter()
    loaded = load_cohort(files, folder / "small", jobs=2)
    seconds = time.perf_counter() - start
    number = sum(loaded.resources.values())
    print(
        f"load: {base} patients, {number} resources in {seconds:.1f} s, {number / seconds:.0f} resources/s "
        "(2 processes)"
    )
    start = time.perf_counter()
    grow(folder / "small", folder / "large", patients // base)
    print(f"grown to {patients} patients in {time.perf_counter() - start:.1f} s")
    small, large = (_child(folder / name, "duckdb") for name in ("small", "large"))
    for name, told in (("small", small), ("large", large)):
        print(
            f"duckdb {name}: {told['rows']} patients, {told['criteria']} criteria, compile {told['compile']:.2f} s, "
            f"run {told['run']:.2f} s, peak {told['mb']:.0f} MB"
        )
    growth = (large["compile"] + large["run"]) / (small["compile"] + small["run"])
    print(f"growth: {large['rows'] / small['rows']:.0f}x patients take {growth:.1f}x the time (target: no more)")
    each = asyncio.run(_one_by_one(folder, sample))
    whole = large["compile"] + large["run"]
    print(
        f"store, one by one: {each:.3f} s a patient ({sample}), {each * patients:.0f} s extrapolated to {patients}"
        f"; the cohort is {each * patients / whole:.0f}x as fast (target 100x)"
    )
    if spark:
        other = _child(folder / "large", "local[2]")
        same = other["digest"] == large["digest"]
        print(
            f"spark local[2]: {other['rows']} patients, run {other['run']:.1f} s, "
            f"{'the same rows' if same else 'OTHER ROWS'}"
        )


def _child(folder: Path, engine: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_cohort", "--measure", str(folder), "--engine", engine]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(folder: Path, engine: str) -> dict[str, Any]:
    criteria = compile_trial(read_text(TRIAL, "SIM"))
    with opened(folder, engine) as cohort:
        start = time.perf_counter()
        asked = prescreen(criteria, cohort, AS_OF)
        middle = time.perf_counter()
        table = cohort.table(asked.expression)
        end = time.perf_counter()
    columns = ["patient", "dead", *map(column_of, criteria)]
    rows = sorted(tuple(row[c] for c in columns) for row in table.select(columns).to_pylist())
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    # The peak of this program alone: getrusage's goes on from the process that started it.
    told = Path("/proc/self/status").read_text(encoding="ascii")
    mb = int(told.partition("VmHWM:")[2].split()[0]) / 1000
    return {
        "rows": len(rows),
        "criteria": len(criteria),
        "compile": middle - start,
        "run": end - middle,
        "mb": mb,
        "digest": digest,
    }


async def _one_by_one(folder: Path, sample: int) -> float:
    """Seconds a patient, asked of the embedded store."""
    files = write(folder / "sample", range(sample), files=1)
    sheet = Sheet(trial="SIM", title="", criteria=compile_trial(read_text(TRIAL, "SIM")))
    with closing(LocalStore(folder / "store.sqlite")) as store:
        load(files, store)
        people = [Reference(type="Patient", id=f"sim-{n}") for n in range(sample)]
        start = time.perf_counter()
        await match(sheet, Place(store, people), AS_OF, Settings())
        return (time.perf_counter() - start) / sample


if __name__ == "__main__":
    main()
