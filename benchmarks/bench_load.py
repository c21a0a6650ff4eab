"""How long `load` takes against `orjson.loads` of the same file, and its peak memory.

    python -m benchmarks.bench_load --sizes 5 20 600

Each measurement runs in a process of its own, so that memory and garbage collection of one do not colour the next.
Files up to 20 MB are measured five times, the two ways in turn, and told by their medians; larger ones once.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import orjson

from benchmarks.bundles import SHAPES, write

SMALL = 20
"""Megabytes up to which a file may take ten times as long as orjson; a larger one twenty-five times."""


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        _measure(arguments.measure, arguments.file)
        return
    print(f"{'file':<14}{'MB':>6}{'orjson s':>10}{'load s':>9}{'ratio':>8}{'target':>8}{'peak MB':>9}{'target':>8}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            for shape in arguments.shapes if size <= SMALL else arguments.shapes[:1]:
                for form in arguments.forms if size <= SMALL else arguments.forms[:1]:
                    _row(
                        write(Path(folder), size, shape, ndjson=form == "ndjson"),
                        arguments.runs if size <= SMALL else 1,
                    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 20, 600], help="file sizes in MB")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="large files: the first only")
    parser.add_argument("--forms", nargs="+", choices=("bundle", "ndjson"), default=["bundle"])
    parser.add_argument("--runs", type=int, default=5, help="how often a small file is measured")
    parser.add_argument("--folder", help="where the files and stores are made (default: the system's)")
    parser.add_argument("--measure", choices=("orjson", "load"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _row(path: Path, runs: int) -> None:
    pairs = [tuple(_run(way, path) for way in ("orjson", "load")) for _ in range(runs)]
    base, seconds = median(a[0] for a, _ in pairs), median(b[0] for _, b in pairs)
    peak, size = max(b[1] for _, b in pairs), path.stat().st_size / 1e6
    most = 10 if size <= SMALL * 1.2 else 25
    print(
        f"{path.name:<14}{size:>6.0f}{base:>10.3f}{seconds:>9.2f}{seconds / base:>8.1f}{most:>8}{peak:>9.0f}{500:>8}",
        flush=True,
    )
    path.unlink()


def _run(way: str, path: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one measurement."""
    command = [sys.executable, "-m", "benchmarks.bench_load", "--measure", way, "--file", str(path)]
    root = Path(__file__).parent.parent
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout
    seconds, peak = output.split()
    return float(seconds), float(peak)


def _measure(way: str, path: Path) -> None:
    seconds = _parsed(path) if way == "orjson" else _loaded(path)
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def _parsed(path: Path) -> float:
    start = time.perf_counter()
    raw = path.read_bytes()
    kept = [orjson.loads(line) for line in raw.splitlines()] if path.suffix == ".ndjson" else orjson.loads(raw)
    seconds = time.perf_counter() - start
    del kept
    return seconds


def _loaded(path: Path) -> float:
    from fhir_tools.load import load
    from fhir_tools.local import LocalStore

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        store = LocalStore(Path(folder) / "store.db")
        start = time.perf_counter()
        report = load([path], store)
        seconds = time.perf_counter() - start
        store.close()
    if report.errors:
        raise SystemExit(str(report.errors[0]))
    return seconds


if __name__ == "__main__":
    main()
