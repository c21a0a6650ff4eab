"""What it costs a question to be on record: in a thread or under a key, against one that is not kept.

    python -m benchmarks.bench_threads [--questions 300] [--database postgresql]

The service is asked in this process, over the demo charts by rules. The three ways take turns, so that a busy machine
slows all alike; PostgreSQL waits for the disk as it does by default. Then 16 callers ask at once, each in a thread.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx

from agent.service.app import create_app
from agent.settings import Settings
from fhir_tools import demo

PATIENT = "demo-maria-santos"
CALLERS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=300, help="of each way")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    print("database      not kept ms  key adds ms  thread adds ms  16 at once: median ms  p99 ms")
    for kind in arguments.database:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="threads-")))
            url = _postgres(stack) if kind == "postgresql" else None
            print(f"{kind:<12}{asyncio.run(_measure(folder, url, arguments.questions))}", flush=True)


async def _measure(folder: Path, database: str | None, questions: int) -> str:
    files = {"threads": folder / "threads.sqlite", "service_state": folder / "service.sqlite"}
    settings = Settings(audit=None, as_of=demo.AS_OF, database=database, **files)  # type: ignore[arg-type]
    async with _client(settings) as client:
        thread = await _thread(client)
        plain: list[float] = []
        keyed: list[float] = []
        threaded: list[float] = []
        for number in range(questions + 20):
            rows = (
                await _ask(client, patient=PATIENT),
                await _ask(client, key=uuid4().hex, patient=PATIENT),
                await _ask(client, thread=thread),
            )
            if number >= 20:
                for told, seconds in zip((plain, keyed, threaded), rows, strict=True):
                    told.append(seconds * 1000)
        each = await asyncio.gather(*(_caller(client, max(questions // CALLERS, 5)) for _ in range(CALLERS)))
    at_once = [seconds * 1000 for several in each for seconds in several]
    base = median(plain)
    return (
        f"{base:>13.1f}{median(keyed) - base:>13.1f}{median(threaded) - base:>16.1f}"
        f"{median(at_once):>23.0f}{quantiles(at_once, n=100)[98]:>8.0f}"
    )


async def _caller(client: httpx.AsyncClient, questions: int) -> list[float]:
    thread = await _thread(client)
    return [await _ask(client, thread=thread) for _ in range(questions)]


async def _thread(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/threads", json={"patient": PATIENT})).json()["id"])


async def _ask(client: httpx.AsyncClient, key: str = "", **body: str) -> float:
    began = time.perf_counter()
    headers = {"Idempotency-Key": key} if key else {}
    response = await client.post("/v1/ask", json={"question": "last A1c?", **body}, headers=headers)
    assert response.status_code == 200, response.text
    return time.perf_counter() - began


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, fhir=(str(demo.paths()[0].parent),))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost", timeout=60) as client,
    ):
        yield client


def _postgres(stack: ExitStack) -> str:
    from tools.peers.postgres import postgres

    return stack.enter_context(postgres(durable=True)).database()


if __name__ == "__main__":
    main()
