"""How long an EHR waits for cards: `patient-view` and `order-sign` with their prefetch, over HTTP on the loopback.

    python -m benchmarks.bench_cds [--calls 300] [--charts DIR]

The service runs in this process; the prefetch is what the discovery's templates bring from the demo charts and, where
they are, from those of a folder of Bundles (the development sets beside the checkout). One call after another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn

from agent.service.app import create_app
from agent.service.cds.ahead import ahead
from agent.settings import Settings
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Query
from tools.cds_client import draft, prefetched, request

SETS = Path(__file__).resolve().parents[2] / "shared" / "evalset"
DRUGS = ("Amoxicillin 500 MG", "Metformin 500 MG", "Apixaban 5 MG", "Ibuprofen 600 MG", "Losartan 50 MG")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The service on a free port, with programs on this machine let in."""
    settings = Settings(
        as_of=demo.AS_OF,
        audit=None,
        cds_open=True,
        threads=folder / "threads.sqlite",
        service_state=folder / "service.sqlite",
    )
    app = create_app(settings, fhir=(str(demo.paths()[0].parent),))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False, http="h11"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn offers no event
        await asyncio.sleep(0.01)
    room, parts = app.state.cds, app.state.parts
    await ahead(parts.desk, parts.database, room.grant, demo.patients(), room.cards.questions)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    server.should_exit = True
    await task


async def bodies(client: httpx.AsyncClient, store: LocalStore, hook: str) -> list[bytes]:
    """One request for each patient of a store, as bytes."""
    services = (await client.get("/cds-services")).json()["services"]
    service = next(s for s in services if s["hook"] == hook)
    found = []
    for patient in (await store.search(Query(type="Patient"))).matches:
        context: dict[str, Any] = {"userId": "Practitioner/1", "patientId": patient["id"]}
        if hook == "order-sign":
            drafts = [draft(f"d{at}", drug, patient["id"]) for at, drug in enumerate(DRUGS)]
            context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": d} for d in drafts]}
        sent = await prefetched(store, service, context)
        found.append(orjson.dumps(request(hook, context, sent)))
    return found


async def timed(client: httpx.AsyncClient, hook: str, sent: Sequence[bytes], calls: int) -> tuple[list[float], int]:
    """The milliseconds of each call after a few to warm up, and how many cards there were."""
    times, cards = [], 0
    for number in range(calls + 10):
        began = time.perf_counter()
        answer = await client.post(f"/cds-services/chartline-{hook}", content=sent[number % len(sent)])
        took = (time.perf_counter() - began) * 1000
        answer.raise_for_status()
        if number >= 10:
            times.append(took)
            cards += len(answer.json()["cards"])
    return times, cards


async def measured(places: Sequence[tuple[str, Sequence[Path]]], calls: int) -> None:
    """A line for each set of charts and hook."""
    with tempfile.TemporaryDirectory() as scratch:
        async with serving(Path(scratch)) as client:
            for name, paths in places:
                async with LocalStore(":memory:") as store:
                    load(paths, store)
                    for hook in ("patient-view", "order-sign"):
                        sent = await bodies(client, store, hook)
                        times, cards = await timed(client, hook, sent, calls)
                        told(name, hook, sent, times, cards)


def told(name: str, hook: str, sent: Sequence[bytes], times: list[float], cards: int) -> None:
    """Print what was measured."""
    sizes = sorted(len(body) / 1000 for body in sent)
    p95 = statistics.quantiles(times, n=20)[-1]
    what = f"{name}, {hook}: {len(sent)} patients, {sizes[0]:.0f} to {sizes[-1]:.0f} kB, {cards / len(times):.1f} cards"
    took = f"median {statistics.median(times):.1f} ms, p95 {p95:.1f} ms, longest {max(times):.1f} ms"
    print(f"{what}; {len(times)} calls: {took}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="calls of each hook and set")
    parser.add_argument("--charts", type=Path, action="append", help="folders of FHIR JSON, instead of the dev sets")
    options = parser.parse_args()
    folders = options.charts or [folder for folder in sorted(SETS.glob("*/charts")) if folder.is_dir()]
    places: list[tuple[str, Sequence[Path]]] = [("demo", demo.paths())]
    places += [(folder.parent.name, sorted(folder.glob("*.json*"))[:40]) for folder in folders]
    asyncio.run(measured(places, options.calls))


if __name__ == "__main__":
    main()
