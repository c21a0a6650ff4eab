"""Which certificate authorities a client trusts: the public ones, or those of a file."""

from __future__ import annotations

import ssl
from functools import cache

import httpx

from fhir_tools.errors import UserError

__all__ = ["authorities"]


@cache
def _public() -> ssl.SSLContext:
    """The public authorities, whose file takes 20 ms to read: once for all clients."""
    return httpx.create_ssl_context(trust_env=False)


def authorities(ca: str | None) -> ssl.SSLContext:
    """The public authorities, or those of a PEM file in their place. Raises UserError for a file that is none."""
    if ca is None:
        return _public()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=ca)
    except OSError as fault:
        raise UserError(f"the CA bundle {ca!r} cannot be read as PEM: {fault.strerror or fault}") from fault
    return context
