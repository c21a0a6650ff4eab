"""`chartline serve`: the service on this machine, in one process or several, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from socket import socket
from typing import Any

from agent import settings as settings_module
from agent.cli.output import tell_note
from agent.cli.serving import OPTIONS, listening, url_of
from agent.errors import EXIT_OK, MissingExtra, UserError, one_line
from agent.settings import Settings
from agent.sources import places
from fhir_tools import garbage

__all__ = ["Loop", "Serving", "application", "run", "serve"]

_log = logging.getLogger(__name__)
_AWAY, _MANY = 0.001, 20
"""Seconds that a process leaves new connections to others for each that it has, and of how many at the most."""
_STALL = 30.0
"""Seconds without a sign of life after which a process is taken for hung and replaced: on a busy machine one that only
starts needs longer than uvicorn's five, and would be replaced again and again."""
_AGAIN = 2.0
"""Seconds after which a process that could not start tries again."""
_EXTRA = ("uvicorn", "fastapi", "starlette", "sqlalchemy", "mcp", "prometheus_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How the service is put on the network. `certificate` and `key` are PEM files, both or none."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None
    browse: bool = False


def serve(fhir: Sequence[str], serving: Serving, as_of: date | None) -> int:
    """Serve until Ctrl-C. Raises UserError where others could reach it unasked; MissingExtra."""
    settings = settings_module.read()
    return run(settings.model_copy(update={"as_of": as_of or settings.as_of}), tuple(fhir), serving)


def run(settings: Settings, fhir: tuple[str, ...], serving: Serving) -> int:
    """Serve with these settings until Ctrl-C. Raises what `serve` raises, and what opening the service raises."""
    _require_extra()
    _check(settings, serving)
    with listening(serving.host.strip("[]"), serving.port) as listener, _stoppable():
        if serving.workers == 1:
            asyncio.run(_alone(settings, fhir, serving, listener))
        else:
            _together(settings, fhir, serving, listener)
    return EXIT_OK


def _check(settings: Settings, serving: Serving) -> None:
    from agent.service.access.ways import check_reachable

    check_reachable(settings, serving.host)
    if bool(serving.certificate) != bool(serving.key):
        raise UserError("--tls-cert and --tls-key go together: give both, or none and let a proxy do TLS")
    for path in filter(None, (serving.certificate, serving.key)):
        if not path.is_file():
            raise UserError(f"{str(path)!r} is no file; --tls-cert and --tls-key take PEM files")
    if serving.certificate and serving.key:
        _check_pair(serving.certificate, serving.key)
    weights = settings.reasoner != "rules" and not settings.model_url
    if serving.workers > 1 and (weights or (settings.vision_named and not settings.vision_url)):
        raise UserError(
            f"--workers {serving.workers}: each process would load the model's weights for itself; "
            "put the model behind a server (CHARTLINE_MODEL_URL), or serve with one worker"
        )


def _check_pair(certificate: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")  # never asks for one
    except OSError as error:
        raise UserError(
            f"{str(certificate)!r} and {str(key)!r} are no certificate and key that belong together; "
            "give a certificate (with its chain) and its own key, not encrypted, as PEM files"
        ) from error


def _require_extra() -> None:
    try:
        import uvicorn  # noqa: F401

        import agent.service.app  # noqa: F401
    except ModuleNotFoundError as missing:
        if missing.name not in _EXTRA:
            raise
        raise MissingExtra("serve", "service") from missing


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Both ways to stop unwind, so that what is open is closed: uvicorn ends its work, then raises the signal again."""
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _options(settings: Settings, serving: Serving) -> dict[str, Any]:
    return {
        **OPTIONS,
        "timeout_graceful_shutdown": settings.service_grace,
        "timeout_worker_healthcheck": _STALL,
        "workers": serving.workers,
        "ssl_certfile": serving.certificate,
        "ssl_keyfile": serving.key,
    }


async def _alone(settings: Settings, fhir: tuple[str, ...], serving: Serving, listener: socket) -> None:
    """One process. The app is started here and not by uvicorn, so that what it cannot open is told as our own error."""
    import uvicorn

    class Server(uvicorn.Server):  # type: ignore[misc]  # has no types
        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            """First let running questions end: who comes meanwhile is told to come again, not shut out."""
            await app.state.parts.turns.close(settings.service_grace)
            await super().shutdown(sockets)

    app = application(settings, fhir)
    async with app.router.lifespan_context(app):
        _introduce(app, fhir, serving, listener)
        server = Server(uvicorn.Config(app, **_options(settings, serving), lifespan="off"))
        await server.serve(sockets=[listener])


def _together(settings: Settings, fhir: tuple[str, ...], serving: Serving, listener: socket) -> None:
    """Several processes that take turns at one socket; one that dies is replaced."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    asyncio.run(_tried(settings, fhir, serving, listener))
    # A session of MCP lives in one process, and the next request may come to another.
    settings = settings.model_copy(update={"mcp_sessions": False})
    with tempfile.TemporaryDirectory(prefix="chartline-counts-") as folder:
        make = _Worker(settings=settings, fhir=fhir, counts=Path(folder))
        config = uvicorn.Config(make, **_options(settings, serving), factory=True, loop=f"{__name__}:Loop")
        Multiprocess(config, sockets=[listener]).run()


async def _tried(settings: Settings, fhir: tuple[str, ...], serving: Serving, listener: socket) -> None:
    """Start the app once, so that what every worker would fail at is told once, as our own error."""
    app = application(settings, fhir)
    async with app.router.lifespan_context(app):
        _introduce(app, fhir, serving, listener)


class Loop(asyncio.SelectorEventLoop):
    """Takes one connection at a time and leaves the next to a process that has fewer.

    asyncio takes all that wait, so that one process of several would get every connection of a browser or a pool, and
    keep it. Here a process that took one looks away for a moment, the longer the more it has.
    """

    def _accept_connection(
        self, make: Any, listener: socket, tls: Any = None, server: Any = None, backlog: int = 1, *rest: Any
    ) -> None:
        super()._accept_connection(make, listener, tls, server, 1, *rest)  # type: ignore[misc]
        self._remove_reader(listener.fileno())  # type: ignore[attr-defined]
        pause = _AWAY * min(len(self._transports), _MANY)  # type: ignore[attr-defined]
        self.call_later(pause, self._look_again, listener, make, listener, tls, server, backlog, *rest)

    def _look_again(self, listener: socket, *arguments: Any) -> None:
        if listener.fileno() >= 0:  # not closed meanwhile
            self._add_reader(listener.fileno(), self._accept_connection, *arguments)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """Makes the app in a process of its own."""

    settings: Settings
    fhir: tuple[str, ...]
    counts: Path

    def __call__(self) -> Any:
        settings_module.export("PROMETHEUS_MULTIPROC_DIR", str(self.counts))  # before prometheus_client is imported
        from agent.service import metrics

        garbage.seldom()
        metrics.clear(self.counts)
        app = application(self.settings, self.fhir, self.counts)
        app.router.lifespan_context = _persistent(app.router.lifespan_context)
        return app


def _persistent(opened: Callable[[Any], AbstractAsyncContextManager[Any]]) -> Callable[[Any], Any]:
    """An app's start that is tried until it succeeds: what it needs was there when the service started, and comes back.

    uvicorn would end all processes for one that does not start.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with contextlib.AsyncExitStack() as stack:
            with _ended_at_once():
                while True:
                    try:
                        state = await stack.enter_async_context(opened(app))
                        break
                    except Exception as error:  # noqa: BLE001  whatever it was, it may pass
                        _log.warning("a process of the service could not start; it tries again: %s", one_line(error))
                        await asyncio.sleep(_AGAIN)
            yield state

    return lifespan


@contextlib.contextmanager
def _ended_at_once() -> Iterator[None]:
    """Within it a signal to stop ends the process: uvicorn heeds it only once the app has started."""
    before = {s: signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def application(settings: Settings, fhir: tuple[str, ...], counts: Path | None = None) -> Any:
    """The app of the settings, with its log on standard error."""
    from agent.service.app import create_app

    if settings.service_log:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        access = logging.getLogger("chartline.access")
        access.handlers, access.propagate = [handler], False
        access.setLevel(logging.INFO)
    return create_app(settings, fhir=fhir, counts=counts)


def _introduce(app: Any, fhir: tuple[str, ...], serving: Serving, listener: socket) -> None:
    """Say where it is, what it serves and who answers."""
    parts = app.state.parts
    url = url_of(listener)
    url = url.replace("http:", "https:", 1) if serving.certificate else url
    told = f"chartline at {parts.settings.service_url or url}"
    if serving.workers > 1:
        told += f", {serving.workers} processes"
    tell_note(f"{told}; Ctrl-C stops it")
    asked, by = ", ".join(places(fhir, parts.settings)), parts.desk.reasoner.name
    tell_note(f"  charts from {asked}; answers by {by}; today is {parts.desk.today()}")
    if serving.browse:
        webbrowser.open(parts.settings.service_url or url)
