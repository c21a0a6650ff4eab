"""Whether a server can be reached: its name, its port, its certificate, each with its time. No request is sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import certifi

from fhir_tools.remote.findings import Finding

__all__ = ["reach"]

_WAIT = 5.0
_SOON = 14
"""Days before its end from which a certificate is worth a word."""


async def reach(base: str, ca: str | None = None) -> AsyncIterator[Finding]:
    """How the host of a base URL is reached; ends with the first step that fails. Nothing is raised."""
    parts = urlsplit(base)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    found = await _looked_up(host, port)
    yield found
    if found.level != "bad":
        connected = await _connected(host, port, _trust(ca) if secure else None)
        yield connected
    if not secure:
        yield Finding(
            area="reach",
            level="note",
            text="the address is http: what is sent can be read on the way; credentials go to this machine only",
            remedy="" if host in ("localhost", "127.0.0.1", "::1") else "use the server's https address",
        )


async def _looked_up(host: str, port: int) -> Finding:
    start = time.perf_counter()
    try:
        async with asyncio.timeout(_WAIT):
            rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return _bad(f"the name {host!r} is not known here", "check the address, the DNS server and the VPN")
    count = len({row[4][0] for row in rows})
    return _good(f"the name {host} is known: {count} address{'es' if count > 1 else ''}, {_ms(start)}")


async def _connected(host: str, port: int, trust: ssl.SSLContext | None) -> Finding:
    start = time.perf_counter()
    try:
        async with asyncio.timeout(_WAIT):
            _, writer = await asyncio.open_connection(host, port, ssl=trust)
    except ssl.SSLCertVerificationError as error:
        told = f"the certificate of {host} is not trusted: {error.verify_message}"
        return _bad(told, "give the authority's PEM file by CHARTLINE_FHIR_CA, or have the certificate renewed")
    except ssl.SSLError as error:
        return _bad(f"TLS with {host}:{port} fails ({error.reason})", "check that the port speaks https")
    except TimeoutError:
        return _bad(f"{host}:{port} does not answer within {_WAIT:g} s", "check the port, the firewall and the VPN")
    except OSError as error:
        return _bad(f"{host}:{port} takes no connection ({error.strerror or 'refused'})", "check that the server runs")
    spent, secured = _ms(start), writer.get_extra_info("ssl_object")
    certificate = secured.getpeercert() if secured else None
    version = secured.version() if secured else None
    writer.close()
    return _told(f"{host}:{port} takes connections, {spent}", version, certificate)


def _told(text: str, version: str | None, certificate: dict[str, object] | None) -> Finding:
    ends = certificate.get("notAfter") if certificate else None
    if not isinstance(ends, str):
        return _good(text)
    day = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    text = f"{text} with {version}; its certificate is good until {day:%Y-%m-%d}"
    if (day - datetime.now(UTC)).days < _SOON:
        return Finding(area="reach", level="note", text=text, remedy="have the certificate renewed soon")
    return _good(text)


def _trust(ca: str | None) -> ssl.SSLContext:
    """The authorities that the client trusts: those of a file, else the public ones that httpx comes with."""
    return ssl.create_default_context(cafile=ca or certifi.where())


def _ms(start: float) -> str:
    return f"{(time.perf_counter() - start) * 1000:.0f} ms"


def _good(text: str) -> Finding:
    return Finding(area="reach", level="good", text=text)


def _bad(text: str, remedy: str) -> Finding:
    return Finding(area="reach", level="bad", text=text, remedy=remedy)
