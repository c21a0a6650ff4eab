"""Elements of the FHIR resources that chartline writes itself, and the check that they are R4."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from fhir_tools.types import Reference

__all__ = [
    "AI_ASSERTED",
    "STATUS_SYSTEM",
    "TERMS",
    "assembler",
    "checked",
    "concept",
    "device",
    "is_own",
    "narrative",
    "participant",
    "plain",
    "purpose",
    "urn",
    "uuid_identifier",
    "whom",
]

Element = Mapping[str, Any]

TERMS = "http://terminology.hl7.org/CodeSystem"
AI_ASSERTED: Element = {
    "system": f"{TERMS}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The security label of what a model, a rule or any other algorithm asserts (HL7 v3 ObservationValue, AIAST)."""
STATUS_SYSTEM = "urn:chartline:answer-status"
"""The system of the tag that everything chartline writes has: how the answer ended."""
_XHTML = "http://www.w3.org/1999/xhtml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold (2.2, Char), and so no narrative either."""
_PURPOSES = frozenset(
    """CAREMGT CLINTRCH COVERAGE ETREAT HLEGAL HMARKT HOPERAT HPAYMT HRESCH HSYSADMIN METAMGT PATADMIN PATRQT PATSFTY
    PUBHLTH QUALIMP TREAT TREATDS TRAIN""".split()
)
"""Codes of HL7 v3 ActReason, PurposeOfUse, that operators use; any other word is told as text."""


def plain(text: str) -> str:
    """The text with a question mark in place of each character that XML does not allow."""
    return _NOT_XML.sub("?", text)


def narrative(sections: Iterable[tuple[str, Sequence[str]]]) -> Element:
    """Titles (may be empty) with their lines as escaped XHTML (R4 Narrative: status `generated`, never empty)."""
    parts = []
    for title, lines in sections:
        parts += [f"<p><b>{_escaped(title)}</b></p>"] if title.strip() else []
        items = "".join(f"<li>{_escaped(line)}</li>" for line in lines if line.strip())
        parts += [f"<ul>{items}</ul>"] if items else []
    return {"status": "generated", "div": f'<div xmlns="{_XHTML}">{"".join(parts) or "<p>Nothing is told.</p>"}</div>'}


def _escaped(text: str) -> str:
    return html.escape(plain(text), quote=True)


def concept(system: str, code: str, display: str = "", text: str = "") -> Element:
    """A CodeableConcept of one coding."""
    coding = {"system": system, "code": code, **({"display": display} if display else {})}
    return {"coding": [coding], **({"text": text} if text else {})}


def urn(id_: str) -> str:
    """A UUID as a URN (RFC 4122 3)."""
    return f"urn:uuid:{id_}"


def uuid_identifier(id_: str) -> Element:
    """A UUID as an Identifier (R4 Identifier: system urn:ietf:rfc:3986 for a URI)."""
    return {"system": "urn:ietf:rfc:3986", "value": urn(id_)}


def is_own(resource: Mapping[str, Any]) -> bool:
    """Whether chartline wrote it, by its tag: no evidence then, or an answer would prove itself."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(isinstance(t, dict) and t.get("system") == STATUS_SYSTEM for t in tags)


def device(name: str, version: str = "") -> Element:
    """A program or a model as a Device."""
    told = {"resourceType": "Device", "deviceName": [{"name": plain(name).strip() or "unknown", "type": "model-name"}]}
    return {**told, "version": [{"value": plain(version)}]} if version.strip() else told


def participant(role: str, who: Element, behalf: Element | None = None) -> Element:
    """An agent of a Provenance, by its role (provenance-participant-type): `author`, `assembler`, …"""
    told = {"type": concept(f"{TERMS}/provenance-participant-type", role), "who": who}
    return {**told, "onBehalfOf": behalf} if behalf else told


def assembler(who: Element, behalf: Element | None = None) -> Element:
    """Who put a resource together from others, as an agent of its Provenance."""
    return participant("assembler", who, behalf)


def whom(agent: str) -> Element:
    """Who asked: a literal reference as one, any other name as an identifier."""
    try:
        return {"reference": agent} if "/" in agent and Reference.parse(agent) else {"identifier": {"value": agent}}
    except ValueError:
        return {"identifier": {"value": agent}}


def purpose(word: str) -> Element:
    """What for: a code of PurposeOfUse, or the operator's own word."""
    return concept(f"{TERMS}/v3-ActReason", word) if word in _PURPOSES else {"text": word}


def checked(resource: Element) -> Mapping[str, Any]:
    """The resource as fhir.resources (R4B, whose resources used here are those of R4) has read and written it.

    Raises ValueError for what is not valid.
    """
    from fhir.resources.R4B import get_fhir_model_class

    model = get_fhir_model_class(resource["resourceType"])
    told: Mapping[str, Any] = orjson.loads(model.model_validate(resource).model_dump_json())
    return told
