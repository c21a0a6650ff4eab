"""The service under load: `POST /v1/ask` over the demo charts, by rules, on this machine with the generator on it too.

    python -m benchmarks.bench_service [--workers 1 2] [--questions 3000] [--flood 10000]

Sixteen callers who each ask one question after the other; then questions that come at twice the rate that was carried,
with the service's memory as it goes; and the first answer of a service that has just started, on a chart not yet open.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.open import open_chart
from benchmarks.bench_ask import LISTS, about
from benchmarks.loading import Asked, Heard, closed_loop, open_loop
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
CALLERS = 16
_PATIENCE = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="processes of the service")
    parser.add_argument("--questions", type=int, default=3_000, help="questions of the sixteen callers")
    parser.add_argument("--flood", type=int, default=10_000, help="questions at twice the rate that was carried")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = asyncio.run(_work(folder / "demo.sqlite"))
        print(f"{len(work)} questions over {len(demo.patients())} charts; load {os.getloadavg()[0]:.1f}", flush=True)
        for workers in arguments.workers:
            with _service(folder, workers) as (process, port):
                _measure(process, port, work, arguments.questions, arguments.flood, workers)


async def _work(path: Path) -> list[Asked]:
    """Every form of question that `bench_ask` has, about each of the demo charts."""
    work: list[Asked] = []
    async with LocalStore(path) as store:
        load(demo.paths(), store)
        for patient in demo.patients():
            chart = await open_chart(store, Reference(type="Patient", id=patient), demo.AS_OF)
            work += [Asked(patient, question) for question in (*LISTS, *about(chart.catalogue, each=10))]
    return work


@contextmanager
def _service(folder: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service on a free port, ready; it is stopped when the block ends."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    files = {name: str(folder / f"{name.lower()}.{workers}") for name in ("THREADS", "SERVICE_STATE", "AUDIT")}
    given = {f"CHARTLINE_{name}": value for name, value in {**files, "SERVICE_LOG": "false"}.items()}
    options = ["--fhir", str(folder / "demo.sqlite"), "--as-of", demo.AS_OF.isoformat(), "--port", str(port)]
    command = [sys.executable, "-m", "agent.cli", "serve", *options, "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **given}, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _measure(
    process: subprocess.Popen[bytes], port: int, work: list[Asked], questions: int, flood: int, workers: int
) -> None:
    told = f"{workers} process{'es' if workers > 1 else ''}"
    first = asyncio.run(closed_loop(HOST, port, work[:1], callers=1, questions=2))
    print(f"{told}: first answer {1e3 * first.seconds[0]:.0f} ms, the next {1e3 * first.seconds[1]:.0f} ms", flush=True)
    asyncio.run(closed_loop(HOST, port, work, callers=CALLERS, questions=len(work) * workers))  # warm
    spent = _spent(process)
    heard = asyncio.run(closed_loop(HOST, port, work, callers=CALLERS, questions=questions))
    spent = (_spent(process) - spent) / questions
    print(f"{told}, {CALLERS} callers: {heard.told()}; {1e3 * spent:.1f} ms of CPU each", flush=True)
    if flood:
        _flood(process, port, work, 2 * heard.rate, flood, told)


def _flood(
    process: subprocess.Popen[bytes], port: int, work: list[Asked], rate: float, questions: int, told: str
) -> None:
    """Twice the load that it can carry, in ten parts: memory after each, and all answers together."""
    heard, memory = list[Heard](), [_memory(process)]
    for _ in range(10):
        heard.append(asyncio.run(open_loop(HOST, port, work, rate=rate, questions=questions // 10)))
        memory.append(_memory(process))
    whole = Heard()
    for part in heard:
        whole.seconds += part.seconds
        whole.statuses += part.statuses
        whole.faults += part.faults
        whole.later += part.later
    whole.began, whole.ended = 0.0, sum(part.ended - part.began for part in heard)
    refused = sum(whole.statuses.values()) - len(whole.seconds)
    print(f"{told}, {questions:,} at {rate:.0f} a second: {whole.told()}", flush=True)
    print(f"  of {refused:,} refused {whole.later:,} were told when to ask again", flush=True)
    print(f"  MB resident after each tenth: {' '.join(f'{m:.0f}' for m in memory)}", flush=True)


def _spent(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU of the process and those it started (Linux: utime and stime are fields 14 and 15)."""
    told = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _all(process.pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in told) / os.sysconf("SC_CLK_TCK")


def _memory(process: subprocess.Popen[bytes]) -> float:
    """MB resident of the process and those it started (Linux)."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _all(process.pid)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _all(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


if __name__ == "__main__":
    main()
