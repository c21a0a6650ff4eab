"""Outputs as resources in a Bundle: a collection to hand on, or a transaction to write to a server."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID, uuid5

from agent.fhir_out.output import Output, Source, program
from fhir_tools.audit import answer_record, audit_event
from fhir_tools.writing.elements import (
    AI_ASSERTED,
    STATUS_SYSTEM,
    assembler,
    checked,
    device,
    narrative,
    participant,
    plain,
    purpose,
    urn,
    uuid_identifier,
    whom,
)

__all__ = [
    "Form",
    "Resource",
    "authors",
    "bundle",
    "collection",
    "device_entries",
    "entry",
    "identified",
    "labels",
    "origin",
    "recorded",
]

Resource = Mapping[str, Any]
Form = Literal["document", "communication"]
"""As a DocumentReference, or as a Communication."""


def collection(output: Output, form: Form = "document") -> Resource:
    """The output with its Provenance, AuditEvent and Devices. Every part is checked by fhir.resources."""
    told = _MADE[form](output)
    entries = [
        entry(output.url, told),
        entry(identified(output, "provenance"), origin(output)),
        entry(identified(output, "audit"), _audit(output)),
        *device_entries(output),
    ]
    return bundle("collection", entries, output)


def recorded(output: Output, form: Form = "document") -> Resource:
    """A transaction that creates the output and its Provenance, once: If-None-Exist by its identifier (R4 3.1.0.8.1).

    Devices are contained: a chart's server is not given resources that are of no patient.
    """
    # Its address is not its identifier: a server replaces the one by the id that it gives, and must leave the other.
    place = identified(output, "entry")
    told, made = _MADE[form](output), origin(output, place)
    once = f"identifier=urn:ietf:rfc:3986|{output.url}"
    entries = [
        {**entry(place, _with_devices(output, told)), "request": _create(told, once)},
        {**entry(identified(output, "provenance"), _with_devices(output, made)), "request": _create(made)},
    ]
    return bundle("transaction", entries)


def _create(resource: Resource, once: str = "") -> Resource:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {**request, "ifNoneExist": once} if once else request


def bundle(type_: str, entries: Sequence[Resource], of: Output | None = None) -> Resource:
    """A Bundle of entries that are right already, with the identifier and the moment of what it is of."""
    told = {"identifier": uuid_identifier(_derived(of, "bundle")), "timestamp": of.made} if of else {}
    return {**checked({"resourceType": "Bundle", "type": type_, **told}), "entry": list(entries)}


def entry(url: str, resource: Resource) -> dict[str, Any]:
    """One resource with its address."""
    return {"fullUrl": url, "resource": resource}


def identified(output: Output, what: str) -> str:
    """The address of a resource that goes with the output: fixed by the output's own."""
    return urn(_derived(output, what))


def _derived(output: Output, what: str) -> str:
    return str(uuid5(UUID(output.id), what))


# The output itself.


def labels(output: Output) -> Resource:
    """That a machine asserts it, and how the answer ended."""
    return {"security": [AI_ASSERTED], "tag": [{"system": STATUS_SYSTEM, "code": output.state}]}


def _document(output: Output) -> Resource:
    """A DocumentReference: not verified yet (docStatus preliminary), its text attached, what it cites as related."""
    related = [{"reference": one} for one in output.literals]
    attached = {
        "contentType": "text/plain; charset=utf-8",
        "language": "en",
        "data": base64.b64encode(output.text.encode()).decode(),
        "title": output.title,
        "creation": output.made,
    }
    resource = {
        "resourceType": "DocumentReference",
        "meta": labels(output),
        "text": output.narrative,
        "identifier": [uuid_identifier(output.id)],
        "status": "current",
        "docStatus": "preliminary",
        "type": output.kind,
        "subject": {"reference": output.patient},
        "date": output.made,
        "author": list(authors(output)),
        "description": output.title,
        "securityLabel": [{"coding": [AI_ASSERTED]}],
        "content": [{"attachment": attached}],
        "context": {"period": {"end": output.as_of}, **({"related": related} if related else {})},
    }
    return checked(resource)


