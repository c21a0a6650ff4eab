"""A light generator of load: questions to `POST /v1/ask` over kept connections, by bare sockets.

It runs in a process of its own beside the service, on the same cores: what it costs is kept small, so that the figures
are the service's.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

import orjson

__all__ = ["Asked", "Heard", "closed_loop", "open_loop"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a patient."""

    patient: str
    question: str

    def request(self, host: str) -> bytes:
        """As HTTP/1.1."""
        body = orjson.dumps({"question": self.question, "patient": self.patient})
        head = f"POST /v1/ask HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(slots=True)
class Heard:
    """Seconds of answers with 200, how many answers had which status, and how many of those refused said when."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    later: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.perf_counter)
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Answers with 200 a second."""
        return len(self.seconds) / (self.ended - self.began)

    def told(self) -> str:
        """Median, 95th and 99th percentile of the answers, the rest by status."""
        cuts = quantiles(self.seconds, n=100)
        rest: dict[int | str, int] = {s: n for s, n in self.statuses.items() if s != 200}
        rest.update(self.faults)
        return (
            f"{len(self.seconds):,} answers, {self.rate:.0f} a second, median {1e3 * median(self.seconds):.0f} ms, "
            f"95th {1e3 * cuts[94]:.0f} ms, 99th {1e3 * cuts[98]:.0f} ms, others {rest or 'none'}"
        )


class _Line:
    """One connection, opened anew where the server closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, asked: Asked, heard: Heard, began: float) -> None:
        try:
            reader, writer = await self._opened()
            writer.write(asked.request(self._host))
            head = await reader.readuntil(b"\r\n\r\n")
            status, fields = int(head[9:12]), head.lower()
            await reader.readexactly(int(fields.split(b"content-length:")[1].split(b"\r\n")[0]))
        except (OSError, EOFError, asyncio.IncompleteReadError) as error:
            heard.faults[type(error).__name__] += 1
            self.close()
            return
        heard.statuses[status] += 1
        heard.later += b"\r\nretry-after:" in fields
        if status == 200:
            heard.seconds.append(time.perf_counter() - began)
        if b"connection: close" in fields:
            self.close()

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():  # the server closed it while nothing was asked
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        return self._streams

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def closed_loop(host: str, port: int, work: Sequence[Asked], *, callers: int, questions: int) -> Heard:
    """Callers who each ask one question after the other, as soon as the last is answered."""
    heard, left = Heard(), iter(_mixed(work, questions))

    async def caller() -> None:
        line = _Line(host, port)
        for asked in left:
            await line.ask(asked, heard, time.perf_counter())
        line.close()

    await asyncio.gather(*(caller() for _ in range(callers)))
    heard.ended = time.perf_counter()
    return heard


async def open_loop(host: str, port: int, work: Sequence[Asked], *, rate: float, questions: int) -> Heard:
    """Questions that come at their own rate (a second), whether the ones before are answered or not."""
    heard, idle, running = Heard(), list[_Line](), set[asyncio.Task[None]]()

    async def one(asked: Asked, due: float) -> None:
        line = idle.pop() if idle else _Line(host, port)
        await line.ask(asked, heard, due)
        idle.append(line)

    for number, asked in enumerate(_mixed(work, questions)):
        due = heard.began + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        task = asyncio.ensure_future(one(asked, time.perf_counter()))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    heard.ended = time.perf_counter()
    for line in idle:
        line.close()
    return heard


def _mixed(work: Sequence[Asked], questions: int) -> list[Asked]:
    """So many questions, each of the work about as often, in an order that is the same each time."""
    rounds = questions // len(work) + 1
    mixed = [asked for _ in range(rounds) for asked in work]
    random.Random(1).shuffle(mixed)
    return mixed[:questions]
