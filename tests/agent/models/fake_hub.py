"""A Hub on this machine: the few requests that huggingface_hub makes for a repository, with gates and tokens."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO, GATED, TOKEN = "site/tiny-gemma", "site/gated-gemma", "hf_good"


_Reply = tuple[int, dict[str, str], bytes]


@dataclass(kw_only=True)
class Hub:
    """A running Hub: its URL, and the paths that were asked of it with the status they got."""

    folder: Path
    broken: bool
    url: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)

    def answer(self, path: str, token: str | None) -> _Reply:
        """`/{repo}/resolve/{revision}/{file}`, `/api/models/{repo}/revision/{revision}` or `…/tree/{revision}`."""
        owner, name, *rest = path.removeprefix("/api/models").strip("/").split("/")
        repo = f"{owner}/{name}"
        if self.broken:
            return 403, {}, b""
        if repo == GATED and token != f"Bearer {TOKEN}":
            return 401, {"X-Error-Code": "GatedRepo"}, b""
        if repo not in (REPO, GATED):
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if len(rest) > 1 and rest[1] not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        return self._file("/".join(rest[2:])) if rest[:1] == ["resolve"] else self._listing(repo, rest[:1] == ["tree"])

    def _file(self, name: str) -> _Reply:
        if not (self.folder / name).is_file():
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        data = (self.folder / name).read_bytes()
        return 200, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}, data

    def _listing(self, repo: str, tree: bool) -> _Reply:
        files = [(path.name, path.stat().st_size) for path in sorted(self.folder.iterdir())]
        entries = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in files]
        whole = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name, "size": size} for name, size in files]}
        return 200, {"Content-Type": "application/json"}, json.dumps(entries if tree else whole).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *rest: Any) -> None:
        self._hub = hub
        super().__init__(*rest)

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        status, headers, body = self._hub.answer(path, self.headers.get("Authorization"))
        self._hub.asked.append((path, status))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def running(folder: Path, broken: bool = False) -> Iterator[Hub]:
    """Serves a folder as REPO, and as GATED to those with TOKEN."""

    hub = Hub(folder=folder, broken=broken)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
