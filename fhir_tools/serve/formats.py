"""Which form an answer takes: `_format`, `_pretty` and the Accept header (R4 http, 3.1.0.1.9 to 3.1.0.1.11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_tools.serve.messages import FHIR_JSON, Params, Refusal

__all__ = ["FORMATS", "Format", "chosen", "media_type"]

FORMATS = (FHIR_JSON, "application/json", "json")
"""What the CapabilityStatement names; `_format` takes each of them."""

_PLAIN = ("application/json", "text/json")
_ANY = ("*/*", "application/*", "*")
_VERSIONS = ("", "4.0", "4.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The content type of resources (None: no kind of JSON is accepted), whether to indent, whether bytes will do."""

    content_type: str | None
    pretty: bool = False
    raw: bool = False


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case and its parameters."""
    name, *rest = (part.strip() for part in value.split(";"))
    pairs = (part.partition("=") for part in rest)
    return name.lower(), {key.strip().lower(): text.strip().strip('"') for key, _, text in pairs if key.strip()}


def chosen(accept: str, params: Params) -> Format:
    """The form asked for; `_format` goes before Accept. Raises Refusal (406) for a `_format` that is none of ours."""
    given = dict(params)
    pretty = given.get("_pretty", "").lower() == "true"
    wanted = given.get("_format", "")
    if not wanted:
        return _accepted(accept, pretty)
    name, more = media_type(wanted)
    name = name.replace(" ", "+")  # as a '+' arrives that was not percent-encoded
    if name not in (*FORMATS, *_PLAIN) or more.get("fhirversion", "") not in _VERSIONS:
        raise Refusal(406, f"_format={wanted!r} is not offered; this server has {', '.join(FORMATS)} (FHIR 4.0)")
    return Format(content_type=name if name in _PLAIN else FHIR_JSON, pretty=pretty)


def _accepted(accept: str, pretty: bool) -> Format:
    if not accept.strip():
        return Format(content_type=FHIR_JSON, pretty=pretty, raw=True)
    best: tuple[float, str, str] | None = None
    named_fhir = False
    for name, quality, version in _choices(accept):
        named_fhir |= "fhir+" in name
        offered = name == FHIR_JSON or name in _PLAIN or name in _ANY
        if offered and quality > 0 and version in _VERSIONS and (best is None or quality > best[0]):
            best = (quality, name, version)
    if best is None:
        return Format(content_type=None, pretty=pretty, raw=not named_fhir)
    content_type = best[1] if best[1] in _PLAIN else FHIR_JSON
    # Bytes are given unless a FHIR type is asked for (R4 Binary, 2.12.4); plain JSON asks for the resource too.
    return Format(content_type=content_type, pretty=pretty, raw=best[1] in _ANY and not named_fhir)


def _choices(accept: str) -> Iterator[tuple[str, float, str]]:
    """(media type, quality, FHIR version) of each choice; one that cannot be read is passed over."""
    for part in accept.split(","):
        name, more = media_type(part)
        try:
            quality = float(more.get("q", "1"))
        except ValueError:
            continue
        if name:
            yield name, quality, more.get("fhirversion", "")
