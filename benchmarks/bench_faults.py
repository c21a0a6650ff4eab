"""Ask a server that misbehaves, many times, each time by a seed: no answer may be wrong for it, nor falsely absent.

    python -m benchmarks.bench_faults [--runs 500] [--first 0] [--jobs 2] [--show]

Each run takes a demo chart, a question and one to three faults of its seed, over a proxy in this process with small
pages, on a virtual clock: a minute of waiting takes no time. Writes out/faults.json; exits with 1 for a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from fhir_tools import demo
from fhir_tools.errors import ChartlineError
from fhir_tools.http import Http
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.serve import create_app
from tools.faults.clock import run as run_virtually
from tools.faults.kinds import KINDS, Fault, draw
from tools.faults.pages import OTHER_ORIGIN
from tools.faults.proxy import FaultyProxy
from tools.faults.transport import App, InProcess

__all__ = ["QUESTIONS", "Run", "main", "one_run", "summary"]

ROOT = Path(__file__).resolve().parents[1]
BASE = "http://fhir.test"
AS_OF = demo.AS_OF
BUDGET = 1_200.0
"""Seconds on the virtual clock that one question may take: a search has 300, and some follow one another."""

QUESTIONS = (
    "What was the latest hemoglobin A1c?",
    "What was the first creatinine?",
    "What was the highest hemoglobin A1c?",
    "What is the mean of the creatinine results?",
    "How many hemoglobin A1c results are there?",
    "When was the last creatinine measured?",
    "What was the latest blood pressure?",
    "What was the highest systolic blood pressure?",
    "How much did the weight change since 2019?",
    "What was the last potassium in 2021?",
    "Has the patient ever had a troponin test?",
    "Has the patient ever had a ferritin test?",
    "What are the active conditions?",
    "Does the patient have diabetes?",
    "Does the patient have asthma?",
    "When was hypertension diagnosed?",
    "What medications is the patient taking?",
    "Is the patient on metformin?",
    "Has the patient ever been prescribed warfarin?",
    "When was lisinopril first ordered?",
    "What allergies does the patient have?",
    "Is the patient allergic to penicillin?",
    "Which immunizations has the patient had?",
    "When was the last influenza vaccine?",
    "Has the patient had a colonoscopy?",
    "What procedures has the patient had?",
    "When was the last encounter?",
    "How many hospital admissions has the patient had?",
    "How long was the last hospital stay?",
    "Why was the patient last admitted?",
    "What imaging studies has the patient had?",
    "What did the last discharge summary say?",
    "Which documents are in the chart?",
    "Does the patient smoke?",
    "Is there a family history of cancer?",
    "How old is the patient?",
    "What is the patient's date of birth?",
    "What goals does the patient have?",
    "Which care plans are active?",
    "What devices does the patient have?",
    "Which lab results were abnormal in the last year?",
    "What was the hemoglobin at the time of the last admission?",
    "Which reports are there since 2020?",
    "Which medications were stopped?",
    "What was ordered in the last two years?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one seed came to. `verdict` is `equal`, `incomplete`, `failed` or a violation: `WRONG`, `ABSENT`, …"""

    seed: int
    patient: str
    question: str
    faults: tuple[str, ...]
    injected: Mapping[str, int]
    verdict: str
    said: str
    wanted: str
    seconds: float
    virtual: float
    requests: int


@cache
def _store() -> LocalStore:
    store = LocalStore()
    report = load(demo.paths(), store)
    if report.errors:
        raise RuntimeError("the demo charts did not load")
    return store


def key(answer: Answer) -> tuple[Any, ...]:
    """What makes two answers equal: the searches of the proof may differ, the words and the sources may not."""
    citations = tuple((c.mark, c.reference, tuple(c.inputs or ())) for c in answer.citations)
    return answer.status, answer.text, repr(answer.value), citations


async def _ask(app: App, transport: InProcess, patient: str, question: str) -> Answer:
    http = Http(BASE, transport=transport)
    async with Remote(http) as remote:
        agent = Agent(remote, patient, as_of=AS_OF, settings=Settings())
        return await agent.ask(question)


@cache
def _wanted(patient: str, question: str, operations: bool, page_size: int) -> Answer:
    """The answer of the same server without faults."""
    app = create_app(_store(), operations=operations)
    proxy = FaultyProxy(app, (), base=BASE, page_size=page_size)
    answer = run_virtually(_ask(proxy, InProcess(proxy), patient, question))
    if answer.status in ("incomplete", "failed"):
        raise RuntimeError(f"without faults {question!r} is {answer.status}: {answer.text} {answer.warnings}")
    return answer


def one_run(seed: int) -> Run:
    """Run a seed."""
    rng = random.Random(f"run {seed}")
    patient, question = rng.choice(demo.patients()), rng.choice(QUESTIONS)
    operations, page_size = rng.random() < 0.2, rng.choice((5, 20, 50))
    return attempt(seed, patient, question, draw(seed), operations=operations, page_size=page_size)


