"""What a search means, held against servers that are not ours; where they differ, R4 decides (differences.toml)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import httpx
import pytest

from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.serve import create_app
from fhir_tools.source import Source
from tests.peers.odd import ODD
from tests.peers.semantics import ask_peer, ask_source, difference, searches
from tools.peers.running import Peer

KNOWN = tomllib.loads(Path(__file__).with_name("differences.toml").read_text("utf-8"))["difference"]


def _rows(peer: str) -> list[dict[str, str]]:
    return [row for row in KNOWN if row["peer"] == peer]


def _row_of(rows: list[dict[str, str]], search: str, said: str) -> int | None:
    how = "refuses" if said.startswith("refused") else "answers"
    return next((i for i, row in enumerate(rows) if row["how"] == how and re.fullmatch(row["search"], search)), None)


async def _compared(source: Source, peer: Peer, asked: list[str]) -> None:
    rows, used, unknown = _rows(peer.name), set[int](), []
    with httpx.Client(timeout=60, trust_env=False) as client:
        for search in asked:
            found = await ask_source(source, search)
            assert found.refused is None, f"{search}: {found.refused}"
            said = difference(search, found, ask_peer(client, peer.base, search))
            if not said:
                continue
            row = _row_of(rows, search, said)
            if row is None:
                unknown.append(f"{search}: {said}")
            else:
                used.add(row)
    assert not unknown, "\n".join(unknown)
    stale = [row["search"] for i, row in enumerate(rows) if i not in used]
    assert not stale, f"these rows of differences.toml cover nothing any more: {stale}"


def test_there_are_several_hundred_searches() -> None:
    assert len(searches()) > 500


@pytest.mark.loopback
async def test_the_embedded_store_and_sekmet_mean_the_same(compared: LocalStore, sekmet_peer: Peer) -> None:
    await _compared(compared, sekmet_peer, searches())


@pytest.mark.loopback
@pytest.mark.slow
async def test_the_embedded_store_and_medplum_mean_the_same(medplum_peer: Peer) -> None:
    store = LocalStore()
    with store.transaction():
        for resource in ODD:
            store.put(resource)
    async with store:
        await _compared(store, medplum_peer, [search for search in searches() if "demo-" not in search])


def _own(store: LocalStore) -> Remote:
    return Remote(Http("http://chart.test", transport=httpx.ASGITransport(create_app(store))))


async def _same_through(remote: Remote, store: LocalStore, peer: str = "") -> None:
    """Every search gives the same through a Remote, or says that it is not complete and why.

    Where the peer answers wrongly by itself, that cannot be seen from here: its rows of differences.toml hold too.
    """
    wrong, rows = [], _rows(peer)
    async with remote:
        for search in searches():
            there, here = await ask_source(remote, search), await ask_source(store, search)
            said = difference(search, here, there)
            told = there.refused is not None and there.refused.startswith("incomplete: ")
            if said and not told and _row_of(rows, search, said) is None:
                wrong.append(f"{search}: {said}")
    assert not wrong, "\n".join(wrong)


async def test_our_own_server_answers_as_the_store_does(compared: LocalStore) -> None:
    await _same_through(_own(compared), compared)


@pytest.mark.loopback
async def test_a_remote_over_sekmet_answers_as_the_store_does(compared: LocalStore, sekmet_peer: Peer) -> None:
    await _same_through(Remote(Http(sekmet_peer.base)), compared, "sekmet")
