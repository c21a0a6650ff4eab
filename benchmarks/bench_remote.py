"""The same questions over the embedded store, our own REST server and one that is not ours; what a server costs.

    python -m benchmarks.bench_remote [--eval] [--sets FOLDER] [--sample 60] [--only SET] [--no-peer] [--out FOLDER]

Answers are compared by status, text, value and citations. Without --eval the questions are those of the fault runs on
the demo charts, and a sample of the evaluation sets where they are; with it every question of the sets. Then what one
question costs: requests and bytes on a cold chart against $everything, and the time that the client adds to a server
with 20 ms of latency. Prints tables and writes out/remote.json; exits with 1 when answers differ or a figure is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.evals.cases import Case, read_rows
from agent.evals.runner import chart_path
from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from benchmarks.bench_faults import QUESTIONS, key
from fhir_tools import demo
from fhir_tools.errors import ChartlineError
from fhir_tools.http import Http
from fhir_tools.load import load as load_files
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.serve import create_app
from fhir_tools.source import Source
from tools.faults.transport import App, InProcess, Receive, Send
from tools.peers import running
from tools.peers.pinned import PeerMissing

__all__ = ["Chart", "Difference", "compare", "cost", "main", "times"]

ROOT = Path(__file__).resolve().parents[1]
BASE = "http://fhir.test"
LATENCY = 0.020
ONE_CONCEPT = "What was the latest creatinine?"
TARGETS = {"requests": 3, "bytes_share": 0.10, "added_ms": 15.0}

_UNSEARCHED = "sekmet-fhir 0.1.1 keeps Goal, FamilyMemberHistory and CareTeam and has no search parameters for them"
EXPLAINED = (
    ("sekmet", r"(answered|not_found) became incomplete \(this server does not offer \w+\)", r"", _UNSEARCHED),
    (
        "sekmet",
        r"other text, citations",
        r"not_found: .* Also in the chart: [^;]+\((mother|father|sister|brother)\) \[\d+\]\.",
        _UNSEARCHED,
    ),
)
"""Differences that are a lack or a defect of the other server's: source, cause, the right answer (any if empty), why.

They are listed and do not fail the run.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A patient's file and the questions about it."""

    path: Path
    patient: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One question that two sources answer otherwise, and what differs first."""

    source: str
    patient: str
    case: str
    question: str
    cause: str
    wanted: str
    found: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """Questions compared and differences, by source."""

    asked: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def explained(difference: Difference) -> str | None:
    """Why a difference is the other server's own."""
    for source, cause, wanted, why in EXPLAINED:
        meant = source == difference.source and re.fullmatch(cause, difference.cause)
        if meant and (not wanted or re.fullmatch(wanted, difference.wanted.strip())):
            return why
    return None


# Which questions.


def demo_charts() -> list[Chart]:
    """The demo charts with the questions of the fault runs."""
    return [
        Chart(
            path=path,
            patient=patient,
            cases=tuple(
                Case(id=f"demo-{i}", patient=patient, question=question, as_of=demo.AS_OF)
                for i, question in enumerate(QUESTIONS)
            ),
        )
        for path, patient in zip(demo.paths(), demo.patients(), strict=True)
    ]