def attempt(
    seed: int, patient: str, question: str, faults: Sequence[Fault], *, operations: bool = False, page_size: int = 20
) -> Run:
    """Ask one question through these faults, and hold the answer against the one without."""
    wanted = _wanted(patient, question, operations, page_size)
    app = create_app(_store(), operations=operations)
    proxy = FaultyProxy(app, faults, base=BASE, seed=seed, page_size=page_size)
    transport = InProcess(proxy)
    begin = time.perf_counter()
    verdict, said, virtual = run_virtually(_watched(proxy, transport, patient, question, wanted))
    strays = [str(request.url.host) for request in transport.strays if "authorization" in request.headers]
    if strays or any(str(r.url).startswith(OTHER_ORIGIN) for r in transport.strays):
        verdict, said = "STRAYED", f"asked another origin; {said}"
    return Run(
        seed=seed,
        patient=patient,
        question=question,
        faults=tuple(map(str, faults)),
        injected=dict(proxy.injected),
        verdict=verdict,
        said=said,
        wanted=f"{wanted.status}: {wanted.text}",
        seconds=round(time.perf_counter() - begin, 3),
        virtual=round(virtual, 1),
        requests=len(transport.requests),
    )


async def _watched(
    proxy: FaultyProxy, transport: InProcess, patient: str, question: str, wanted: Answer
) -> tuple[str, str, float]:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    try:
        async with asyncio.timeout(BUDGET):
            answer = await _ask(proxy, transport, patient, question)
    except TimeoutError:
        return "HANG", f"no answer within {BUDGET:g} s", loop.time() - begin
    except ChartlineError as error:
        return ("failed" if str(error) else "NO CAUSE"), str(error), loop.time() - begin
    except Exception as error:  # noqa: BLE001  what is no ChartlineError is what is looked for
        return "EXCEPTION", f"{type(error).__name__}: {error}", loop.time() - begin
    return (*verdict(answer, wanted), loop.time() - begin)


def verdict(answer: Answer, wanted: Answer) -> tuple[str, str]:
    """The verdict on an answer, and its words."""
    said = f"{answer.status}: {answer.text}"
    if key(answer) == key(wanted):
        return "equal", said
    if answer.status in ("incomplete", "failed"):
        causes = [row.error for row in answer.searched if row.error] + list(answer.warnings)
        causes += [answer.text] if answer.status == "failed" and answer.text else []
        return (answer.status, f"{said} [{'; '.join(map(str, causes))[:400]}]") if causes else ("NO CAUSE", said)
    return ("ABSENT" if answer.status == "not_found" else "WRONG"), said


VIOLATIONS = ("WRONG", "ABSENT", "HANG", "EXCEPTION", "NO CAUSE", "STRAYED")


def summary(runs: Sequence[Run]) -> dict[str, dict[str, int]]:
    """By kind of fault that really happened: how often, and the verdicts of those runs."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for run in runs:
        for kind in [k for k, n in run.injected.items() if n] or ["(none happened)"]:
            table[kind]["runs"] += 1
            table[kind][run.verdict] += 1
    return {kind: dict(table[kind]) for kind in (*KINDS, "(none happened)") if kind in table}


def _table(runs: Sequence[Run]) -> str:
    verdicts = ("equal", "incomplete", "failed", *VIOLATIONS)
    rows: list[tuple[str, ...]] = [("kind", "runs", *verdicts)]
    for kind, counts in summary(runs).items():
        rows.append((kind, *(str(counts.get(name, "")) for name in ("runs", *verdicts))))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print every run")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 when a run came to a violation."""
    options = _arguments(argv)
    seeds = range(options.first, options.first + options.runs)
    if options.jobs > 1:
        with ProcessPoolExecutor(max_workers=options.jobs) as pool:
            runs = list(pool.map(one_run, seeds, chunksize=10))
    else:
        runs = list(map(one_run, seeds))
    bad = [run for run in runs if run.verdict in VIOLATIONS]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "faults.json").write_text(
        json.dumps({"runs": len(runs), "kinds": summary(runs), "violations": [asdict(run) for run in bad]}, indent=1)
    )
    for run in runs if options.show else bad:
        print(f"{run.verdict:10} {run.seed} {run.patient} {run.question!r} {' '.join(run.faults)} {dict(run.injected)}")
        print(f"           {run.said[:300]}\n           wanted {run.wanted[:200]}")
    print(_table(runs))
    slowest = max(runs, key=lambda run: run.virtual)
    print(
        f"{len(runs)} runs, {len(bad)} violations; longest {slowest.virtual:g} s of virtual time (seed {slowest.seed})"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
