"""Charts with pictures for tests: studies whose instances lie in the chart, their reports, photographs."""

from __future__ import annotations

import base64
from typing import Any

from tests.agent.models.tiny import picture

__all__ = ["file_study", "photo", "report", "study"]

DCM = "http://dicom.nema.org/resources/ontology/DCM"
CHEST = {"system": "http://snomed.info/sct", "code": "51185008", "display": "Chest"}
HEAD = {"system": "http://snomed.info/sct", "code": "69536005", "display": "Head"}


def study(
    key: str, day: str, *shades: int, name: str = "XR CHEST PA", modality: str = "DX", site: Any = CHEST, **more: Any
) -> dict[str, Any]:
    """An ImagingStudy of one series, with a PNG of each shade (60 × 40 pixels) as an instance."""
    files = [("image/png", picture(shade, mode="L")) for shade in shades]
    return file_study(key, day, *files, name=name, modality=modality, site=site, **more)


def file_study(
    key: str, day: str, *files: tuple[str, bytes], name: str, modality: str, site: Any = CHEST, **more: Any
) -> dict[str, Any]:
    """An ImagingStudy with these files, as (media type, bytes), inline."""
    coded = {"system": DCM, "code": modality}
    instances = [
        {
            "uid": f"1.2.{key.encode().hex()[:8]}.{number}".replace("a", "1").replace("b", "2").replace("c", "3"),
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1.1"},
            "number": number,
            "extension": [
                {
                    "url": "http://example.org/pixels",
                    "valueAttachment": {"contentType": kind, "data": base64.b64encode(data).decode()},
                }
            ],
        }
        for number, (kind, data) in enumerate(files, 1)
    ]
    series = {"uid": "1.2.3", "number": 1, "modality": coded, "bodySite": site, "instance": instances}
    return {
        "resourceType": "ImagingStudy",
        "id": key,
        "status": "available",
        "subject": {"reference": "Patient/p"},
        "started": day,
        "description": name,
        "modality": [coded],
        "series": [series],
        **more,
    }


def report(key: str, day: str, text: str, *studies: str, name: str = "XR chest report", **more: Any) -> dict[str, Any]:
    """A DiagnosticReport with a conclusion, of studies."""
    return {
        "resourceType": "DiagnosticReport",
        "id": key,
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"text": name},
        "effectiveDateTime": day,
        "imagingStudy": [{"reference": f"ImagingStudy/{s}"} for s in studies],
        **({"conclusion": text} if text else {}),
        **more,
    }


def photo(key: str, day: str, title: str, shade: int = 90) -> dict[str, Any]:
    """A Media with a photograph inline."""
    return {
        "resourceType": "Media",
        "id": key,
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "createdDateTime": day,
        "modality": {"coding": [{"system": DCM, "code": "XC", "display": "External-camera Photography"}]},
        "content": {
            "contentType": "image/png",
            "title": title,
            "data": base64.b64encode(picture(shade)).decode(),
        },
    }
