"""`chartline serve-fhir`: the store as a FHIR server on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import suppress
from typing import Any

from agent import settings
from agent.cli.output import tell_note
from agent.errors import EXIT_OK, MissingExtra, UserError
from agent.sources import is_url, open_source
from fhir_tools.local import LocalStore
from fhir_tools.loopback import is_loopback

__all__ = ["NAMES", "OPTIONS", "listening", "serve", "url_of"]

NAMES = ("localhost", "127.0.0.1", "::1")
"""The names that this machine has for itself."""
OPTIONS: dict[str, Any] = {
    "access_log": False,  # its URLs name patients
    "log_level": "warning",
    "server_header": False,
    "proxy_headers": False,
    "http": "agent.cli.heads:Heads",
    "ws": "none",
    "h11_max_incomplete_event_size": 256 * 1024,  # bytes of request line and headers: searches can be long
    "timeout_graceful_shutdown": 3,  # seconds
}


def serve(store: str | None, host: str, port: int, *, writable: bool, operations: bool, allow_remote: bool) -> int:
    """Serve until Ctrl-C. Raises UserError where there is no store, or others could reach it unasked; MissingExtra."""
    local = is_loopback(host)
    if not local and not allow_remote:
        raise UserError(
            f"{host!r} can be reached from other machines, and the server has no authentication: whoever connects "
            "reads every chart; leave --host out, or put a proxy that authenticates in front and add --allow-remote"
        )
    place = store or str(settings.read().store)
    if is_url(place):
        raise UserError(f"{place!r} is a server already; --store takes a store, or a file or folder of FHIR JSON")
    # uvicorn ends its work and then raises the signal again: both ways to stop unwind, so that the store is closed.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(place, host, port, local, writable, operations))
    finally:
        signal.signal(signal.SIGTERM, before)
    return EXIT_OK


async def _serve(place: str, host: str, port: int, local: bool, writable: bool, operations: bool) -> None:
    try:
        import uvicorn

        from fhir_tools.serve import create_app
    except ModuleNotFoundError as missing:
        if missing.name not in ("uvicorn", "starlette"):
            raise
        raise MissingExtra("serve-fhir", "service") from missing
    async with open_source(place, settings.read()) as source:
        if not isinstance(source, LocalStore):
            raise UserError(f"{place!r} is no store; --store takes a store, or a file or folder of FHIR JSON")
        # Only names of this machine, so that no page in a browser reaches the store by a name of its own.
        hosts = {*NAMES, host.strip("[]").lower()} if local else None
        app = create_app(source, writable=writable, operations=operations, hosts=hosts)
        with listening(host.strip("[]"), port) as listener:
            tell_note(f"FHIR R4 at {url_of(listener)} ({_told(source, writable)}); Ctrl-C stops it")
            await uvicorn.Server(uvicorn.Config(app, **OPTIONS)).serve(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises UserError where it cannot."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it each answer
        # waits some 40 ms for the client's delayed acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as fault:
        why = getattr(fault, "strerror", None) or "no such port"
        raise UserError(f"cannot listen on {host!r} port {port}: {why}; choose another --port") from fault


def url_of(listener: socket.socket) -> str:
    """The address of a listening socket, for a reader to open."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _told(store: LocalStore, writable: bool) -> str:
    count = len(store.patients())
    kept = "in memory, gone when it stops" if store.path == ":memory:" else store.path
    return f"{count} {'patient' if count == 1 else 'patients'}, {'writable' if writable else 'read-only'}, {kept}"
