"""A fault-injecting ASGI proxy: in front of an app in this process, or of a server over HTTP (`forward`)."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import orjson

from tools.faults.kinds import ENTRIES, PAGES, STATEMENTS, Fault
from tools.faults.pages import OTHER_ORIGIN, Book
from tools.faults.transport import App, Message, Receive, Scope, Send

__all__ = ["Answer", "FaultyProxy", "forward"]

LIED_ABOUT = frozenset(("code", "category", "date", "status", "clinical-status", "encounter", "_sort", "_elements"))
"""Parameters that a lying server claims to know and then ignores."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer on its way to the client: `left` is how its body breaks off."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay: float = 0.0
    drip: float = 0.0
    breaks: bool = False
    left: bytes | None = None
    json: Any = field(default=None)


class FaultyProxy:
    """Passes requests on to `app` and spoils some of the answers.

    `base` is the FHIR base URL as the client knows it.
    `injected` counts the faults that really happened, by kind: one that finds no occasion does nothing.
    `page_size` makes the server's pages small, whatever `_count` it is asked for (which R4 3.1.1.5.5 allows).
    """

    def __init__(
        self, app: App, faults: Sequence[Fault], *, base: str, seed: int = 0, page_size: int | None = None
    ) -> None:
        self.app, self.faults, self.page_size = app, faults, page_size
        self.injected: Counter[str] = Counter()
        self._seen: Counter[Fault] = Counter()
        self._random = random.Random(seed)
        self._root = httpx.URL(base).path.rstrip("/")
        self._book = Book(f"{base}/Basic")
        self._standing = {fault.kind for fault in faults if fault.kind in STATEMENTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        for fault in self.faults:
            if fault.kind not in (*PAGES, *ENTRIES, *STATEMENTS) and self._strikes(fault):
                _ANSWERS[fault.kind.partition("-")[0] if fault.kind[:3] in ("429", "503") else fault.kind](
                    answer, fault.kind, scope, self._random
                )
                break
        await _give(answer, send)

    def _strikes(self, fault: Fault, happens: Callable[[], bool] = lambda: True) -> bool:
        """Whether this occasion is one of the fault's; counts it."""
        number = self._seen[fault]
        hit = fault.at <= number < fault.at + fault.times and happens()
        self._seen[fault] += 1
        self.injected[fault.kind] += hit
        return hit

    # What the server says by itself.

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        query = scope["query_string"].decode("latin-1")
        kept = self._book.kept(query)
        if kept is not None:
            return _made(kept) if kept else _made(_outcome("expired", "the page is gone"), status=410)
        if standing := self._standing_answer(scope):
            return standing
        scope = {**scope, "query_string": self._changed(scope["path"], query).encode()}
        receive = await self._receiving(scope, receive)
        answer = await _asked(self.app, scope, receive)
        answer.json = _parsed(answer)
        if isinstance(answer.json, dict) and self._spoilt(answer.json, _url(scope)):
            answer.body = orjson.dumps(answer.json)
        return answer

    def _standing_answer(self, scope: Scope) -> Answer | None:
        """What holds for the whole server."""
        at_root = scope["path"].rstrip("/") == self._root
        if "no-batch" in self._standing and scope["method"] == "POST" and at_root:
            self.injected["no-batch"] += 1
            return _made(_outcome("not-supported", "no batch here"), status=405)
        if "no-post" in self._standing and scope["path"].endswith("/_search"):
            self.injected["no-post"] += 1
            return _made(_outcome("not-supported", "no POST here"), status=405)
        if scope["path"].endswith("/metadata"):
            for kind, make in _STATEMENTS.items():
                if kind in self._standing:
                    self.injected[kind] += 1
                    return make()
        return None

    def _spoilt(self, body: dict[str, Any], url: str) -> bool:
        """Spoil the searchsets in a body; whether any was."""
        if body.get("resourceType") != "Bundle":
            return False
        if body.get("type") == "searchset":
            return self._spoilt_page(body, url)
        if body.get("type") != "batch-response":
            return False
        entries = body.get("entry", [])
        changed = [
            self._spoilt_page(e["resource"], _self_link(e["resource"]))
            for e in entries
            if e.get("resource", {}).get("type") == "searchset"
        ]
        return self._spoilt_entries(entries) or any(changed)

    def _spoilt_page(self, page: dict[str, Any], url: str) -> bool:
        changed = False
        for fault in (f for f in self.faults if f.kind in PAGES):
            changed |= self._strikes(fault, partial(self._book.change, fault.kind, page, url))
        return changed

    def _spoilt_entries(self, entries: list[dict[str, Any]]) -> bool:
        changed = False
        for fault in (f for f in self.faults if f.kind in ENTRIES):
            if entries and self._strikes(fault):
                _spoil_entry(entries, fault.kind, self._random)
                changed = True
        return changed

    # What the server makes of a request.

    def _changed(self, path: str, query: str) -> str:
        """The query that the server goes by: pages no larger than it likes, parameters ignored where it lies."""
        type_ = path.rstrip("/").removesuffix("/_search").rpartition("/")[2]
        if not type_[:1].isupper():
            return query
        pairs = parse_qsl(query, keep_blank_values=True)
        if "statement-lies" in self._standing:
            kept = [(name, value) for name, value in pairs if name.partition(":")[0] not in LIED_ABOUT]
            self.injected["statement-lies"] += len(kept) < len(pairs)
            pairs = kept
        if self.page_size is not None:
            sizes = [int(value) for name, value in pairs if name == "_count" and value.isdigit()]
            pairs = [pair for pair in pairs if pair[0] != "_count"]
            pairs.append(("_count", str(min(self.page_size, *sizes) if sizes else self.page_size)))
        return urlencode(pairs)

    async def _receiving(self, scope: Scope, receive: Receive) -> Receive:
        """The request's body with its searches changed likewise."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"].endswith("/_search"):
            body = self._changed(scope["path"], body.decode()).encode()
        elif body.startswith(b"{"):
            bundle = orjson.loads(body)
            for entry in bundle.get("entry", []):
                path, _, query = entry["request"]["url"].partition("?")
                if query:
                    entry["request"]["url"] = f"{path}?{self._changed(path, query)}"
            body = orjson.dumps(bundle)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                await asyncio.Event().wait()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again


def _spoil_entry(entries: list[dict[str, Any]], kind: str, rng: random.Random) -> None:
    number = rng.randrange(len(entries))
    if kind == "entry-missing":
        del entries[number]
    elif kind == "entries-swapped":
        entries[number], entries[0] = entries[0], entries[number]
    else:
        status = kind.rpartition("-")[2]
        entries[number] = {"response": {"status": f"{status} Made up", "outcome": _outcome("exception", "made up")}}


async def _asked(app: App, scope: Scope, receive: Receive) -> Answer:
    """The whole answer of an app. Not compressed, so that it can be changed."""
    plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    start: Message = {}
    parts: list[bytes] = []

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app({**scope, "headers": plain}, receive, take)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start.get("headers", ())}
    headers.pop("content-length", None)
    return Answer(status=start["status"], headers=headers, body=b"".join(parts))


def _parsed(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def _made(resource: Any, status: int = 200) -> Answer:
    return Answer(status=status, headers={"content-type": "application/fhir+json"}, body=orjson.dumps(resource))


def _outcome(code: str, words: str) -> dict[str, Any]:
    issue = {"severity": "error", "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _html(status: int) -> Answer:
    page = b"<!DOCTYPE html><html><body><h1>Gateway</h1></body></html>"
    return Answer(status=status, headers={"content-type": "text/html"}, body=page)


_STATEMENTS: dict[str, Callable[[], Answer]] = {
    "statement-404": lambda: _made(_outcome("not-found", "no statement"), status=404),
    "statement-500": lambda: _made(_outcome("exception", "broken"), status=500),
    "statement-html": lambda: _html(200),
    "statement-empty": lambda: Answer(status=200, headers={"content-type": "application/fhir+json"}, body=b""),
    "statement-minimal": lambda: _made(
        {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1"}
    ),
}


def _url(scope: Scope) -> str:
    host = next((value.decode() for name, value in scope["headers"] if name == b"host"), "fhir.test")
    query = scope["query_string"].decode()
    return f"{scope['scheme']}://{host}{scope['path']}" + (f"?{query}" if query else "")


def _self_link(page: dict[str, Any]) -> str:
    return next((str(x.get("url")) for x in page.get("link", ()) if x.get("relation") == "self"), "")


# Answers, spoilt in place: (answer, kind, scope, random).


def _status(answer: Answer, kind: str, scope: Scope, rng: random.Random) -> None:
    status, _, after = kind.partition("-")
    made = _html(int(status)) if after == "html" else _made(_outcome("transient", "made up"), status=int(status))
    answer.status, answer.headers, answer.body = made.status, made.headers, made.body
    now = datetime.now(UTC)
    values = {
        "seconds": "1",
        "zero": "0",
        "date": format_datetime(now + timedelta(seconds=2), usegmt=True),
        "past": format_datetime(now - timedelta(days=1), usegmt=True),
        "garbage": "soon, perhaps",
        "huge": "999999999",
    }
    if after in values:
        answer.headers["retry-after"] = values[after]


def _replaced(make: Callable[[Answer], bytes], **headers: str) -> Callable[[Answer, str, Scope, random.Random], None]:
    def spoil(answer: Answer, kind: str, scope: Scope, rng: random.Random) -> None:
        answer.body = make(answer)
        answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return spoil


def _connection(answer: Answer, kind: str, scope: Scope, rng: random.Random) -> None:
    half = answer.body[: len(answer.body) // 2]
    if kind == "reset":
        answer.breaks = True
    elif kind == "reset-in-body":
        answer.left, answer.breaks = half, True
    elif kind == "short-body":
        answer.left = half
    elif kind == "no-answer":
        answer.delay = 10_000.0
    elif kind == "stall":
        answer.left, answer.drip = half, 10_000.0
    else:
        answer.drip = 20.0


def _redirect(answer: Answer, kind: str, scope: Scope, rng: random.Random) -> None:
    here = _url(scope)
    places = {
        "redirect-loop": here,
        "redirect-other": OTHER_ORIGIN + scope["path"],
        "redirect-same": here + ("&" if "?" in here else "?") + "_format=json",
    }
    answer.status, answer.body = rng.choice((301, 302, 307, 308)), b""
    answer.headers["location"] = places[kind]


def _typeless(answer: Answer, kind: str, scope: Scope, rng: random.Random) -> None:
    answer.headers.pop("content-type", None)


_JSON = "application/fhir+json"
_ANSWERS: dict[str, Callable[[Answer, str, Scope, random.Random], None]] = {
    **dict.fromkeys(("429", "503", "500", "502", "504", "500-html", "503-html", "401", "403", "404", "410"), _status),
    **dict.fromkeys(("reset", "reset-in-body", "short-body", "no-answer", "stall", "drip"), _connection),
    **dict.fromkeys(("redirect-loop", "redirect-other", "redirect-same"), _redirect),
    "200-html": _replaced(lambda a: _html(200).body, content_type="text/html"),
    "truncated-json": _replaced(lambda a: a.body[: len(a.body) * 2 // 3]),
    "empty-body": _replaced(lambda a: b""),
    "json-null": _replaced(lambda a: b"null"),
    "json-list": _replaced(lambda a: b"[]"),
    "bad-utf8": _replaced(lambda a: a.body[:40] + b"\xff\xfe" + a.body[40:]),
    "wrong-type": _replaced(lambda a: a.body, content_type="application/octet-stream"),
    "no-type": _typeless,
    "gzip-garbage": _replaced(lambda a: b"\x1f\x8b not gzip at all", content_encoding="gzip"),
    "gzip-truncated": _replaced(lambda a: gzip.compress(a.body)[:-20], content_encoding="gzip"),
    "outcome-200": _replaced(lambda a: orjson.dumps(_outcome("exception", "made up")), content_type=_JSON),
    "other-resource": _replaced(
        lambda a: orjson.dumps({"resourceType": "Basic", "id": "x", "code": {"text": "y"}}), content_type=_JSON
    ),
}


async def _give(answer: Answer, send: Send) -> None:
    """Send it as it is: late, in drops, or not to the end."""
    if answer.delay:
        await asyncio.sleep(answer.delay)
    body = answer.body if answer.left is None else answer.left
    if answer.breaks and answer.left is None:
        raise ConnectionResetError("connection reset by the proxy")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for chunk in _chunks(body, 8 if answer.drip else 1):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(answer.drip)
    if answer.breaks:
        raise ConnectionResetError("connection reset by the proxy")
    if answer.left is None:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _chunks(body: bytes, number: int) -> Iterable[bytes]:
    size = max(1, -(-len(body) // number))
    return (body[start : start + size] for start in range(0, len(body), size))


@asynccontextmanager
async def forward(base: str) -> AsyncIterator[App]:
    """An ASGI app that passes requests on to the server at `base` (…/fhir) and its links back as the caller's own."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
            own = f"{scope['scheme']}://{dict(scope['headers'])[b'host'].decode()}/fhir"
            url = base + scope["path"].removeprefix("/fhir")
            query = scope["query_string"].decode()
            headers = [(name, value) for name, value in scope["headers"] if name not in (b"host", b"content-length")]
            body = body.replace(own.encode(), base.encode())
            answer = await client.request(
                scope["method"], url + (f"?{query}" if query else ""), headers=headers, content=body
            )
            content = answer.content.replace(base.encode(), own.encode())
            kept = [(b"content-type", answer.headers.get("content-type", "").encode())]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
            await send({"type": "http.response.body", "body": content, "more_body": False})

        yield app