def _communication(output: Output) -> Resource:
    """A Communication that nobody has sent yet (status preparation): a payload a line, what it cites as about."""
    lines = [line for part in output.parts for line in part.lines if line.strip()]
    resource = {
        "resourceType": "Communication",
        "meta": labels(output),
        "text": output.narrative,
        "identifier": [uuid_identifier(output.id)],
        "status": "preparation",
        "subject": {"reference": output.patient},
        "topic": {"text": output.title},
        "about": [{"reference": one} for one in output.literals],
        "sender": authors(output)[-1],
        "payload": [{"contentString": plain(line)} for line in lines],
    }
    return checked({name: value for name, value in resource.items() if value})


_MADE = {"document": _document, "communication": _communication}


# Who made it, of what.


def device_entries(output: Output) -> Iterator[dict[str, Any]]:
    """The program, and what reasoned in it, as entries."""
    for url, resource in _devices(output).items():
        yield entry(url, resource)


def _devices(output: Output) -> Mapping[str, Resource]:
    """Rules are of the program's own version; a model's is in its name, where that is known."""
    own = output.reasoner in ("", "rules")
    reasons = device(output.reasoner or "rules", program() if own else "")
    url, thinker = _authors(output)
    return {url: checked(device("chartline", program())), thinker: checked(reasons)}


def authors(output: Output) -> tuple[Resource, Resource]:
    """References to the program and to what reasoned in it, with their names."""
    program_, thinker = _authors(output)
    named = f"chartline {program()}"
    return {"reference": program_, "display": named}, {"reference": thinker, "display": output.reasoner or "rules"}


def _authors(output: Output) -> tuple[str, str]:
    return identified(output, "program"), identified(output, "reasoner")


def _with_devices(output: Output, resource: Resource) -> Resource:
    """The resource with the devices that it refers to inside it."""
    names = dict(zip(_authors(output), ("program", "reasoner"), strict=True))
    used: dict[str, Resource] = {}

    def local(value: Any) -> Any:
        if isinstance(value, list):
            return [local(v) for v in value]
        if not isinstance(value, dict):
            return value
        url = value.get("reference")
        if isinstance(url, str) and url in names:
            used[url] = {**_devices(output)[url], "id": names[url]}
            return {**value, "reference": f"#{names[url]}"}
        return {key: local(v) for key, v in value.items()}

    told = local(dict(resource))
    return checked({**told, "contained": list(used.values())}) if used else told


def origin(output: Output, place: str = "") -> Resource:
    """The Provenance: who put it together for whom and what for, and every resource and search that it rests on.

    `place` is the address of what it is about, where that is not the output's own.
    """
    own, thinker = authors(output)
    who = output.request.who
    made = {
        "resourceType": "Provenance",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative([("Rests on", tuple(s.line for s in output.sources) or ("nothing of the chart",))]),
        "target": [{"reference": place or output.url}],
        "recorded": output.made,
        "reason": [purpose(who.purpose)],
        "agent": [
            assembler(own, whom(who.agent)),
            participant("author", thinker),
        ],
        "entity": [{"role": s.role, "what": _what(s)} for s in output.sources],
    }
    return checked({name: value for name, value in made.items() if value})


def _what(source: Source) -> Resource:
    """A source as a Reference; which of its elements is cited stands in the display, R4 having no place for it."""
    shown = {"display": plain(source.line)} if source.line.strip() else {"display": "not known"}
    if source.versioned:
        return {"reference": source.versioned, **shown}
    query = plain(source.query)
    return {"identifier": {"value": query}, **shown} if query.strip() else shown


def _audit(output: Output) -> Resource:
    cited = [(s.literal, s.version) for s in output.sources if s.literal]
    record = answer_record(
        output.request.who,
        status=output.state,
        reasoner=output.reasoner,
        cited=cited,
        id=output.id,
        at=output.request.made,
        seconds=output.seconds,
    )
    return audit_event(record)
