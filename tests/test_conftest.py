"""The network guard holds: a test of the tests."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

CONFTEST = (Path(__file__).parent / "conftest.py").read_text()

BLOCKED = """
import socket, urllib.request
import pytest

REACHES = {
    "connect": lambda: socket.socket().connect(("127.0.0.1", 9)),
    "connect_ex": lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    "bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "lookup": lambda: socket.getaddrinfo("example.org", 80),
    "create_connection": lambda: socket.create_connection(("192.0.2.1", 80)),
    "urlopen": lambda: urllib.request.urlopen("http://192.0.2.1/"),
}

@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_reach(reach):
    reach()

@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_reach_in_an_exception_handler(reach):
    try:
        reach()
    except Exception:
        pass

@pytest.mark.loopback
@pytest.mark.parametrize("reach", [r for name, r in REACHES.items() if name not in ("connect", "bind")])
def test_further_than_loopback(reach):
    reach()
"""

ALLOWED = """
import socket
import pytest

@pytest.mark.loopback
def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()

def test_nothing():
    pass
"""


@pytest.mark.parametrize(
    ("source", "failed", "passed"), [(BLOCKED, 16, 0), (ALLOWED, 0, 2)], ids=["blocked", "allowed"]
)
def test_the_network_guard(pytester: pytest.Pytester, source: str, failed: int, passed: int) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\nmarkers = loopback\n")
    pytester.makepyfile(source)
    outcomes = pytester.runpytest_subprocess("-p", "no:cacheprovider").parseoutcomes()
    assert (outcomes.get("failed", 0), outcomes.get("passed", 0)) == (failed, passed)


def test_sockets_inside_the_process_are_free() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
