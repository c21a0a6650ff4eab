"""How long an answer takes: with the chart open, opening and reading charts of several sizes, and as a whole process.

    python -m benchmarks.bench_ask

The charts are made from a demo chart (`benchmarks.charts`); the questions are made from what each chart holds, many
forms for each kind. Every question meets a chart just opened, so no search was kept from the one before.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from agent.open import open_chart
from agent.retrieve import retrieve
from agent.understand import understand
from agent.wire import Agent
from benchmarks.charts import PATIENT, fill
from fhir_tools import demo, garbage
from fhir_tools.catalogue import Catalogue
from fhir_tools.local import LocalStore
from fhir_tools.types import Kind, Reference

__all__ = ["LISTS", "about", "main"]

_FORMS: dict[Kind, tuple[str, ...]] = {
    "measurement": (
        "last {}?",
        "highest {} ever",
        "average {} last year",
        "how many {} results per year?",
        "{} trend",
        "how has {} changed since the one before?",
        "was there a {} in 2024?",
    ),
    "condition": ("any history of {}?", "when was {} diagnosed?", "how old was the patient at onset of {}?"),
    "medication": ("is the patient still on {}?", "when was {} started?", "what dose of {}?"),
    "immunization": ("last {}", "how many {} vaccines?"),
    "procedure": ("when was the last {}?", "how many times {}?"),
    "report": ("what did the last {} say?",),
}
LISTS = (
    "problem list",
    "current medications",
    "allergies?",
    "immunizations",
    "last admission",
    "how many visits in 2025?",
    "meds started at the last admission",
    "latest vitals",
    "abnormal labs",
    "date of birth",
    "age?",
    "family history",
    "imaging studies",
    "any statins?",
    "on a blood thinner?",
    "any history of malaria?",
    "last troponin before the last admission",
    "did the notes mention chest pain?",
)
_EACH = 6
"""Concepts of each kind that are asked about: the most frequent and the rarest."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=3, default=[1_200, 5_000, 50_000], help="resources of the charts")
    parser.add_argument("--runs", type=int, default=5, help="how often the whole process is measured")
    arguments = parser.parse_args()
    garbage.seldom()  # as the program does
    print(f"{'figure':<62}{'target':>10}{'measured':>12}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = [_made(Path(folder), size) for size in arguments.sizes]
        asyncio.run(_measured(paths, arguments.sizes))
        whole = [_process(paths[0]) for _ in range(arguments.runs)]
    _row(f"whole process, median of {len(whole)}", "1.5 s", f"{median(whole):.2f} s")


def _row(figure: str, target: str, measured: str) -> None:
    print(f"{figure:<62}{target:>10}{measured:>12}", flush=True)


def _made(folder: Path, size: int) -> Path:
    path = folder / f"{size}.db"
    store = LocalStore(path)
    fill(store, size)
    store.close()
    return path


async def _measured(paths: list[Path], sizes: list[int]) -> None:
    seconds = await _answers(paths[0])
    _row(f"answer, chart of {sizes[0]:,} open, median of {len(seconds)}", "30 ms", f"{1e3 * median(seconds):.1f} ms")
    _row("  its 95th percentile", "", f"{1e3 * quantiles(seconds, n=20)[-1]:.1f} ms")
    (small, _), (large, most) = [await _readings(path) for path in paths[1:]]
    times = sizes[2] / sizes[1]
    _row(f"open and retrieve, chart of {sizes[1]:,}, median", "", f"{1e3 * small:.1f} ms")
    _row(f"open and retrieve, chart of {sizes[2]:,}, median", "1 s", f"{1e3 * large:.1f} ms")
    _row("  the slowest question", "", f"{1e3 * most:.1f} ms")
    _row(f"  growth of the median over {times:g} times the resources", f"{times:g} ×", f"{large / small:.1f} ×")


async def _answers(path: Path) -> list[float]:
    """Seconds for each question, from the question to the answer, by an agent that has just opened the chart."""
    seconds = []
    async with LocalStore(path) as store:
        for question in await _questions(store):
            async with Agent(store, PATIENT, as_of=demo.AS_OF) as agent:
                await agent.chart()
                start = time.perf_counter()
                await agent.ask(question)
                seconds.append(time.perf_counter() - start)
    return seconds


async def _readings(path: Path) -> tuple[float, float]:
    """Median and most seconds to open the chart, understand a question and retrieve its evidence."""
    seconds = []
    async with LocalStore(path) as store:
        for question in (await _questions(store))[::4]:
            start = time.perf_counter()
            chart = await open_chart(store, Reference(type="Patient", id=PATIENT), demo.AS_OF)
            await retrieve(chart, understand(question, chart))
            seconds.append(time.perf_counter() - start)
    return median(seconds), max(seconds)


async def _questions(store: LocalStore) -> list[str]:
    chart = await open_chart(store, Reference(type="Patient", id=PATIENT), demo.AS_OF)
    return [*LISTS, *about(chart.catalogue)]


def about(catalogue: Catalogue, each: int = _EACH) -> Iterator[str]:
    """Every form of question about the most frequent and the rarest concepts of each kind."""
    for kind, forms in _FORMS.items():
        entries = sorted(catalogue.of(kind), key=lambda e: -e.count)
        for entry in {e.key: e for e in (*entries[: each // 2], *entries[-each // 2 :])}.values():
            yield from (form.format(entry.concept.label) for form in forms)


def _process(path: Path) -> float:
    options = ["--fhir", str(path), "--patient", PATIENT, "--as-of", demo.AS_OF.isoformat()]
    start = time.perf_counter()
    command = [sys.executable, "-m", "agent.cli", "ask", *options, "last A1c?"]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parent.parent)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
