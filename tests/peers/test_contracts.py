"""The contract of a source (tests/contracts) over servers that are not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from fhir_tools.http import Http
from fhir_tools.remote import Remote
from fhir_tools.source import Source
from tests.contracts import test_source as suite
from tests.contracts.test_source import *  # noqa: F403  the suite's own tests, with the fixtures of this module
from tests.peers.conftest import or_skip
from tools.peers.running import Peer, load, medplum, sekmet

pytestmark = [pytest.mark.asyncio, pytest.mark.loopback]

PEERS = {"sekmet": sekmet, "medplum": medplum}


@pytest.fixture(scope="module", params=["sekmet", pytest.param("medplum", marks=pytest.mark.slow)])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with or_skip(PEERS[request.param]) as started:
        load(started, suite.RESOURCES)
        yield started


@pytest_asyncio.fixture
async def source(peer: Peer) -> AsyncIterator[Source]:
    async with Remote(Http(peer.base)) as made:
        yield made
