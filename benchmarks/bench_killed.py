"""Whether anything is lost, told twice or half-told when the service is killed with `kill -9` at random moments.

    python -m benchmarks.bench_killed --kills 200 [--database postgresql] [--processes 2] [--pause 6]

Each kill comes up to three seconds after the process answers again, one in ten while it starts. With `--pause` the
process is not killed but stands still (SIGSTOP) for longer than its lease, and then goes on. Afterwards every thread
and every checkpoint is held against what its client was told.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select

from agent.graph import TURNS
from agent.service.database import open_database
from agent.service.holders import LEASE
from agent.service.questions.runs import RUNS
from agent.settings import Settings
from agent.threads import open_threads
from benchmarks.killing import Client, JobClient, Question, Site

__all__ = ["Report", "kill"]

CLIENTS = 8
SPREAD = 3.0
"""Seconds within which a process is killed once it is ready: time for some answers, not for quiet."""


@dataclass(kw_only=True)
class Report:
    """What came of it. Each of `lost`, `twice`, `half` and `behind` is a fault, told in words.

    `behind` are questions that knew less than what their thread had answered before them, or something else.
    """

    kills: int = 0
    at_work: list[int] = field(default_factory=list)
    between: int = 0
    starts: list[float] = field(default_factory=list)
    questions: int = 0
    given_up: int = 0
    never_arrived: int = 0
    again: int = 0
    jobs: int = 0
    jobs_given_up: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    job_faults: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.twice, *self.half, *self.behind, *self.job_faults]


async def kill(
    folder: Path,
    kills: int,
    *,
    database: str | None = None,
    processes: int = 1,
    seed: int = 0,
    pause: float | None = None,
) -> Report:
    """Kill a process so often, with clients asking all the while, and look at what is there in the end.

    With `pause` it is not killed but stands still for so many seconds, in which its lease runs out twice.
    """
    random.seed(seed)
    report = Report(kills=kills)
    files = {"threads": folder / "threads.sqlite", "service_state": folder / "service.sqlite"}
    settings = Settings(audit=None, database=database, **files)  # type: ignore[arg-type]
    stop = asyncio.Event()
    async with Site(folder, processes, database, pause / 2 if pause else LEASE) as site:
        clients, jobs = [Client(site, number) for number in range(CLIENTS)], JobClient(site)
        asking = [asyncio.create_task(work) for work in (*(client.run(stop) for client in clients), jobs.run(stop))]
        await _kill(site, settings, report, pause)
        stop.set()
        await asyncio.gather(*asking)
        await _check(site, settings, clients, report)
    report.jobs, report.jobs_given_up, report.job_faults = jobs.done, jobs.given_up, jobs.faults
    return report


async def _kill(site: Site, settings: Settings, report: Report, pause: float | None) -> None:
    async with open_database(settings) as database, open_threads(settings) as saver:
        for _ in range(report.kills):
            victim = random.choice(site.servers)
            if random.random() < 0.9:
                report.starts.append(await site.ready(victim))
            await asyncio.sleep(random.random() * SPREAD)
            victim.pause() if pause else victim.kill()
            async with database.connect() as connection:
                working = select(RUNS.c.id, RUNS.c.thread).where(RUNS.c.state == "working")
                left = (await connection.execute(working)).all()
            report.at_work.append(len(left))
            for id_, thread in left:
                report.between += any(id_ in turns for turns in await _checkpoints(saver, thread))
            if pause:
                await asyncio.sleep(pause)
                victim.go_on()
            else:
                victim.start()


async def _checkpoints(saver: Any, thread: str) -> list[list[str]]:
    """The turns that each checkpoint of a thread knows, by their questions, the one written last first."""
    every = [one.checkpoint["channel_values"] async for one in saver.alist({"configurable": {"thread_id": thread}})]
    return [[turn["run"] for turn in values.get("turns", ())] for values in every]


async def _check(site: Site, settings: Settings, clients: list[Client], report: Report) -> None:
    async with open_threads(settings) as saver:
        for client in clients:
            rows = (await site.send("GET", f"/v1/threads/{client.thread}")).json()["turns"]
            _hold(client, {row["id"]: row for row in rows}, report)
            answered = [row["id"] for row in rows if row["state"] == "answered"]
            for turns in await _checkpoints(saver, client.thread):
                known = answered[: answered.index(turns[-1]) + 1] if turns and turns[-1] in answered else turns
                if turns != known[-TURNS:]:
                    report.behind.append(f"{turns[-1]} knew {turns[:-1]}, of {known[-TURNS:-1]}")
    async with open_database(settings) as database, database.connect() as connection:
        stuck = select(func.count()).where(RUNS.c.state == "working")
        if count := (await connection.execute(stuck)).scalar_one():
            report.lost.append(f"{count} questions are still worked on")


def _hold(client: Client, rows: dict[str, dict[str, Any]], report: Report) -> None:
    """What the client was told against what is on record."""
    known = [question.id for question in client.asked if question.id]
    unsure = [question for question in client.asked if not question.id]
    strange = [id_ for id_ in rows if id_ not in known]
    report.questions += len(client.asked)
    report.again += sum(question.sent > 1 for question in client.asked)
    report.never_arrived += len(unsure) - len(strange)
    report.given_up += sum(row["state"] == "failed" for row in rows.values())
    for id_, count in Counter(known).items():
        if count > 1:
            report.twice.append(f"{id_} is the answer to {count} questions")
    if len(strange) > len(unsure) or any(question.way != "once" for question in unsure if not question.refused):
        report.twice.append(f"{len(strange)} turns that nobody asked for, {len(unsure)} questions without an id")
    if [rows[id_]["question"] for id_ in known if id_ in rows] != [q.text for q in client.asked if q.id in rows]:
        report.half.append("questions are not what was asked")
    for question in client.asked:
        if question.id:
            _hold_one(question, rows.get(question.id), report)


def _hold_one(question: Question, row: dict[str, Any] | None, report: Report) -> None:
    if row is None or row["state"] == "working":
        report.lost.append(f"{question.id} was taken on and is {row['state'] if row else 'not there'}")
        return
    answer = row["answer"]
    if row["state"] == "failed" and row["error"]["type"] != "given-up":
        report.lost.append(f"{question.id} failed: {row['error']}")
    if any(told != answer for told in question.answers):
        report.twice.append(f"{question.id} was told otherwise than it is on record")
    if question.claims and (answer is None or any(claim not in answer["claims"] for claim in question.claims)):
        report.half.append(f"claims of {question.id} were told which its answer has not")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--processes", type=int, default=1, help="processes that share the state")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, help="seconds to stand still instead of being killed")
    arguments = parser.parse_args()
    for kind in arguments.database:
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="killed-")))
            url = _postgres(stack) if kind == "postgresql" else None
            options = {name: getattr(arguments, name) for name in ("processes", "seed", "pause")}
            made = kill(folder, arguments.kills, database=url, **options)
            _tell(f"{kind}, {arguments.processes} processes", asyncio.run(made), time.monotonic() - began)


def _postgres(stack: ExitStack) -> str:
    from tools.peers.postgres import postgres

    return stack.enter_context(postgres()).database()


def _tell(title: str, report: Report, seconds: float) -> None:
    at_work, starts = sorted(report.at_work), sorted(report.starts)
    print(f"{title}: {report.kills} kills in {seconds:.0f} s; start {starts[len(starts) // 2]:.1f} s (median)")
    print(f"  questions at work when killed: {at_work[len(at_work) // 2]} (median), {sum(at_work)} in all,")
    print(f"  of them {report.between} between the checkpoint and the row")
    print(f"  {report.questions} questions, {report.again} sent again; {report.never_arrived} never arrived,")
    print(f"  {report.given_up} told as given up; {report.jobs} jobs done, {report.jobs_given_up} given up")
    print(f"  lost {len(report.lost)}, told twice {len(report.twice)}, half-told {len(report.half)},")
    print(f"  questions that knew less than was said before them {len(report.behind)}")
    for fault in report.faults:
        print(f"  FAULT: {fault}")


if __name__ == "__main__":
    main()
