"""Fixtures for every test: no network unless asked for, the evaluation sets where they are."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tools.peers.pinned import PeerMissing
from tools.peers.postgres import Postgres, postgres

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "evalset"

# The machines that run the tests are busy at times; a deadline would make a slow machine look like a bug.
settings.register_profile("chartline", deadline=None)
settings.load_profile("chartline")


class NetworkBlocked(BaseException):
    """A test reached for the network. Not an Exception, so that no handler under test takes it for a fault."""


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Internet sockets neither connect nor bind; `@pytest.mark.loopback` allows this machine's own addresses."""
    local = request.node.get_closest_marker("loopback") is not None
    attempts: list[str] = []
    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), local, attempts))
    monkeypatch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo, local, attempts))
    yield
    if attempts:
        pytest.fail(f"reached for the network: {', '.join(attempts)}; mark it loopback if it stays on this machine")


@pytest.fixture(autouse=True)
def _no_audit_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests ask is not on this user's record."""
    monkeypatch.setenv("CHARTLINE_AUDIT", "off")


def _guarded(original: Callable[..., Any], local: bool, attempts: list[str]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, address: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not (local and _is_loopback(address[0])):
            attempts.append(f"{original.__name__} {address!r}")
            raise NetworkBlocked(attempts[-1])
        return original(sock, address)

    return guarded


def _guarded_lookup(original: Callable[..., Any], local: bool, attempts: list[str]) -> Callable[..., Any]:
    def guarded(host: Any, *rest: Any, **options: Any) -> Any:
        if not (local and _is_loopback(host)):
            attempts.append(f"getaddrinfo {host!r}")
            raise NetworkBlocked(attempts[-1])
        return original(host, *rest, **options)

    return guarded


def _is_loopback(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `shared` where the evaluation sets are not beside the checkout."""
    skip = pytest.mark.skip(reason=f"needs {SHARED.relative_to(ROOT.parent)} beside the checkout")
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the evaluation sets; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED.relative_to(ROOT.parent)} beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL of its own; the test is skipped where it is not installed, except in continuous integration."""
    yield from _postgres()


@pytest.fixture(scope="module")
def stoppable_postgres() -> Iterator[Postgres]:
    """The same, for tests that stop it and start it again."""
    yield from _postgres()


def _postgres() -> Iterator[Postgres]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except PeerMissing as error:
            if os.environ.get("CI"):
                pytest.fail(f"continuous integration runs without its peer: {error}")
            pytest.skip(str(error))
        yield server
