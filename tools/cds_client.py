"""An EHR as CDS Hooks sees it: it fills the templates of a discovery from its own charts, and signs its calls."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from fhir_tools.errors import NotFound
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference

__all__ = ["Signer", "bundle_of", "draft", "prefetched", "request"]


def bundle_of(resources: Collection[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A searchset of resources."""
    entries = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries, **more}


async def prefetched(
    source: Source, service: Mapping[str, Any], context: Mapping[str, Any], only: Collection[str] | None = None
) -> dict[str, Any]:
    """What the client sends for a service's templates: `null` where there is no data, nothing for what it skips."""
    found: dict[str, Any] = {}
    for key, template in service["prefetch"].items():
        text = template
        for name, value in context.items():
            if isinstance(value, str):
                text = text.replace(f"{{{{context.{name}}}}}", value)
        if "{{" not in text and (only is None or key in only):
            found[key] = await _asked(source, text)
    return found


async def _asked(source: Source, text: str) -> dict[str, Any] | None:
    kind, _, rest = text.partition("?")
    if not rest:
        try:
            return dict(await source.read(Reference.parse(kind)))
        except NotFound:
            return None
    pairs = (pair.partition("=") for pair in rest.split("&"))
    result = await source.search(Query(type=kind, params=tuple((name, value) for name, _, value in pairs)))
    return bundle_of(result.matches) if result.matches else None


def draft(id_: str, drug: str, patient: str, **more: Any) -> dict[str, Any]:
    """A draft MedicationRequest, as an order entry sends it."""
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
        "medicationCodeableConcept": {"text": drug},
        **more,
    }


def request(
    hook: str, context: Mapping[str, Any], prefetch: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The body of a call."""
    body = {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": dict(context), **more}
    return body if prefetch is None else {**body, "prefetch": dict(prefetch)}


class Signer:
    """A client's key pair: RS384 or ES384 by the kind of key."""

    def __init__(self, kid: str = "key-1", kind: str = "EC", size: str | int = "P-384") -> None:
        made = ECKey.generate_key(str(size)) if kind == "EC" else RSAKey.generate_key(int(size))
        self.kid, self.key, self.algorithm = kid, made, "ES384" if kind == "EC" else "RS384"

    def public(self) -> dict[str, Any]:
        """The key as a row of a JSON Web Key Set."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}

    def token(self, issuer: str, audience: str, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token for one call; `header` and `claims` change it, and None leaves one out."""
        now = int(time.time())
        said = {"iss": issuer, "aud": audience, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4()), **claims}
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        plain = {name: value for name, value in said.items() if value is not None}
        kept = {name: value for name, value in head.items() if value is not None}
        return jws.serialize_compact(kept, orjson.dumps(plain), self.key, algorithms=[self.algorithm])
