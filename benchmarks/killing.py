"""The real service under `kill -9`: processes that are killed and started anew, and clients that ask all the while.

A process is started by forking one that has imported chartline already, so that two hundred starts take minutes; from
there on it is `chartline serve`. Clients ask in threads of their own, each question after the answer of the last. Some
send a question again until they have its answer, with an Idempotency-Key; some go away in the middle and come back to
`/v1/questions/{id}`; some send it once and see in the thread what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx

from agent.service.holders import LEASE
from fhir_tools import demo
from tools.peers.running import free_port

__all__ = ["Client", "JobClient", "Question", "Server", "Site"]

PATIENT = "demo-maria-santos"
QUESTIONS = ("last A1c?", "allergies?", "and the first A1c?", "active conditions?", "when was the last visit?")
ROWS = 30
"""Questions of one job."""
_PRELOADED = ["agent.cli.app", "agent.cli.hosting", "agent.service.app", "uvicorn"]
_CHART = next(str(path) for path in demo.paths() if "maria" in path.name)

Way = Literal["again", "events", "away", "once"]


def _serve(arguments: list[str], environment: dict[str, str], notes: Path, lease: float) -> None:
    os.environ.update(environment)
    sys.argv = ["chartline", *arguments]
    from agent.cli import main
    from agent.service.holders import Holder

    (Holder.__init__.__kwdefaults__ or {})["lease"] = lease

    with notes.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    main()


class Server:
    """One process of the service, on a port that it keeps over its lives."""

    def __init__(self, environment: Mapping[str, str], folder: Path, lease: float = LEASE) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._environment, self._lease = dict(environment), lease
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._notes = folder / f"{self.port}.txt"
        self._process: Any = None

    def start(self) -> None:
        """Begin a life."""
        arguments = ["serve", "--fhir", _CHART, "--as-of", demo.AS_OF.isoformat(), "--port", str(self.port)]
        self._process = self._context.Process(
            target=_serve, args=(arguments, self._environment, self._notes, self._lease), daemon=True
        )
        self._process.start()

    def check(self) -> None:
        """Raises RuntimeError with what the process said last where it ended of itself."""
        if not self._process.is_alive():
            raise RuntimeError(f"the service ended: {self._notes.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self._process.close()

    def pause(self) -> None:
        """SIGSTOP: it does nothing any more, and does not know it."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT: for the process no time has passed."""
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended."""
        self._process.terminate()
        self._process.join(20)
        self.kill()


class Site:
    """The processes that serve one state, and a way to reach any that lives."""

    def __init__(self, folder: Path, processes: int, database: str | None, lease: float = LEASE) -> None:
        environment = {
            "CHARTLINE_AUDIT": "off",
            "CHARTLINE_THREADS": str(folder / "threads.sqlite"),
            "CHARTLINE_SERVICE_STATE": str(folder / "service.sqlite"),
            **({"CHARTLINE_DATABASE": database} if database else {}),
        }
        self.servers = [Server(environment, folder, lease) for _ in range(processes)]
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)

    async def __aenter__(self) -> Site:
        for server in self.servers:
            server.start()
        try:
            for server in self.servers:
                await self.ready(server)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        for server in self.servers:
            server.stop()

    async def ready(self, server: Server) -> float:
        """Return once the process answers, with the seconds that it took. Raises RuntimeError, TimeoutError."""
        began = time.monotonic()
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await self.http.get(f"{server.url}/readyz")).status_code == 200:
                        return time.monotonic() - began
                server.check()
                await asyncio.sleep(0.02)

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer of some process that lives; sent again while there is none."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                response = await self.http.request(method, self.url() + path, **more)
                if response.status_code not in (429, 503):
                    return response
            await asyncio.sleep(0.05)

    def url(self) -> str:
        """The address of one of the processes, dead or alive."""
        return random.choice(self.servers).url


@dataclass(kw_only=True)
class Question:
    """A question that a client asked, and all that it was told about it."""

    way: Way
    text: str
    key: str
    id: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    refused: str = ""
    sent: int = 0


class Client:
    """One who asks in one thread until told to stop."""

    def __init__(self, site: Site, number: int) -> None:
        self._site, self._number = site, number
        self.thread = ""
        self.asked: list[Question] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Ask, one question after the other."""
        self.thread = (await self._site.send("POST", "/v1/threads", json={"patient": PATIENT})).json()["id"]
        ways: tuple[Way, ...] = ("again", "events", "away", "once")
        while not stop.is_set():
            number = len(self.asked)
            text, key = QUESTIONS[number % len(QUESTIONS)], f"{self._number}-{number}"
            question = Question(way=random.choice(ways), text=text, key=key)
            self.asked.append(question)
            await (self._once(question) if question.way == "once" else self._until_told(question))

    async def _until_told(self, question: Question) -> None:
        """Send it until it is answered, or refused for good."""
        while not (question.answers or question.refused):
            with contextlib.suppress(httpx.TransportError):
                if question.way == "away" and question.id:
                    await self._follow(question)
                else:
                    await self._send(question, {"Idempotency-Key": question.key})
            await asyncio.sleep(0 if question.answers else 0.05)

    async def _once(self, question: Question) -> None:
        """Send it once. Whether it arrived is seen by its id; then its end is waited for."""
        with contextlib.suppress(httpx.TransportError):
            await self._send(question, {})
        while not (question.answers or question.refused):
            if not question.id:
                turns = (await self._site.send("GET", f"/v1/threads/{self.thread}")).json()["turns"]
                if all(turn["state"] != "working" for turn in turns):
                    return
            else:
                with contextlib.suppress(httpx.TransportError):
                    await self._follow(question)
            await asyncio.sleep(0.05)

    async def _send(self, question: Question, headers: dict[str, str]) -> None:
        question.sent += 1
        body = {"question": question.text, "thread": self.thread}
        if question.way == "again":
            self._take(question, await self._site.http.post(self._url("/v1/ask"), json=body, headers=headers))
            return
        headers = headers | {"Accept": "text/event-stream"}
        async with self._site.http.stream("POST", self._url("/v1/ask"), json=body, headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
                self._take(question, response)
                return
            question.id = _id(response)
            leave = random.randrange(6) if question.way == "away" else 1000
            await self._read(question, response, leave)

    async def _follow(self, question: Question) -> None:
        url, headers = self._url(f"/v1/questions/{question.id}"), {"Accept": "text/event-stream"}
        async with self._site.http.stream("GET", url, headers=headers) as response:
            await self._read(question, response, 1000)

    async def _read(self, question: Question, response: httpx.Response, leave: int) -> None:
        async for name, data in _events(response):
            if name == "claim":
                question.claims.append(data)
            elif name == "answer":
                question.answers.append(data)
            elif name == "problem":
                question.refused = f"{data['type']}: {data['detail']}"
            leave -= 1
            if leave < 0:
                return

    def _take(self, question: Question, response: httpx.Response) -> None:
        if response.status_code == 200:
            question.id = _id(response)
            question.answers.append(response.json())
        elif response.status_code not in (409, 429, 503):
            question.refused = f"{response.status_code} {response.text}"

    def _url(self, path: str) -> str:
        return self._site.url() + path


class JobClient:
    """One who has jobs done, one after the other. `faults` are what was wrong with them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.done, self.given_up = 0, 0
        self.faults: list[str] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Begin a job, wait for its end, and look at its rows."""
        number = 0
        while not stop.is_set():
            number += 1
            given = {"patients": [PATIENT], "questions": [QUESTIONS[n % 2] for n in range(ROWS)]}
            body, headers = {"kind": "questions", "input": given}, {"Idempotency-Key": f"job-{number}"}
            job = (await self._site.send("POST", "/v1/jobs", json=body, headers=headers)).json()
            done = 0
            while job["state"] in ("waiting", "working"):
                await asyncio.sleep(0.1)
                job = (await self._site.send("GET", f"/v1/jobs/{job['id']}")).json()
                if job["done"] < done:
                    self.faults.append(f"job {number} went back from {done} to {job['done']}")
                done = job["done"]
            await self._look(job, number)

    async def _look(self, job: Mapping[str, Any], number: int) -> None:
        if job["state"] == "failed" and job["error"]["type"] == "given-up":
            self.given_up += 1
            return
        if job["state"] != "done":
            self.faults.append(f"job {number} ended as {job['state']}: {job['error']}")
            return
        rows = (await self._site.send("GET", f"/v1/jobs/{job['id']}/result")).json()["rows"]
        answered = [row for row in rows if row["answer"] and row["answer"]["question"] == row["question"]]
        if len(answered) != ROWS or job["done"] != ROWS:
            self.faults.append(f"job {number} has {len(answered)} answers of {ROWS}")
        self.done += 1


def _id(response: httpx.Response) -> str:
    return response.headers["content-location"].rpartition("/")[2]


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Whole events alone: what was cut off in the middle is none."""
    name, data = "", ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
        elif not line and data:
            yield name, json.loads(data)
            name, data = "", ""
