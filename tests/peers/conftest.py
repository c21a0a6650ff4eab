"""Servers that are not ours, each started once for all tests that need it, on this machine's loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from fhir_tools import demo
from fhir_tools.load import load as load_files
from fhir_tools.local import LocalStore
from tests.peers.odd import ODD
from tools.peers.pinned import PeerMissing
from tools.peers.running import Peer, load, medplum, resources_of, sekmet


@contextmanager
def or_skip(start: Callable[[], AbstractContextManager[Peer]]) -> Iterator[Peer]:
    """The running peer; the test is skipped where it cannot be installed, except in continuous integration."""
    try:
        opened = start()
        peer = opened.__enter__()
    except PeerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(f"continuous integration runs without its peer: {error}")
        pytest.skip(str(error))
    try:
        yield peer
    finally:
        opened.__exit__(None, None, None)


@pytest.fixture(scope="session")
def compared() -> Iterator[LocalStore]:
    """The embedded store with the demo charts and the odd resources: what the peers hold too."""
    store = LocalStore()
    load_files(demo.paths(), store)
    with store.transaction():
        for resource in ODD:
            store.put(resource)
    yield store
    store.close()


@pytest.fixture(scope="session")
def sekmet_peer(compared: LocalStore) -> Iterator[Peer]:
    """sekmet-fhir, open to all, with the same resources as `compared`."""
    with or_skip(sekmet) as peer:
        load(peer, resources_of(compared))
        yield peer


@pytest.fixture(scope="session")
def medplum_peer() -> Iterator[Peer]:
    """Medplum's router with the odd resources alone: it looks through everything for each search."""
    with or_skip(medplum) as peer:
        load(peer, ODD)
        yield peer