def set_charts(folder: Path, sample: int | None) -> list[Chart]:
    """The charts of an evaluation set; a sample is taken evenly over its questions."""
    cases = read_rows(folder / "questions.jsonl", Case)
    if sample is not None and sample < len(cases):
        cases = [cases[i * len(cases) // sample] for i in range(sample)]
    by_patient: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_patient[case.patient].append(case)
    return [
        Chart(
            path=chart_path(folder / "charts", patient),
            patient=patient,
            cases=tuple(sorted(own, key=lambda c: str(c.as_of))),
        )
        for patient, own in by_patient.items()
    ]


# The same questions everywhere.


async def answers(source: Source, chart: Chart) -> dict[str, Answer | ChartlineError]:
    """Every case's answer. One agent for each day, as a session would have."""
    found: dict[str, Answer | ChartlineError] = {}
    agent: Agent | None = None
    for case in chart.cases:
        if agent is None or (case.as_of and case.as_of != agent.as_of):
            agent = Agent(source, chart.patient, as_of=case.as_of, settings=Settings())
        try:
            found[case.id] = await agent.ask(case.question)
        except ChartlineError as error:
            found[case.id] = error
    return found


def cause(wanted: Answer, found: Answer | ChartlineError) -> str:
    """What differs, in a few words by which differences can be counted."""
    if isinstance(found, ChartlineError):
        return f"{type(found).__name__}: {found}"[:100]
    if wanted.status != found.status:
        errors = dict.fromkeys(row.error for row in found.searched if row.error)
        return f"{wanted.status} became {found.status}" + (f" ({'; '.join(map(str, errors))[:120]})" if errors else "")
    parts = zip(("text", "value", "citations"), key(wanted)[1:], key(found)[1:], strict=True)
    return "other " + ", ".join(name for name, a, b in parts if a != b)


def compare(
    name: str, chart: Chart, wanted: Mapping[str, Answer | ChartlineError], found: Mapping[str, Answer | ChartlineError]
) -> Iterator[Difference]:
    """The cases that are answered otherwise."""
    for case in chart.cases:
        one, other = wanted[case.id], found[case.id]
        if isinstance(one, ChartlineError):
            raise one
        if isinstance(other, ChartlineError) or key(one) != key(other):
            yield Difference(
                source=name,
                patient=chart.patient,
                case=case.id,
                question=case.question,
                cause=cause(one, other),
                wanted=f"{one.status}: {one.text}"[:300],
                found=str(other)[:300] if isinstance(other, ChartlineError) else f"{other.status}: {other.text}"[:300],
            )


def own(store: LocalStore, *, operations: bool, latency: float = 0.0) -> tuple[Remote, InProcess]:
    """Our own server in this process, and the way to it."""
    transport = InProcess(create_app(store, operations=operations), latency=latency)
    return Remote(Http(BASE, transport=transport)), transport


async def over_all(chart: Chart, peer: running.Peer | None, tally: Tally) -> None:
    """One chart's questions over every source."""
    async with LocalStore() as store:
        if load_files([chart.path], store).errors:
            raise RuntimeError(f"{chart.path.name} did not load")
        wanted = await answers(store, chart)
        remotes = {
            "own server": own(store, operations=False)[0],
            "own server, catalogue": own(store, operations=True)[0],
        }
        if peer:
            await asyncio.to_thread(running.load, peer, running.resources_of(store))
            remotes["sekmet"] = Remote(Http(peer.base))
        for name, remote in remotes.items():
            async with remote:
                tally.differences += compare(name, chart, wanted, await answers(remote, chart))
            tally.asked[name] += len(chart.cases)


# What one question costs.


async def cost(store: LocalStore, patient: str) -> dict[str, Any]:
    """Requests and bytes (as sent, compressed) of a one-concept question on a cold chart, against `$everything`.

    The CapabilityStatement is read before, once for all charts of a server.
    """
    found: dict[str, Any] = {}
    for name, operations in (("own server", False), ("own server, catalogue", True)):
        remote, transport = own(store, operations=operations)
        async with remote:
            await remote.capabilities()
            first, statement = len(transport.requests), transport.received
            answer = await Agent(remote, patient, as_of=demo.AS_OF, settings=Settings()).ask(ONE_CONCEPT)
            asked, spent = len(transport.requests) - first, transport.received - statement
            await remote.fetch(f"Patient/{patient}/$everything")
            whole = transport.received - statement - spent
        found[name] = {
            "status": answer.status,
            "requests": asked,
            "bytes": spent,
            "statement_bytes": statement,
            "everything_bytes": whole,
            "bytes_share": round(spent / whole, 4),
        }
    return found


class Served:
    """An ASGI app, and the seconds that its answers took: `latency` before each and its own work, side by side once.

    `cpu` is its own processor time; it does not give the loop away while it works.

    The client runs on the same event loop. What it does while a request is under way counts as the client's as soon as
    it holds up an answer: an answer takes the latency, and from the start of the app's work to its end.
    """

    def __init__(self, app: App, latency: float) -> None:
        self._app, self._latency = app, latency
        self._spans: list[tuple[float, float]] = []
        self.cpu = 0.0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        begin, cpu = time.perf_counter() - self._latency, time.thread_time()
        try:
            await self._app(scope, receive, send)
        finally:
            self.cpu += time.thread_time() - cpu
            self._spans.append((begin, time.perf_counter()))

    def seconds(self, begin: float, end: float) -> float:
        """Of a stretch of time (perf_counter), how much of it at least one answer was being made in."""
        found, last = 0.0, begin
        for start, stop in sorted(self._spans):
            found += max(0.0, min(stop, end) - max(start, last))
            last = max(last, stop)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of one question: in all, of them for the server's answers, and of the processor without the server's."""

    total: float
    server: float
    cpu: float


async def times(store: LocalStore, patient: str, questions: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of a question (medians). `added` is what is left of the total without the server's own time.

    It holds the agent's own work, which the embedded store's row shows alone. `cpu` is the client's processor time:
    what `added` comes to on a machine that has nothing else to do.
    """
    found: dict[str, Any] = {}
    for name, operations in (("own server", False), ("own server, catalogue", True)):
        for warm in (False, True):
            rows = [await _timed(store, patient, q, operations=operations, warm=warm) for q in questions]
            found[f"{name}, {'warm' if warm else 'cold'}"] = _medians(rows)
    rows = [await _asked(store, patient, q, None, warm=True) for q in questions]
    found["embedded store, warm"] = {k: v for k, v in _medians(rows).items() if k in ("total_ms", "cpu_ms")}
    return found


def _medians(rows: Sequence[Spent]) -> dict[str, float]:
    columns = {
        "total_ms": [row.total for row in rows],
        "server_ms": [row.server for row in rows],
        "added_ms": [row.total - row.server for row in rows],
        "cpu_ms": [row.cpu for row in rows],
    }
    return {name: round(1000 * statistics.median(values), 1) for name, values in columns.items()}


async def _timed(store: LocalStore, patient: str, question: str, *, operations: bool, warm: bool) -> Spent:
    remote, transport = own(store, operations=operations, latency=LATENCY)
    transport.app = served = Served(transport.app, LATENCY)
    async with remote:
        return await _asked(remote, patient, question, served, warm=warm)


async def _asked(source: Source, patient: str, question: str, served: Served | None, *, warm: bool) -> Spent:
    """Warm: the chart is open, the question new to it."""
    agent = Agent(source, patient, as_of=demo.AS_OF, settings=Settings())
    if warm:
        await agent.chart()
    cpu, begin = time.process_time() - (served.cpu if served else 0.0), time.perf_counter()
    await agent.ask(question)
    end = time.perf_counter()
    return Spent(
        total=end - begin,
        server=served.seconds(begin, end) if served else 0.0,
        cpu=time.process_time() - (served.cpu if served else 0.0) - cpu,
    )


# As a whole.


@contextmanager
def _peer(wanted: bool) -> Iterator[running.Peer | None]:
    if not wanted:
        yield None
        return
    try:
        started = running.sekmet()
        peer = started.__enter__()
    except PeerMissing as error:
        print(f"without sekmet-fhir: {error}", file=sys.stderr)
        yield None
        return
    try:
        yield peer
    finally:
        started.__exit__(None, None, None)


async def _compared(charts: Sequence[Chart], peer: running.Peer | None) -> Tally:
    tally = Tally()
    for number, chart in enumerate(charts, 1):
        await over_all(chart, peer, tally)
        print(f"\r{number}/{len(charts)} charts, {len(tally.differences)} differences", end="", file=sys.stderr)
    print(file=sys.stderr)
    return tally


@asynccontextmanager
async def _demo_store() -> AsyncIterator[LocalStore]:
    async with LocalStore() as store:
        load_files(demo.paths(), store)
        yield store


async def _measured() -> tuple[dict[str, Any], dict[str, Any]]:
    patient = demo.patients()[1]
    async with _demo_store() as store:
        return await cost(store, patient), await times(store, patient, QUESTIONS)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", action="store_true", help="every question of the evaluation sets")
    parser.add_argument("--sets", type=Path, default=ROOT.parent / "shared" / "evalset")
    parser.add_argument("--only", help="name of one set")
    parser.add_argument("--sample", type=int, default=60, help="questions of each set without --eval")
    parser.add_argument("--no-peer", action="store_true", help="leave sekmet-fhir out")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    return parser.parse_args(argv)


def _charts(options: argparse.Namespace) -> list[Chart]:
    found = sorted(p.parent for p in options.sets.glob("*/questions.jsonl") if options.only in (None, p.parent.name))
    if not found:
        print(f"no evaluation sets under {options.sets}: the demo charts alone")
    sets = [chart for folder in found for chart in set_charts(folder, None if options.eval else options.sample)]
    return [*demo_charts(), *sets]


def missed(costs: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    """The targets that were not reached, in words."""
    said = []
    for name, row in (*costs.items(), *measured.items()):
        above = ((figure, row[figure]) for figure, most in TARGETS.items() if row.get(figure, 0) > most)
        said += [f"{name}: {figure} {value}, wanted {TARGETS[figure]}" for figure, value in above]
    return said


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 when answers differ or a figure is missed."""
    options = _arguments(argv)
    with _peer(not options.no_peer) as peer:
        tally = asyncio.run(_compared(_charts(options), peer))
    costs, measured = asyncio.run(_measured())
    by_source = Counter(d.source for d in tally.differences)
    causes = Counter((d.source, d.cause) for d in tally.differences)
    options.out.mkdir(parents=True, exist_ok=True)
    report = {
        "asked": dict(tally.asked),
        "different": dict(by_source),
        "causes": [{"source": s, "cause": c, "count": n} for (s, c), n in causes.most_common()],
        "cost": costs,
        "times": measured,
    }
    rows = [{**asdict(d), "explained": explained(d)} for d in tally.differences]
    (options.out / "remote.json").write_text(json.dumps({**report, "differences": rows}, indent=1))
    for name, asked in tally.asked.items():
        lacks = sum(d.source == name and explained(d) is not None for d in tally.differences)
        print(f"{name:24} {asked:5} questions, {by_source[name]} answered otherwise, {lacks} of them explained")
    for (source, words), number in causes.most_common(20):
        print(f"  {number:4} {source}: {words}")
    for name, row in {**costs, **measured}.items():
        print(f"{name:30} " + "  ".join(f"{k} {v}" for k, v in row.items()))
    short = missed(costs, measured)
    for line in short:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if short or not all(map(explained, tally.differences)) else 0


if __name__ == "__main__":
    sys.exit(main())
