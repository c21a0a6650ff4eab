"""`chartline serve` and `chartline demo --page`: start, say what they serve, answer and stop; or say why not."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from agent.cli import hosting
from agent.cli.hosting import Serving
from agent.errors import UserError
from agent.settings import Settings
from fhir_tools import demo
from tests.agent.service.conftest import FOLDER, MARIA, settings_in
from tools.peers.postgres import Postgres

ASKED = {"question": "last A1c?", "patient": MARIA}
SERVE = ("serve", "--fhir", str(FOLDER), "--as-of", demo.AS_OF.isoformat(), "--port", "0")


@contextmanager
def started(folder: Path, *arguments: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The program serving on a free port, the URL that it says, and the lines that it writes, as they come."""
    files = {"THREADS": "threads.sqlite", "SERVICE_STATE": "service.sqlite", "AUDIT": "audit.jsonl"}
    given = {f"CHARTLINE_{name}": str(folder / file) for name, file in files.items()}
    given |= {f"CHARTLINE_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, **given, "COLUMNS": "300", "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "agent.cli", *arguments]
    own = {"stderr": subprocess.PIPE, "text": True, "env": environment, "start_new_session": True}
    with subprocess.Popen(command, **own) as process:  # type: ignore[call-overload]
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")), daemon=True)  # type: ignore[union-attr]
        reader.start()
        try:
            yield process, _address(process, lines), lines
        finally:
            with suppress(ProcessLookupError):  # its workers too: they would keep the pipe open
                os.killpg(process.pid, signal.SIGKILL)
            reader.join(10)


def _address(process: subprocess.Popen[str], lines: list[str]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"https?://\S+?(?=[;,])", "".join(lines))
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("".join(lines))


def answered(url: str, **more: object) -> httpx.Response:
    """The answer, once somebody accepts it."""
    with httpx.Client(trust_env=False, timeout=30, **more) as client:  # type: ignore[arg-type]
        return client.post(f"{url}/v1/ask", json=ASKED)


@pytest.mark.loopback
def test_it_says_what_it_serves_answers_and_stops(tmp_path: Path) -> None:
    with started(tmp_path, *SERVE) as (process, url, lines):
        assert answered(url).json()["status"] == "answered"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    told = "".join(lines)
    assert f"charts from {FOLDER}; answers by rules; today is {demo.AS_OF}" in told
    assert '"route":"/v1/ask"' in told and MARIA not in told and "Traceback" not in told


@pytest.mark.loopback
@pytest.mark.slow
def test_several_processes_serve_one_port_and_count_together(tmp_path: Path) -> None:
    with started(tmp_path, *SERVE, "--workers", "2") as (process, url, lines):
        asked = 12
        assert [answered(url).status_code for _ in range(asked)] == [200] * asked
        told = httpx.get(f"{url}/metrics", trust_env=False).text
        count = re.search(r'chartline_requests_total{method="POST",route="/v1/ask",status="200"} (\S+)', told)
        assert count and float(count[1]) == asked
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "2 processes" in "".join(lines) and "Traceback" not in "".join(lines)
    assert list(tmp_path.glob("chartline-counts-*")) == []


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that serve."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def replaced(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Kill the processes that serve, and return once each of those that came in their places has failed to start."""
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    told, deadline = len(lines), time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if "".join(lines[told:]).count("it tries again") >= 3:
            return
        time.sleep(0.1)
    raise AssertionError("".join(lines))


@pytest.mark.loopback
@pytest.mark.slow
def test_processes_that_die_while_the_database_is_away_are_replaced(
    stoppable_postgres: Postgres, tmp_path: Path
) -> None:
    """And not all ended, which is what uvicorn does with those that cannot start."""
    server = stoppable_postgres
    with started(tmp_path, *SERVE, "--workers", "2", database=server.database()) as (process, url, lines):
        assert answered(url).status_code == 200
        server.stop("immediate")
        replaced(process, lines)
        server.start()
        assert answered(url).status_code == 200
        assert httpx.get(f"{url}/readyz", trust_env=False, timeout=30).status_code == 200
        server.stop("immediate")
        replaced(process, lines)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0  # also those that wait for it stop
    server.start()
    assert "CHARTLINE_DATABASE cannot be used" in "".join(lines) and "Traceback" not in "".join(lines)


