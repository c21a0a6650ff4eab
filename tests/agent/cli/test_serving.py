"""`chartline serve-fhir`: starts, says where, answers, and stops cleanly; or says why it does not start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent.cli import serving
from agent.errors import MissingExtra, UserError
from fhir_tools import demo
from fhir_tools.local import LocalStore

OPTIONS = {"writable": False, "operations": True, "allow_remote": False}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = LocalStore(tmp_path / "store.sqlite")
    store.put({"resourceType": "Patient", "id": "ann"})
    store.close()
    return tmp_path / "store.sqlite"


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program serving on a free port, and the URL that it says."""
    command = [sys.executable, "-m", "agent.cli", "serve-fhir", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300"}) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"http://\S+", line)
            assert found, line + process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.loopback
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(path: Path, end: signal.Signals) -> None:
    with started("--store", str(path)) as (process, url), httpx.Client(trust_env=False) as client:
        answer = client.get(f"{url}/Patient/ann")
        assert answer.status_code == 200 and "server" not in answer.headers
        assert client.put(f"{url}/Patient/ann", json={}).status_code == 405
        assert client.get(f"{url}/Patient", params={"name": "x" * 60_000}).status_code == 200
        assert client.get(f"{url}/Patient", headers={"Host": "evil.test"}).status_code == 421
        process.send_signal(end)
        assert process.wait(10) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    assert not path.with_name("store.sqlite-wal").exists()


@pytest.mark.loopback
def test_a_folder_of_fhir_json_is_served_from_memory() -> None:
    with (
        started("--store", str(demo.paths()[0]), "--writable", "--no-operations") as (_, url),
        httpx.Client(trust_env=False) as client,
    ):
        assert client.get(f"{url}/Patient?_summary=count").json()["total"] == 1
        assert client.put(f"{url}/Patient/x", json={"resourceType": "Patient", "id": "x"}).status_code == 201
        assert client.get(f"{url}/Patient/x/$chartline-catalogue").status_code == 404


@pytest.mark.loopback
def test_answers_do_not_wait_for_acknowledgements() -> None:
    with serving.listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as _:
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_are_not_served_unasked(path: Path, host: str) -> None:
    with pytest.raises(UserError, match="--allow-remote"):
        serving.serve(str(path), host, 0, **OPTIONS)


@pytest.mark.loopback
def test_a_port_in_use_is_told(path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="choose another --port"):
            serving.serve(str(path), "127.0.0.1", taken.getsockname()[1], **OPTIONS)


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="chartline load"):
        serving.serve(str(tmp_path / "none"), "127.0.0.1", 0, **OPTIONS)
    with pytest.raises(UserError, match="server already"):
        serving.serve("http://x/fhir", "127.0.0.1", 0, **OPTIONS)


def test_the_extra_is_named_where_it_is_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"chartline\[service\]"):
        serving.serve(str(path), "127.0.0.1", 0, **OPTIONS)
