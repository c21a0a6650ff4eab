"""Where a FHIR server's tokens come from: `.well-known/smart-configuration`, else its CapabilityStatement.

SMART App Launch 2.2, Conformance; the extension of the CapabilityStatement is that of SMART App Launch 1.0.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from fhir_tools.errors import SourceError

__all__ = ["WELL_KNOWN", "SmartConfiguration", "discover", "from_statement", "from_well_known"]

WELL_KNOWN = ".well-known/smart-configuration"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_REMEDY = "set token_url in the credentials file"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartConfiguration:
    """What a server says of its authorization. An empty tuple is what it does not say, which allows all.

    `challenges` are its PKCE methods; `tells_issuer`: its answers to the browser name it (RFC 9207).
    """

    token_endpoint: str
    authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    issuer: str | None = None
    jwks_uri: str | None = None
    methods: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    tells_issuer: bool = False

    def refuses(self, *, method: str, algorithm: str | None, grant: str) -> str | None:
        """Why the server's own words exclude a client; None where they do not."""
        asked = (
            ("client authentication", self.methods, method),
            ("grant", self.grants, grant),
            ("signing algorithm", self.algorithms, algorithm),
        )
        for what, offered, wanted in asked:
            if wanted and offered and wanted not in offered:
                return f"the server does not list {what} {wanted!r}; it lists {', '.join(offered)}"
        return None


def from_well_known(document: Mapping[str, Any], base: str) -> SmartConfiguration | None:
    """From the discovery document; None where it names no token endpoint."""
    endpoint = _address(document, "token_endpoint", base)
    if endpoint is None:
        return None
    issuer = document.get("issuer")
    return SmartConfiguration(
        token_endpoint=endpoint,
        authorization_endpoint=_address(document, "authorization_endpoint", base),
        revocation_endpoint=_address(document, "revocation_endpoint", base),
        issuer=issuer if isinstance(issuer, str) else None,
        jwks_uri=_address(document, "jwks_uri", base),
        methods=_words(document, "token_endpoint_auth_methods_supported"),
        algorithms=_words(document, "token_endpoint_auth_signing_alg_values_supported"),
        scopes=_words(document, "scopes_supported"),
        capabilities=_words(document, "capabilities"),
        grants=_words(document, "grant_types_supported"),
        challenges=_words(document, "code_challenge_methods_supported"),
        tells_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def from_statement(resource: Mapping[str, Any], base: str) -> SmartConfiguration | None:
    """From the `oauth-uris` extension of a CapabilityStatement's `rest.security`; None where it has none."""
    for rest in _rows(resource.get("rest")):
        security = rest.get("security")
        for extension in _rows(security.get("extension") if isinstance(security, dict) else None):
            if extension.get("url") == _OAUTH_URIS:
                told = {str(part.get("url")): part.get("valueUri") for part in _rows(extension.get("extension"))}
                token = _address(told, "token", base)
                if token:
                    return SmartConfiguration(
                        token_endpoint=token, authorization_endpoint=_address(told, "authorize", base)
                    )
    return None


def discover(base: str, like: httpx.Request) -> Generator[httpx.Request, httpx.Response, SmartConfiguration]:
    """The requests of discovery, to the FHIR base's own origin and without credentials; responses are sent in, read.

    Raises SourceError where neither document names a token endpoint.
    """
    base, faults = base.rstrip("/"), []
    for path, read in ((WELL_KNOWN, from_well_known), ("metadata", from_statement)):
        accept = "application/json" if path == WELL_KNOWN else "application/fhir+json"
        response = yield httpx.Request("GET", f"{base}/{path}", headers={"Accept": accept}, extensions=timeouts(like))
        document = body_of(response) if response.status_code == httpx.codes.OK else None
        found = read(document, base) if document else None
        if found:
            return found
        faults.append(f"{path} answers {response.status_code}{'' if document is None else ' without a token endpoint'}")
    raise SourceError(f"the FHIR server names no token endpoint ({'; '.join(faults)}); {_REMEDY}")


class _Quiet(dict[str, Any]):
    """A JSON object that may hold tokens: tracebacks that show locals do not show it."""

    def __repr__(self) -> str:
        return f"{{{', '.join(self)}: …}}"


def body_of(response: httpx.Response) -> Mapping[str, Any] | None:
    """The JSON object of a response that was read; None for anything else."""
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return _Quiet(document) if isinstance(document, dict) else None


def timeouts(like: httpx.Request) -> dict[str, Any]:
    """The time-outs of the request that needs a token, for those that fetch it: httpx gives them none by itself."""
    return {"timeout": like.extensions["timeout"]} if "timeout" in like.extensions else {}


def _address(document: Mapping[str, Any], name: str, base: str) -> str | None:
    value = document.get(name)
    return urljoin(base.rstrip("/") + "/", value) if isinstance(value, str) and value else None


def _words(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name)
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else iter(())
