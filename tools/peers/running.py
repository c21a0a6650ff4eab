"""Starting a peer on a free port of this machine, waiting until it answers, loading it over REST, and stopping it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from fhir_tools.local import LocalStore
from fhir_tools.types import Reference
from tools.peers import make_medplum, make_sekmet

__all__ = ["Peer", "SmartClient", "free_port", "load", "medplum", "resources_of", "running", "sekmet"]

START_SECONDS = 30.0
STOP_SECONDS = 15.0
"""A server with processes of its own, such as vLLM, stops those first."""
CHUNK = 500
"""Entries of one transaction: some thousand take a server seconds, and then a time-out is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A running server. `base` is its FHIR base URL; `headers` are those that may write."""

    name: str
    base: str
    transactions: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartClient:
    """A registered SMART Backend Services client: its public keys (JWKS) and the scopes that it may be granted."""

    client_id: str
    jwks: Mapping[str, Any]
    scopes: str


@contextmanager
def sekmet(clients: Sequence[SmartClient] = (), *, token_lifetime: int = 3600) -> Iterator[Peer]:
    """sekmet-fhir, empty: open to all, or to the SMART clients alone. Raises PeerMissing, RuntimeError."""
    command = make_sekmet.make()
    port, key = free_port(), secrets.token_urlsafe()
    with tempfile.TemporaryDirectory(prefix="sekmet-") as scratch:
        settings = _sekmet_settings(port, clients, key, token_lifetime)
        (Path(scratch) / "settings.yaml").write_text(json.dumps(settings))  # JSON is YAML
        peer = Peer(
            name="sekmet", base=settings["base_url"], headers={"Authorization": f"Bearer {key}"} if clients else {}
        )
        with running([str(command), "serve", "-c", "settings.yaml"], f"{peer.base}/metadata", folder=Path(scratch)):
            yield peer


def _sekmet_settings(port: int, clients: Sequence[SmartClient], key: str, lifetime: int) -> dict[str, Any]:
    open_ = {"types": ["none"]}
    smart = {
        "types": ["smart", "bearer"],  # the static token loads the server and stands for its own operator
        "tokens": [key],
        "token_lifetime": lifetime,
        "smart_clients": [{"client_id": c.client_id, "jwks": dict(c.jwks), "scopes": c.scopes} for c in clients],
    }
    return {
        "base_url": f"http://127.0.0.1:{port}/fhir",
        "host": "127.0.0.1",
        "port": port,
        "server_auth": smart if clients else open_,
        "validation": {"inbound": "off"},  # charts hold what real servers hold
        "simulator": {"enabled": False},  # else it answers orders with results of its own
        "log_inbound": False,
    }


@contextmanager
def medplum() -> Iterator[Peer]:
    """Medplum's router over its in-memory repository, empty. Raises PeerMissing, RuntimeError."""
    node, script = make_medplum.make()
    port = free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    with running([str(node), str(script), str(port)], f"{base}/Patient", folder=script.parent):
        # Its transactions want POST and give new ids; single PUTs keep them.
        yield Peer(name="medplum", base=base, transactions=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    url: str,
    *,
    folder: Path | None = None,
    ready: Callable[[int], bool] = lambda status: status < 500,
    seconds: float = START_SECONDS,
    more: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """The process while the block lasts, once its answer from `url` has a `ready` status; `more` are its variables.

    Raises RuntimeError with its last words if that takes longer than `seconds`.
    """
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, **(more or {})}
        ) as process,
    ):
        try:
            if not _answers(process, url, ready, seconds):
                said.seek(0)
                raise RuntimeError(f"{Path(command[0]).name} did not start: {said.read()[-2000:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(process: subprocess.Popen[bytes], url: str, ready: Callable[[int], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            if ready(httpx.get(url, timeout=5, trust_env=False).status_code):
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    return False


def resources_of(store: LocalStore) -> list[dict[str, Any]]:
    """Every current resource of a store: references between them are literal (`Type/id`), so ids can be kept."""
    rows = store.connection.execute("SELECT type, id FROM resource WHERE deleted = 0 ORDER BY type, id").fetchall()
    bodies = (store.body(Reference(type=type_, id=id_)) for type_, id_ in rows)
    return [json.loads(body) for body in bodies if body is not None]


def load(peer: Peer, resources: Iterable[Mapping[str, Any]]) -> int:
    """PUT resources under their own ids; returns how many. Raises RuntimeError with the server's words."""
    every = list(resources)
    with httpx.Client(timeout=120, trust_env=False, headers=dict(peer.headers)) as client:
        if peer.transactions:
            for start in range(0, len(every), CHUNK):
                _sent(client, "POST", peer.base, _transaction(every[start : start + CHUNK]))
        else:
            for resource in every:
                _sent(client, "PUT", f"{peer.base}/{resource['resourceType']}/{resource['id']}", resource)
    return len(every)


def _transaction(resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    urls = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": url}}
        for resource, url in zip(resources, urls, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _sent(client: httpx.Client, method: str, url: str, body: Mapping[str, Any]) -> None:
    answer = client.request(method, url, json=body, headers={"Content-Type": "application/fhir+json"})
    if answer.status_code >= 400:
        raise RuntimeError(
            f"{method} {url.partition('/fhir')[2]} was refused ({answer.status_code}): {answer.text[:500]}"
        )
