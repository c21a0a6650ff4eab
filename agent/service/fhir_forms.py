"""Answers and summaries as FHIR, and pages that stand alone, as responses."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import Request as HttpRequest
from fastapi.responses import Response

from agent import auditing
from agent.fhir_out import Request, answer_bundle
from agent.service.accepting import named
from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.types import Answer
from agent.wire import patient_reference

__all__ = ["FHIR", "answer_response", "asked_by", "fhir_response", "page_response", "wants_fhir"]

FHIR = "application/fhir+json"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def wants_fhir(request: HttpRequest) -> bool:
    """Whether the request asks for FHIR rather than for chartline's own JSON."""
    return named(request, FHIR)


def asked_by(caller: Caller, parts: Parts, patient: str, *, key: str = "", made: datetime | None = None) -> Request:
    """Who asked, of which patient and what for, as FHIR tells it. `made` is now unless said."""
    settings = parts.settings.model_copy(update={"user": caller.name})
    who = auditing.who(settings, patient_reference(patient))
    return Request(who=who, made=made or datetime.now(UTC), key=key)


def answer_response(answer: Answer, caller: Caller, parts: Parts) -> Response:
    """The answer as a Bundle (`agent.fhir_out.answer_bundle`)."""
    asked = asked_by(caller, parts, answer.patient)
    return fhir_response(answer_bundle(answer, asked, form=parts.settings.service_write_as))


def fhir_response(resource: Mapping[str, Any]) -> Response:
    """A resource as FHIR JSON."""
    return Response(orjson.dumps(resource), media_type=f"{FHIR}; fhirVersion=4.0")


def page_response(html: str) -> Response:
    """A page that needs nothing but itself, under a policy that allows its own style and no more (CSP 3, 2.3.1).

    What is in its `style` elements is ours: text of charts is escaped there as everywhere.
    """
    digests = (hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(html))
    styles = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
    policy = f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy})
