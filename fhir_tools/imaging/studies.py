"""FHIR resources → images (R4): studies with their series, pictures in Media, attachments that are images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_tools.facts.elements import (
    Resource,
    concept_of,
    elements_of,
    first_concept,
    labels,
    mapping_of,
    pick,
    reference_of,
    references_of,
    standing_of,
    text_of,
    when_of,
)
from fhir_tools.imaging import vocabulary
from fhir_tools.imaging.types import Image, Instance, Place, Reported, Series
from fhir_tools.types import Concept, Reference, Standing

__all__ = ["may_be_image", "of_document", "of_media", "of_observation", "of_report", "of_study", "placed"]

_STUDY: Mapping[str, Standing] = {"cancelled": "cancelled", "registered": "planned"}
_EVENT: Mapping[str, Standing] = {"preparation": "planned", "in-progress": "planned", "not-done": "not-done"}
_WAYS = {"dicom-wado-rs": "wado-rs", "dicom-qido-rs": "wado-rs", "dicom-wado-uri": "wado-uri"}
"""Codes of Endpoint.connectionType (R4 endpoint-connection-type), the preferred first. QIDO-RS has WADO-RS's base."""
_DICOM = ("application/dicom", "application/dicom+octet-stream")
_EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
_SIDES = {"7771000": "L", "24028007": "R", "51440002": "B", "left": "L", "right": "R", "bilateral": "B"}
"""SNOMED CT's codes and the words for a side."""


def _own(r: Resource) -> Reference:
    return Reference(type=str(r["resourceType"]), id=str(r.get("id", "")))


def _image(r: Resource, path: str, **more: Any) -> Image:
    version = text_of(mapping_of(r.get("meta")).get("versionId")) or None
    status = text_of(r.get("status"))
    encounter = more.pop("encounter", None) or reference_of(r.get("encounter"))
    image = Image(reference=_own(r), path=path, version=version, status=status, encounter=encounter, **more)
    readable = image.places or any(s.places or any(i.places for i in s.instances) for s in image.series)
    return image if readable else replace(image, unreadable="the chart does not say where its pixels are")


# Studies.


def of_study(r: Resource, endpoints: Mapping[Reference, Resource]) -> Iterator[Image]:
    """An ImagingStudy."""
    own, uid = _own(r), _uid(r)
    series = tuple(_series(own, at, s, endpoints) for at, s in enumerate(elements_of(r.get("series"))))
    codes = [*(_modality(m) for m in elements_of(r.get("modality"))), *(s.modality for s in series)]
    modalities = tuple(dict.fromkeys(c for c in sorted(filter(None, codes), key=_is_secondary)))
    sites = [s.site for s in series if s.site]
    title = labels(r.get("procedureCode")) or text_of(r.get("description"))
    count = r.get("numberOfInstances")
    image = _image(
        r,
        "ImagingStudy",
        standing=standing_of(text_of(r.get("status")), _STUDY),
        uid=uid,
        modalities=modalities,
        site=sites[0] if sites else None,
        laterality=next((s.laterality for s in series if s.laterality), ""),
        when=when_of(r.get("started")) or next(filter(None, map(_started, elements_of(r.get("series")))), None),
        title=title or next((s.title for s in series if s.title), ""),
        series=series,
        count=count if isinstance(count, int) else sum(len(s.instances) or s.count or 0 for s in series) or None,
        places=_archives(own, r, "ImagingStudy.endpoint", endpoints),
    )
    if not uid and not any(i.places for s in series for i in s.instances):
        image = replace(image, places=(), unreadable="the chart names no Study Instance UID to ask an archive for")
    yield image


def _started(series: Resource) -> Any:
    return when_of(series.get("started"))


def _is_secondary(code: str) -> bool:
    """Reports, states and segmentations of a study are not what it is called by."""
    return code in ("SR", "PR", "KO", "DOC", "SEG", "OT", "REG", "PLAN", "AU")


def _uid(r: Resource) -> str:
    """The Study Instance UID: an identifier of the system urn:dicom:uid (R4 ImagingStudy.identifier)."""
    for identifier in elements_of(r.get("identifier")):
        value = text_of(identifier.get("value")).removeprefix("urn:oid:")
        if identifier.get("system") == "urn:dicom:uid" and value:
            return value
    return ""


def _modality(coding: Resource) -> str:
    return vocabulary.modality(coding.get("code"))


