"""The ASGI application: bytes in, bytes out; what is asked is answered by the router."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from fhir_tools.local import LocalStore
from fhir_tools.serve.export import Exports
from fhir_tools.serve.formats import FORMATS, Format, chosen
from fhir_tools.serve.messages import FHIR_JSON, Answer, Ask, Refusal
from fhir_tools.serve.routes import Router
from fhir_tools.serve.searching import pairs

__all__ = ["MAX_BODY", "create_app"]

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request's body; more is refused (413)."""

_SMALLEST_GZIP = 500
_GZIP_LEVEL = 1  # JSON of charts shrinks to a tenth all the same, in a fifth of the time


def create_app(
    store: LocalStore,
    *,
    writable: bool = False,
    base: str | None = None,
    operations: bool = True,
    hosts: Collection[str] | None = None,
    max_body: int = MAX_BODY,
) -> Starlette:
    """The store as a FHIR R4 server, read-only unless `writable`. There is no authentication: bind it to loopback.

    `base` is the base URL as clients see it, where that is not the URL they ask (a proxy); X-Forwarded-* is never
    read. `operations` False leaves `$chartline-catalogue` out, so that the app behaves as any server. `hosts` are the
    names that a request's Host may have (None: any): a page in a browser must not reach a loopback server by
    a name of its own. The store stays the caller's to close.
    """
    exports = Exports(store)
    started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    router = Router(store=store, started=started, writable=writable, catalogue=operations, exports=exports)
    endpoint = _Endpoint(router, base.rstrip("/") if base else None, hosts, max_body)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            exports.close()

    app = Starlette(
        middleware=[Middleware(GZipMiddleware, minimum_size=_SMALLEST_GZIP, compresslevel=_GZIP_LEVEL)],
        lifespan=lifespan,
    )
    # No route: every path there can be, one with a line break too, has its OperationOutcome.
    app.router.default = endpoint
    return app


class _Endpoint:
    """One request of HTTP to one answer."""

    def __init__(self, router: Router, base: str | None, hosts: Collection[str] | None, max_body: int) -> None:
        self._router, self._base, self._max_body = router, base, max_body
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        form = Format(content_type=FHIR_JSON)
        try:
            params = pairs(scope["query_string"])
            form = chosen(request.headers.get("accept", ""), params)
            self._check_host(request)
            ask = await self._ask(request, params, form)
            answer = await self._router.handle(ask)
        except Refusal as refusal:
            answer = refusal.answer
        except ClientDisconnect:
            return
        await _response(answer, form, request.method)(scope, receive, send)

    def _check_host(self, request: Request) -> None:
        name = _host(request.headers.get("host", ""))
        if self._hosts is not None and name not in self._hosts:
            raise Refusal(421, "this server does not answer under that host name; use the address it was started with")

    async def _ask(self, request: Request, params: tuple[tuple[str, str], ...], form: Format) -> Ask:
        text = _below(request.scope)
        path = tuple(text.removesuffix("/").split("/")) if text.strip("/") else ()
        # What cannot be JSON: bytes of a Binary, lines of an export.
        free = (path[:1] == ("Binary",) and form.raw) or path[:1] == ("$export-file",)
        if form.content_type is None and not free:
            raise Refusal(406, f"none of what Accept names is offered; this server has {', '.join(FORMATS)} (FHIR 4.0)")
        return Ask(
            method=request.method,
            path=path,
            base=self._base or _origin(request),
            params=params,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await self._body(request),
            raw=form.raw,
        )

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "a compressed body is not read; send it as it is")
        told = request.headers.get("content-length", "")
        parts, size = [], int(told) if told.isdigit() and len(told) < 19 else 0
        if size > self._max_body:
            raise self._too_long()
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                raise self._too_long()
            parts.append(part)
        return b"".join(parts)

    def _too_long(self) -> Refusal:
        return Refusal(413, f"the body is longer than {self._max_body:,} bytes; send it in parts")


def _origin(request: Request) -> str:
    """The base URL as asked: of the request's own scheme and Host, and of the path where the app is mounted."""
    return f"{request.url.scheme}://{request.url.netloc}{quote(request.scope.get('root_path', ''))}".rstrip("/")


def _below(scope: Scope) -> str:
    """The path below the place where the app is mounted, without a slash in front."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    inside = path == root or path.startswith(f"{root}/")
    return path.removeprefix(root).removeprefix("/") if inside else path.removeprefix("/")


def _host(value: str) -> str:
    try:
        return (urlsplit(f"//{value}").hostname or "").lower()
    except ValueError:
        return ""


def _response(answer: Answer, form: Format, method: str) -> Response:
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept", **answer.headers}
    if answer.file is not None and method != "HEAD":
        return FileResponse(answer.file, headers=headers, media_type=answer.content_type)
    body, kind = answer.body, answer.content_type
    if body is None and answer.resource is not None:
        body = orjson.dumps(answer.resource, option=orjson.OPT_INDENT_2 if form.pretty else None)
        kind = f"{form.content_type or FHIR_JSON}; charset=utf-8"
    if answer.file is not None:
        headers["Content-Length"] = str(answer.file.stat().st_size)
    elif method == "HEAD" and body is not None:
        headers["Content-Length"] = str(len(body))
    response = Response(b"" if method == "HEAD" or body is None else body, answer.status, headers)
    if body is not None or answer.file is not None:
        response.headers["Content-Type"] = kind
    return response
