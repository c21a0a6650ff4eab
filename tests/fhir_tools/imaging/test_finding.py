"""Which images a chart has, with their reports, priors and places; and what is told where a search fails."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir_tools.errors import SourceError
from fhir_tools.imaging.finding import find, priors
from fhir_tools.imaging.types import Image, Images
from fhir_tools.scope import Scoped
from fhir_tools.types import Query, SearchResult
from tests.fhir_tools.imaging.charts import PATIENT, attachment, endpoint, scoped, study

PNG = attachment(b"x", "image/png")
CHEST = {"system": "http://snomed.info/sct", "code": "51185008", "display": "Thoracic structure"}


def series(code: str = "CT", **more: Any) -> dict[str, Any]:
    return {"uid": "1.2.1", "modality": {"code": code}, "bodySite": CHEST, **more}


async def only(*resources: dict[str, Any]) -> Image:
    found = await find(scoped(*resources))
    assert len(found.images) == 1
    return found.images[0]


async def test_a_study_with_its_archive_and_series() -> None:
    image = await only(
        endpoint("https://pacs.example/dicom-web/"),
        study(
            "s",
            "1.2",
            started="2024-03-05T10:00:00Z",
            modality=[{"code": "SR"}, {"code": "CT"}],
            procedureCode=[{"text": "CT of the chest"}],
            numberOfInstances=120,
            series=[series(number=2, laterality={"code": "7771000"}, numberOfInstances=120)],
        ),
    )
    assert (image.modality, image.modalities, image.title, image.count) == ("CT", ("CT", "SR"), "CT of the chest", 120)
    assert image.site is not None and image.site.label == "Thoracic structure" and image.laterality == "L"
    assert image.when is not None and image.when.text == "2024-03-05" and not image.unreadable
    assert [(p.way, p.address, p.path) for p in image.places] == [
        ("wado-rs", "https://pacs.example/dicom-web", "ImagingStudy.endpoint")
    ]
    assert "1.2" not in repr(image).replace("version", "") and "pacs" not in repr(image)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"endpoint": []}, "the chart does not say where its pixels are"),
        ({"identifier": []}, "the chart names no Study Instance UID to ask an archive for"),
    ],
)
async def test_a_study_whose_pixels_cannot_be_had_is_found_all_the_same(more: Any, words: str) -> None:
    assert (await only(endpoint("https://pacs.example"), study("s", "1.2", **more))).unreadable == words


async def test_an_endpoint_that_is_off_or_of_another_kind_is_none() -> None:
    for other in (endpoint("https://x", status="off"), endpoint("https://x", "hl7-fhir-rest")):
        assert (await only(other, study("s", "1.2"))).unreadable


async def test_an_endpoint_that_cannot_be_read_is_told() -> None:
    found = await find(scoped(study("s", "1.2")))
    assert found.images[0].unreadable and "archive of some images is not known" in found.warnings[0]


async def test_instances_as_binaries() -> None:
    extension = [{"url": "http://x", "valueReference": {"reference": "Binary/b"}}]
    image = await only(
        study("s", "1.2", endpoint=[], series=[series(instance=[{"uid": "1.2.3", "extension": extension}])])
    )
    assert image.series[0].instances[0].places[0].address == "Binary/b" and not image.unreadable


async def test_dicom_documents_are_the_files_of_their_study() -> None:
    document = {
        "resourceType": "DocumentReference", "id": "d", "status": "current", "subject": PATIENT,
        "content": [{"attachment": {"contentType": "application/dicom", "url": "Binary/b"}}],
        "context": {"related": [{"reference": "ImagingStudy/s"}]},
    }  # fmt: skip
    image = await only(document, study("s", "1.2", endpoint=[]))
    assert str(image.reference) == "ImagingStudy/s" and image.places[0].address == "Binary/b" and not image.unreadable


async def test_pictures_of_every_resource_that_holds_some() -> None:
    media = {
        "resourceType": "Media",
        "id": "m",
        "status": "completed",
        "subject": PATIENT,
        "content": PNG,
        "createdDateTime": "2024-01-04",
        "view": {"text": "wound"},
        "modality": {"coding": [{"code": "XC"}]},
    }
    video = {**media, "id": "v", "content": {"contentType": "video/mp4", "url": "Binary/v"}}
    document = {
        "resourceType": "DocumentReference",
        "id": "d",
        "status": "current",
        "subject": PATIENT,
        "date": "2024-01-03T00:00:00Z",
        "description": "photo",
        "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}, {"attachment": PNG}],
    }
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "subject": PATIENT,
        "code": {"text": "Fundus"},
        "effectiveDateTime": "2024-01-02",
        "presentedForm": [PNG],
    }
    extension = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "subject": PATIENT,
        "category": [{"coding": [{"code": "imaging"}]}],
        "code": {"text": "ECG strip"},
        "effectiveDateTime": "2024-01-01",
        "extension": [{"url": extension, "valueAttachment": PNG}],
    }
    found = await find(scoped(media, video, document, report, observation))
    assert [(str(i.reference), i.path, i.title) for i in found.images] == [
        ("Media/m", "Media.content", "wound"),
        ("DocumentReference/d", "DocumentReference.content[1].attachment", "photo"),
        ("DiagnosticReport/r", "DiagnosticReport.presentedForm[0]", "Fundus"),
        ("Observation/o", "Observation.extension[0]", "ECG strip"),
    ]
    assert found.images[0].modality == "XC" and found.images[2].reports[0].by == "presentedForm"
    assert found.complete and all(i.places[0].way == "attachment" for i in found.images)


async def test_what_is_an_error_or_not_there_yet_has_its_standing() -> None:
    found = await find(
        scoped(
            study("a", "1", status="entered-in-error"),
            study("b", "2", status="registered"),
            study("c", "3", status="cancelled"),
        )
    )
    assert {i.reference.id: i.standing for i in found.images} == {"a": "error", "b": "planned", "c": "cancelled"}


def report(id_: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": id_,
        "status": "final",
        "subject": PATIENT,
        "code": {"text": "Radiology report"},
        **more,
    }


async def test_reports_are_linked_by_what_the_chart_says_the_surest_first() -> None:
    accession = {"type": {"coding": [{"code": "ACSN"}]}, "value": "A1"}
    order = [{"reference": "ServiceRequest/q"}]
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}
    derived = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "subject": PATIENT,
        "code": {"text": "nodule"},
        "derivedFrom": [{"reference": "ImagingStudy/s"}],
    }
    image = await only(
        study("s", "1.2", identifier=[uid, accession], basedOn=order),
        derived,
        report("by-order", basedOn=order),
        report("by-accession", identifier=[accession]),
        report("by-result", result=[{"reference": "Observation/o"}]),
        report("by-name", imagingStudy=[{"reference": "ImagingStudy/s"}], basedOn=order),
        report("in-error", imagingStudy=[{"reference": "ImagingStudy/s"}], status="entered-in-error"),
        report("of-another", identifier=[{**accession, "value": "A2"}]),
    )
    assert [(r.reference.id, r.by) for r in image.reports] == [
        ("by-name", "imagingStudy"), ("by-result", "result"), ("by-accession", "accession"), ("by-order", "order")
    ]  # fmt: skip
    assert [str(f) for f in image.findings] == ["Observation/o"]


async def test_a_picture_is_of_the_report_that_shows_it() -> None:
    media = {"resourceType": "Media", "id": "m", "status": "completed", "subject": PATIENT, "content": PNG}
    image = await only(media, report("r", media=[{"link": {"reference": "Media/m"}}]))
    assert [(str(r.reference), r.by) for r in image.reports] == [("DiagnosticReport/r", "media")]


async def test_priors_are_of_the_same_part_and_kind_and_earlier() -> None:
    def at(id_: str, day: str, code: str = "DX", **more: Any) -> dict[str, Any]:
        return study(id_, "1.2", started=day, series=[series(code, **more)])

    chest = {"bodySite": {"code": "CHEST", "display": "Chest"}}
    found = await find(scoped(
        at("now", "2024-05-01"), at("older", "2022-01-01"), at("newer", "2023-01-01", "CR", **chest),
        at("later", "2024-06-01"), at("ct", "2023-05-01", "CT"), at("error", "2023-06-01") | {"status": "cancelled"},
        at("knee", "2023-02-01", bodySite={"code": "KNEE", "display": "Knee"}),
    ))  # fmt: skip
    now = next(i for i in found.images if i.reference.id == "now")
    assert [i.reference.id for i in priors(now, found.images)] == ["newer", "older"]


async def test_a_left_knee_is_no_prior_of_a_right_one() -> None:
    def knee(id_: str, day: str, side: str) -> dict[str, Any]:
        site = {"bodySite": {"code": "KNEE"}, "laterality": {"code": side}}
        return study(id_, "1.2", started=day, series=[series("DX", **site)])

    found = await find(
        scoped(knee("a", "2024", "7771000"), knee("b", "2023", "24028007"), knee("c", "2022", "7771000"))
    )
    assert [i.reference.id for i in priors(found.images[0], found.images)] == ["c"]


async def test_nothing_after_the_day_of_the_question() -> None:
    source = scoped(study("a", "1", started="2024-05-01"), study("b", "2", started="2024-05-02"), study("c", "3"))
    assert [i.reference.id for i in (await find(source, as_of=date(2024, 5, 1))).images] == ["a", "c"]


class Failing:
    """A source whose searches of one type fail."""

    def __init__(self, inner: Scoped, kind: str) -> None:
        self._inner, self._kind = inner, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def search(self, query: Query) -> SearchResult:
        if query.type == self._kind:
            raise SourceError("https://fhir.example answered 500")
        return await self._inner.search(query)


@pytest.mark.parametrize("kind", ["ImagingStudy", "Media", "DocumentReference", "DiagnosticReport", "Observation"])
async def test_a_search_that_fails_is_no_empty_result(kind: str) -> None:
    found: Images = await find(Failing(scoped(study("s", "1.2")), kind))  # type: ignore[arg-type]
    assert not found.complete
    assert {row.query.partition("?")[0] for row in found.searched if row.error} == {kind}
    assert len(found.images) == (0 if kind == "ImagingStudy" else 1)


@pytest.mark.parametrize("dirt", [None, 3, "x", [], {}, [None], [3], {"reference": 4}, [{"uid": 5, "instance": 6}]])
@pytest.mark.parametrize(
    "element", ["series", "endpoint", "modality", "identifier", "started", "procedureCode", "basedOn"]
)
async def test_wrong_shapes_read_as_absent(dirt: Any, element: str) -> None:
    resource = {**study("s", "1.2"), element: dirt}
    from fhir_tools.imaging.studies import of_study

    assert len(list(of_study(resource, {}))) == 1