def _series(own: Reference, at: int, s: Resource, endpoints: Mapping[Reference, Resource]) -> Series:
    path = f"ImagingStudy.series[{at}]"
    site = concept_of({"coding": [s["bodySite"]]}) if isinstance(s.get("bodySite"), dict) else None
    count, number = s.get("numberOfInstances"), s.get("number")
    return Series(
        uid=text_of(s.get("uid")).removeprefix("urn:oid:"),
        number=number if isinstance(number, int) else None,
        modality=_modality(mapping_of(s.get("modality"))),
        site=site,
        laterality=_side(mapping_of(s.get("laterality"))),
        title=text_of(s.get("description")),
        count=count if isinstance(count, int) else None,
        instances=tuple(
            _instance(own, f"{path}.instance[{number}]", i) for number, i in enumerate(elements_of(s.get("instance")))
        ),
        places=_archives(own, s, f"{path}.endpoint", endpoints),
    )


def _side(coding: Resource) -> str:
    said = (text_of(coding.get("code")).lower(), text_of(coding.get("display")).lower())
    return next((_SIDES[word] for word in said if word in _SIDES), vocabulary.laterality(coding.get("code")))


def _instance(own: Reference, path: str, i: Resource) -> Instance:
    number = i.get("number")
    return Instance(
        uid=text_of(i.get("uid")).removeprefix("urn:oid:"),
        sop_class=text_of(mapping_of(i.get("sopClass")).get("code")).removeprefix("urn:oid:"),
        number=number if isinstance(number, int) else None,
        places=tuple(_extended(own, path, i)),
    )


def _extended(own: Reference, path: str, i: Resource) -> Iterator[Place]:
    """An instance as a Binary: R4 has no element for it; servers write an extension with an Attachment or Reference."""
    for at, extension in enumerate(elements_of(i.get("extension"))):
        where = f"{path}.extension[{at}]"
        attachment = mapping_of(extension.get("valueAttachment"))
        reference = reference_of(extension.get("valueReference"))
        if attachment.get("url") or attachment.get("data"):
            yield _attached(own, where, attachment)
        elif reference and reference.type == "Binary":
            yield Place(way="attachment", holder=own, path=where, address=str(reference))


def _archives(own: Reference, r: Resource, path: str, endpoints: Mapping[Reference, Resource]) -> tuple[Place, ...]:
    """The DICOMweb services of the endpoints of a study or series, the preferred first."""
    contained = {f"#{c.get('id')}": c for c in elements_of(r.get("contained"))}
    told = []
    for reference in elements_of(r.get("endpoint")):
        known = reference_of(reference)
        endpoint = endpoints.get(known) if known else contained.get(text_of(reference.get("reference")))
        if endpoint and text_of(endpoint.get("status")) in ("active", "test", ""):
            told += list(_services(own, path, endpoint))
    order = ("wado-rs", "wado-uri")
    return tuple(dict.fromkeys(sorted(told, key=lambda place: order.index(place.way))))


def _services(own: Reference, path: str, endpoint: Resource) -> Iterator[Place]:
    address = text_of(endpoint.get("address"))
    codes = [text_of(c.get("code")).lower() for c in elements_of(endpoint.get("connectionType"))]
    for code, way in _WAYS.items():
        if code in codes and address:
            # Some name the service by the path of its studies.
            base = address.rstrip("/").removesuffix("/studies")
            yield Place(way=way, holder=own, path=path, address=base)  # type: ignore[arg-type]


# Pictures.


