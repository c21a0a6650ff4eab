"""The fault-injecting proxy in front of a server that is not ours, over real sockets behind it."""

from __future__ import annotations

import pytest

from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from benchmarks.bench_faults import VIOLATIONS, verdict
from fhir_tools import demo
from fhir_tools.errors import ChartlineError
from fhir_tools.http import Http, Limits
from fhir_tools.remote import Remote
from tools.faults.kinds import Fault
from tools.faults.proxy import FaultyProxy, forward
from tools.faults.transport import InProcess
from tools.peers.running import Peer

pytestmark = pytest.mark.loopback

BASE = "http://fhir.test/fhir"
# Short, so that what never answers is given up soon: here the clock is the real one.
LIMITS = Limits(connect=1, read=1, total=2, attempts=3, backoff=0.01)
QUESTION = "What was the latest creatinine?"


async def _ask(peer: Peer, *faults: Fault) -> tuple[str, str, FaultyProxy]:
    async with forward(peer.base) as app:
        proxy = FaultyProxy(app, faults, base=BASE, page_size=100)
        wanted = await _answer(FaultyProxy(app, (), base=BASE, page_size=100))
        try:
            return (*verdict(await _answer(proxy), wanted), proxy)
        except ChartlineError as error:
            return "failed", str(error), proxy


async def _answer(proxy: FaultyProxy) -> Answer:
    async with Remote(Http(BASE, transport=InProcess(proxy), limits=LIMITS)) as remote:
        return await Agent(remote, demo.patients()[2], as_of=demo.AS_OF, settings=Settings()).ask(QUESTION)


@pytest.mark.parametrize("kind", [
    "503-zero", "500", "reset", "truncated-json", "gzip-garbage", "outcome-200", "401", "expired-link", "loop",
    "other-origin", "duplicates", "short-page", "larger-total", "other-patient-link", "no-batch", "statement-404",
    "no-answer",
])  # fmt: skip
@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 2])
async def test_no_fault_makes_an_answer_wrong(sekmet_peer: Peer, kind: str, at: int) -> None:
    word, said, _ = await _ask(sekmet_peer, Fault(kind=kind, at=at, times=2))
    assert word not in VIOLATIONS, said


async def test_a_fault_that_passes_is_not_noticed(sekmet_peer: Peer) -> None:
    word, said, proxy = await _ask(sekmet_peer, Fault(kind="reset", at=1))
    assert (word, proxy.injected["reset"]) == ("equal", 1), said
