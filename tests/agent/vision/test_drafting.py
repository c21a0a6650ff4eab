"""Draft reports: marked as drafts in every form, and valid FHIR."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.vision.drafting import DraftReport, as_fhir, as_text
from fhir_tools.dates import period
from fhir_tools.imaging.types import Missed
from fhir_tools.types import Reference
from tests.agent.vision.made import finding, image, sight


def draft(**more: Any) -> DraftReport:
    seen = sight(
        finding("pleural effusion", location="right base", certainty="moderate"), finding("pneumothorax", "absent"),
        impression="Small effusion <script>.", prior=image("s0", "2023-01-05"),
        missed=(Missed(what="slice 3", why="it is broken"),),
    )  # fmt: skip
    made = datetime(2024, 3, 4, 5, 6, 7, tzinfo=UTC)
    return DraftReport(patient=Reference(type="Patient", id="p"), sight=seen, made=made, **more)


def test_the_text_says_first_that_it_is_a_draft_and_by_what() -> None:
    text = as_text(draft(against=("Reading and report disagree on x.",)))
    assert text.startswith("DRAFT, not verified. Read by eyes abc from the image")
    assert "Comparison: XR CHEST <PA>, 2023-01-05 (ImagingStudy/s0)" in text
    assert "- Pleural effusion: present, right base (fairly sure).\n- Pneumothorax: absent (sure)." in text
    assert "Impression: Small effusion" in text
    assert "Note: part of the image was not seen: slice 3" in text and "Note: Reading and report disagree" in text


def test_an_image_of_which_only_the_end_is_known_has_no_time_in_fhir() -> None:
    told = draft()
    late = replace(told.sight, image=replace(told.sight.image, when=period({"end": "2024-03-02"})))
    assert "effectiveDateTime" not in as_fhir(replace(told, sight=late))


def test_the_resource_is_preliminary_valid_and_says_who_made_it_of_what() -> None:
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

    resource = as_fhir(draft())
    DiagnosticReport.model_validate(json.loads(json.dumps(resource)))
    assert resource["status"] == "preliminary" and resource["conclusion"].startswith("DRAFT, not verified.")
    assert resource["imagingStudy"] == [{"reference": "ImagingStudy/s"}]
    assert resource["subject"] == {"reference": "Patient/p"} and resource["effectiveDateTime"] == "2024-03-02"
    device, provenance = resource["contained"]
    assert device["deviceName"][0]["name"] == "eyes" and device["version"] == [{"value": "abc"}]
    assert provenance["target"] == [{"reference": "#"}] and provenance["agent"][0]["who"] == {"reference": "#maker"}
    assert [e["what"]["reference"] for e in provenance["entity"]] == ["ImagingStudy/s", "ImagingStudy/s0"]
    assert base64.b64decode(resource["presentedForm"][0]["data"]).decode() == as_text(draft())
    assert "<script>" not in resource["text"]["div"] and "DRAFT" in resource["text"]["div"]


@pytest.mark.parametrize(("kind", "element"), [("Media", "media"), ("DocumentReference", "")])
def test_a_photograph_is_linked_as_media(kind: str, element: str) -> None:
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

    seen = sight(finding("skin lesion"))
    object.__setattr__(seen, "image", image("x", kind=kind))
    report = DraftReport(patient=Reference(type="Patient", id="p"), sight=seen, made=datetime(2024, 3, 4, tzinfo=UTC))
    resource = as_fhir(report)
    DiagnosticReport.model_validate(resource)
    assert "imagingStudy" not in resource
    assert ("media" in resource) == bool(element)