async def test_a_start_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "_AGAIN", 0.01)
    tried: list[object] = []
    before = signal.getsignal(signal.SIGTERM)

    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[dict[str, int]]:
        tried.append(signal.getsignal(signal.SIGTERM))
        if len(tried) < 3:
            raise OSError("away")
        yield {"opened": len(tried)}
        tried.clear()

    async with hosting._persistent(opened)(None) as state:
        assert (state, signal.getsignal(signal.SIGTERM)) == ({"opened": 3}, before)
        assert tried == [signal.SIG_DFL] * 3  # it can be stopped meanwhile
    assert tried == []


@pytest.mark.loopback
def test_the_demo_page_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--page", "--no-open", as_of="1999-01-01") as (process, url, _):
        assert answered(url).json()["as_of"] == demo.AS_OF.isoformat()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.loopback
@pytest.mark.slow
def test_a_running_question_is_answered_before_the_service_stops(tmp_path: Path) -> None:
    with started(tmp_path, *SERVE) as (process, url, _):
        told: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: told.append(answered(url)))  # opens the chart first: takes a while
        asking.start()
        time.sleep(0.15)
        process.send_signal(signal.SIGTERM)
        asking.join(30)
        assert process.wait(30) == 0
    assert [r.status_code for r in told] == [200]


@pytest.mark.loopback
@pytest.mark.slow
def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    with started(tmp_path, *SERVE, "--tls-cert", str(certificate), "--tls-key", str(key)) as (_, url, _lines):
        assert url.startswith("https://")
        assert answered(url, verify=ssl.create_default_context(cafile=str(certificate))).status_code == 200


def refused(settings: Settings, serving: Serving, fhir: tuple[str, ...] = (str(FOLDER),)) -> str:
    with pytest.raises(UserError) as caught:
        hosting.run(settings, fhir, serving)
    return str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_are_not_served_unasked(tmp_path: Path, host: str) -> None:
    assert "nobody would be asked who they are" in refused(settings_in(tmp_path), Serving(host=host, port=0))


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    assert "go together" in refused(settings_in(tmp_path), Serving(port=0, certificate=tmp_path / "c"))
    assert "is no file" in refused(settings_in(tmp_path), Serving(port=0, certificate=tmp_path / "c", key=tmp_path))
    bad = tmp_path / "c"
    bad.write_text("no certificate")
    told = refused(settings_in(tmp_path), Serving(port=0, workers=2, certificate=bad, key=bad))
    assert "belong together" in told


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"reasoner": "llm"}, True),
        ({"reasoner": "auto", "model": "medgemma-27b-it"}, True),
        ({"vision": "medgemma-4b-it"}, True),
        ({"reasoner": "llm", "model_url": "http://127.0.0.1:8001/v1"}, False),
        ({"reasoner": "rules"}, False),
    ],
)
def test_weights_are_not_loaded_several_times(tmp_path: Path, changes: dict[str, str], refusal: bool) -> None:
    settings, serving = settings_in(tmp_path, **changes), Serving(port=0, workers=2)
    if refusal:
        assert "CHARTLINE_MODEL_URL" in refused(settings, serving)
    else:
        hosting._check(settings, serving)


@pytest.mark.loopback
@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_opened_is_told_once(tmp_path: Path, workers: int) -> None:
    serving = Serving(port=0, workers=workers)
    assert "none.sqlite" in refused(settings_in(tmp_path), serving, (str(tmp_path / "none.sqlite"),))


@pytest.mark.loopback
def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refused(settings_in(tmp_path), Serving(port=taken.getsockname()[1]))
    assert "choose another --port" in told


@pytest.mark.parametrize("module", ["uvicorn", "prometheus_client"])
def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, module: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from agent.cli import main\nsys.argv = ['chartline', 'demo', '--page', '--no-open']\nmain()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "300"}
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert told.returncode == 1
    assert "pip install 'chartline[service]'" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.loopback
def test_connections_are_taken_one_at_a_time() -> None:
    """Five wait; one turn of the loop takes one of them or, from Python 3.12 on, two; the others follow by and by."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
    loop, made = hosting.Loop(), list[asyncio.Transport]()

    class Taken(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            made.append(transport)

    try:
        loop._accept_connection(Taken, listener, None, None, 100)
        loop.run_until_complete(asyncio.sleep(0))
        assert len(made) <= 2
        loop.run_until_complete(asyncio.sleep(0.3))
        assert len(made) == 5
    finally:
        for transport in made:
            transport.abort()
        loop.run_until_complete(asyncio.sleep(0))
        for client in clients:
            client.close()
        listener.close()
        loop.close()
