"""The keys of EHRs: fetched once, again for a new key, and not for every stranger's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent.errors import UserError
from agent.service.cds.clients import Client
from agent.service.cds.keys import keys_of
from agent.settings import Settings
from fhir_tools.errors import SourceError
from tools.cds_client import Signer

pytestmark = pytest.mark.loopback
ISSUER = "https://ehr.example"


class Site:
    """Where a client's keys are: what it answers, and how often it was asked."""

    def __init__(self) -> None:
        self.body: bytes = b"{}"
        self.status, self.asked = 200, 0
        self.url = ""


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/jwks"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


async def test_the_set_is_fetched_from_the_clients_address(site: Site) -> None:
    signer = Signer("old")
    keys = keys_of(Client(issuer=ISSUER, jwks_url=site.url), Settings())
    site.body = orjson.dumps({"keys": [signer.public()]})
    assert await keys.find("ES384", "old") and await keys.find("ES384", "old")
    assert site.asked == 1
    assert await keys.find("ES384", "new") is None and site.asked == 1  # it was fetched a moment ago


@pytest.mark.parametrize(("status", "body"), [(404, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": 7}')])
async def test_what_is_no_set_is_an_error(site: Site, status: int, body: bytes) -> None:
    site.status, site.body = status, body
    with pytest.raises(SourceError, match=r"Key Set|JWKS"):
        await keys_of(Client(issuer=ISSUER, jwks_url=site.url), Settings()).find("ES384", "x")


async def test_two_keys_of_one_name_are_none(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(orjson.dumps({"keys": [Signer("a").public(), Signer("a").public(), {"kid": "b"}, 7]}))
    keys = keys_of(Client(issuer=ISSUER, jwks=path), Settings())
    assert await keys.find("ES384", "a") is None and await keys.find("ES384", "b") is None


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
async def test_a_file_that_is_no_set(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"jwks\.json"):
        await keys_of(Client(issuer=ISSUER, jwks=path), Settings()).find("ES384", "a")