def is_image(attachment: Resource) -> bool:
    """Whether an attachment says that it is an image, by its media type or the end of its name."""
    kind = text_of(attachment.get("contentType")).partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind in _DICOM:
        return kind != "image/svg+xml"
    name = f"{text_of(attachment.get('url'))} {text_of(attachment.get('title'))}".lower()
    ends = (".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".svs", ".ndpi")
    return kind in ("", "application/octet-stream") and any(word.endswith(ends) for word in name.split())


def may_be_image(r: Resource) -> bool:
    """Whether a resource may be one that something is derived from as from an image."""
    if r.get("resourceType") != "DocumentReference":
        return True
    return any(is_image(mapping_of(c.get("attachment"))) for c in elements_of(r.get("content")))


def _attached(own: Reference, path: str, attachment: Resource) -> Place:
    kind, url = text_of(attachment.get("contentType")), text_of(attachment.get("url"))
    inline = attachment.get("data") is not None
    return Place(way="attachment", holder=own, path=path, address="" if inline else url, declared=kind)


def _pictures(r: Resource, path: str, attachments: Iterable[Resource]) -> Iterator[tuple[str, Place, str]]:
    """(path, place, title) of the attachments that are images."""
    for at, attachment in enumerate(attachments):
        if is_image(attachment) and (attachment.get("url") or attachment.get("data")):
            where = path.format(at)
            yield where, _attached(_own(r), where, attachment), text_of(attachment.get("title"))


def of_media(r: Resource) -> Iterator[Image]:
    """A Media that is a picture; video and sound are none."""
    if "video" in text_of(mapping_of(r.get("content")).get("contentType")) or _is_sound(r):
        return
    content = mapping_of(r.get("content"))
    code = vocabulary.modality(
        next((c.get("code") for c in elements_of(mapping_of(r.get("modality")).get("coding"))), "")
    )
    has_bytes = content.get("url") or content.get("data")
    yield _image(
        r,
        "Media.content",
        standing=standing_of(text_of(r.get("status")), _EVENT),
        modalities=(code,) if code else (),
        site=concept_of(r.get("bodySite")),
        when=when_of(pick(r, "created")) or when_of(r.get("issued")),
        title=_title(labels(r.get("view")), text_of(content.get("title")), labels(r.get("reasonCode"))),
        count=1,
        places=(_attached(_own(r), "Media.content", content),) if has_bytes else (),
    )


def _is_sound(r: Resource) -> bool:
    codes = {text_of(c.get("code")) for c in elements_of(mapping_of(r.get("type")).get("coding"))}
    return bool(codes & {"video", "audio"})


def of_document(r: Resource) -> Iterator[Image]:
    """The image attachments of a DocumentReference."""
    attachments = [mapping_of(c.get("attachment")) for c in elements_of(r.get("content"))]
    context = mapping_of(r.get("context"))
    error = "entered-in-error" in (text_of(r.get("status")), text_of(r.get("docStatus")))
    for path, place, title in _pictures(r, "DocumentReference.content[{}].attachment", attachments):
        yield _image(
            r,
            path,
            standing=standing_of("entered-in-error" if error else text_of(r.get("status"))),
            when=when_of(context.get("period")) or when_of(r.get("date")),
            title=_title(labels(r.get("type")), text_of(r.get("description")), title),
            site=_site_of_events(context),
            encounter=next(iter(references_of(context.get("encounter"))), None),
            count=1,
            places=(place,),
        )


def _site_of_events(context: Resource) -> Concept | None:
    return first_concept(context.get("event")) if context.get("event") else None


def of_report(r: Resource) -> Iterator[Image]:
    """The images among the presented forms of a DiagnosticReport; each is of that report."""
    for path, place, title in _pictures(r, "DiagnosticReport.presentedForm[{}]", elements_of(r.get("presentedForm"))):
        yield _image(
            r,
            path,
            standing=standing_of(text_of(r.get("status")), {"registered": "planned", "cancelled": "cancelled"}),
            when=when_of(pick(r, "effective")) or when_of(r.get("issued")),
            title=_title(labels(r.get("code")), title),
            count=1,
            places=(place,),
            reports=(Reported(reference=_own(r), by="presentedForm"),),
        )


def of_observation(r: Resource) -> Iterator[Image]:
    """The picture that is an Observation's value: R5's valueAttachment, in R4 also as an extension."""
    values = [("Observation.valueAttachment", mapping_of(r.get("valueAttachment")))]
    values += [
        (f"Observation.extension[{at}]", mapping_of(extension.get("valueAttachment")))
        for at, extension in enumerate(elements_of(r.get("extension")))
        if text_of(extension.get("url")).startswith(_EXTENSION)
    ]
    for path, attachment in values:
        for where, place, title in _pictures(r, path, [attachment] if attachment else ()):
            yield _image(
                r,
                where,
                standing=standing_of(text_of(r.get("status")), {"registered": "planned", "cancelled": "cancelled"}),
                site=concept_of(r.get("bodySite")),
                when=when_of(pick(r, "effective")) or when_of(r.get("issued")),
                title=_title(labels(r.get("code")), title),
                count=1,
                places=(place,),
            )


def _title(*said: str) -> str:
    return next(filter(None, said), "")


def placed(images: Sequence[Image], documents: Iterable[Resource]) -> list[Image]:
    """The images, a study without an archive with the DICOM attachments of documents that are about it.

    `context.related` of a DocumentReference names the study (IHE MHD); it is then not an image of its own.
    """
    about: dict[Reference, list[Place]] = {}
    taken: set[Reference] = set()
    known = {image.reference for image in images if image.reference.type == "ImagingStudy"}
    for r in documents:
        related = [one for one in references_of(mapping_of(r.get("context")).get("related")) if one in known]
        places = [image.places[0] for image in of_document(r) if image.places[0].declared.startswith(_DICOM)]
        for study in related if places else ():
            about.setdefault(study, []).extend(places)
            taken.add(_own(r))
    kept = [image for image in images if image.reference not in taken]
    return [
        replace(image, places=(*image.places, *about[image.reference]), unreadable="")
        if image.reference in about
        else image
        for image in kept
    ]
