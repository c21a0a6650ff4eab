"""Charts with images for tests: resources as servers write them, and a store of one patient."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from fhir_tools.local import LocalStore
from fhir_tools.scope import Scoped
from fhir_tools.types import Reference

__all__ = ["PATIENT", "attachment", "endpoint", "scoped", "study"]

PATIENT = {"reference": "Patient/p"}
Resource = dict[str, Any]


def scoped(*resources: Mapping[str, Any]) -> Scoped:
    """The chart of `Patient/p`, scoped to that patient."""
    store = LocalStore(":memory:")
    for resource in ({"resourceType": "Patient", "id": "p"}, *resources):
        store.put(dict(resource))
    return Scoped(store, Reference(type="Patient", id="p"))


def study(id_: str, uid: str, **more: Any) -> Resource:
    """An ImagingStudy at the archive of `Endpoint/e`."""
    return {
        "resourceType": "ImagingStudy",
        "id": id_,
        "status": "available",
        "subject": PATIENT,
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "endpoint": [{"reference": "Endpoint/e"}],
        **more,
    }


def endpoint(address: str, code: str = "dicom-wado-rs", **more: Any) -> Resource:
    """`Endpoint/e`."""
    return {
        "resourceType": "Endpoint",
        "id": "e",
        "status": "active",
        "connectionType": {"code": code},
        "payloadType": [{"text": "DICOM"}],
        "address": address,
        **more,
    }


def attachment(body: bytes, kind: str, **more: Any) -> Resource:
    """An Attachment with its bytes in it."""
    return {"contentType": kind, "data": base64.b64encode(body).decode(), **more}
