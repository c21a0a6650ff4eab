"""Whether an address is this machine's own."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a name or an address, with or without a port, is this machine's own.

    Names under `.localhost` are not: RFC 6761 6.3 wants them to be, and not every resolver knows that.
    """
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name
    name = name.partition(":")[0] if name.count(":") == 1 else name
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
