"""Which ways into the service the settings open, and who could reach it by an address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.errors import UserError
from agent.service.access.keys import KeyFile
from agent.settings import Settings
from fhir_tools.loopback import is_loopback

__all__ = ["Ways", "check_reachable", "ways"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways in. `local`: whoever reaches the service on this machine may ask without signing in.

    `hooks`: EHRs call CDS Hooks with tokens of their own, which open nothing else.
    """

    local: bool
    keys: bool
    tokens: bool
    launches: bool
    hooks: bool


def ways(settings: Settings) -> Ways:
    """The ways in that the settings open. Raises UserError for a file of API keys that cannot be used."""
    keys, tokens = bool(KeyFile(settings.service_keys).all()), settings.oauth_issuer is not None
    launches = settings.smart_servers is not None
    local = settings.service_local
    return Ways(
        local=not (keys or tokens or launches) if local is None else local,
        keys=keys,
        tokens=tokens,
        launches=launches,
        hooks=settings.cds_clients is not None,
    )


def check_reachable(settings: Settings, host: str) -> None:
    """Whether the service may listen on an address. Raises UserError where others could ask without signing in."""
    names = [host, *filter(None, [urlsplit(settings.service_url or "").hostname])]
    seen = next((name for name in names if not is_loopback(name)), None)  # an empty host is every address
    if seen is None:
        return
    open_ = ways(settings)
    if open_.local:
        how = "unset CHARTLINE_SERVICE_LOCAL" if settings.service_local else "choose a way to sign in"
        raise UserError(
            f"{seen!r} can be reached from other machines, and nobody would be asked who they are: {how} "
            "(chartline service key add NAME, CHARTLINE_OAUTH_ISSUER or CHARTLINE_SMART_SERVERS; see docs/access.md), "
            "let nobody but EHRs in (CHARTLINE_SERVICE_LOCAL=false with CHARTLINE_CDS_CLIENTS), or listen on 127.0.0.1"
        )
    if not (open_.keys or open_.tokens or open_.launches or open_.hooks):
        raise UserError("nobody could sign in: chartline service key add NAME makes a key (see docs/access.md)")
