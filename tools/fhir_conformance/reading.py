"""Checks of metadata, reads, caches, refusals and malformed requests (R4 http)."""

from __future__ import annotations

from typing import Any

from tools.fhir_conformance.session import Failed, NotOffered, Session, body, check, need, refused, resources

__all__: list[str] = []

_JSON = {"Accept": "application/fhir+json"}


async def _patient(s: Session, **more: Any) -> Any:
    return await s.get(f"Patient/{s.patient}", **more)


@check("3.1.0.8", "metadata is a CapabilityStatement of R4")
async def metadata(s: Session) -> None:
    answer = await s.get("metadata")
    need(answer.status_code == 200, f"status {answer.status_code}")
    found = body(answer)
    need(found.get("resourceType") == "CapabilityStatement", "no CapabilityStatement")
    need(str(found.get("fhirVersion", "")).startswith("4.0"), f"fhirVersion {found.get('fhirVersion')!r}")
    need(any(rest.get("mode") == "server" for rest in found.get("rest", ())), "no rest of mode server")


@check("CapabilityStatement", "metadata is valid R4")
async def valid_metadata(s: Session) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement
    from pydantic import ValidationError

    try:
        CapabilityStatement.model_validate(body(await s.get("metadata")))
    except ValidationError as fault:
        raise Failed(f"{fault.error_count()} faults, first at {'.'.join(map(str, fault.errors()[0]['loc']))}") from None


@check("3.1.0.1.10", "JSON is application/fhir+json; _format=json works")
async def formats(s: Session) -> None:
    for answer in (await _patient(s, headers=_JSON), await _patient(s, params=[("_format", "json")])):
        need(answer.status_code == 200, f"status {answer.status_code}")
        kind = answer.headers.get("content-type", "")
        need(kind.startswith(("application/fhir+json", "application/json")), f"content type {kind!r}")


@check("3.1.0.1.10", "what is not offered is refused: Accept of an unknown type is 406")
async def not_acceptable(s: Session) -> None:
    answer = await _patient(s, headers={"Accept": "application/x-none"})
    need(answer.status_code in (406, 200), f"status {answer.status_code}")
    if answer.status_code == 200:
        raise NotOffered("answers in its own format")


@check("3.1.0.2", "read gives the resource, ETag and Last-Modified")
async def read(s: Session) -> None:
    answer = await _patient(s)
    need(answer.status_code == 200, f"status {answer.status_code}")
    found = body(answer)
    need((found.get("resourceType"), found.get("id")) == ("Patient", s.patient), "another resource came")
    version = found.get("meta", {}).get("versionId")
    if version is not None:
        need(answer.headers.get("etag") in (f'W/"{version}"', f'"{version}"'), "ETag is not W/ and the versionId")
        need("last-modified" in answer.headers, "no Last-Modified")


@check("3.1.0.3", "conditional read: If-None-Match gives 304")
async def conditional(s: Session) -> None:
    tag = (await _patient(s)).headers.get("etag")
    if not tag:
        raise NotOffered("no ETag")
    answer = await _patient(s, headers={"If-None-Match": tag})
    if answer.status_code == 200:
        raise NotOffered("the whole resource again")
    need(answer.status_code == 304 and not answer.content, f"status {answer.status_code}")
    other = await _patient(s, headers={"If-None-Match": 'W/"no-such-version"'})
    need(other.status_code == 200, f"status {other.status_code} for another ETag")


@check("3.1.0.3", "conditional read: If-Modified-Since gives 304")
async def since(s: Session) -> None:
    when = (await _patient(s)).headers.get("last-modified")
    if not when:
        raise NotOffered("no Last-Modified")
    answer = await _patient(s, headers={"If-Modified-Since": when})
    if answer.status_code == 200:
        raise NotOffered("the whole resource again")
    need(answer.status_code == 304, f"status {answer.status_code}")


@check("3.1.0.4", "vread of the current version")
async def vread(s: Session) -> None:
    version = body(await _patient(s)).get("meta", {}).get("versionId")
    if version is None or "vread" not in s.interactions("Patient"):
        raise NotOffered("no versions")
    answer = await s.get(f"Patient/{s.patient}/_history/{version}")
    need(answer.status_code == 200, f"status {answer.status_code}")
    need(body(answer).get("meta", {}).get("versionId") == version, "another version came")
    refused(await s.get(f"Patient/{s.patient}/_history/no-such-version"), 404, 400)


@check("3.1.0.13", "_history of an instance")
async def history(s: Session) -> None:
    if "history-instance" not in s.interactions("Patient"):
        raise NotOffered("not in the CapabilityStatement")
    bundle = await s.bundle(f"Patient/{s.patient}/_history")
    need(bundle.get("type") == "history", f"a Bundle of type {bundle.get('type')!r}")
    need(bundle.get("entry"), "no entries")
    need(all("request" in e for e in bundle["entry"]), "entries without request")


@check("3.1.0.1.3", "HEAD is GET without a body")
async def head(s: Session) -> None:
    answer = await s.send("HEAD", f"Patient/{s.patient}")
    if answer.status_code in (404, 405, 501):
        raise NotOffered(f"status {answer.status_code}")
    need(answer.status_code == 200 and not answer.content, f"status {answer.status_code}")


@check("3.1.0.1.5", "what is not there is 404 with an OperationOutcome")
async def missing(s: Session) -> None:
    refused(await s.get("Patient/no-such-patient-0"), 404, 410)
    refused(await s.get("NoSuchType/1"), 404, 400)


@check("3.1.0.1.5", "odd ids are refused, never a server error")
async def odd_ids(s: Session) -> None:
    for id_ in (
        "a" * 100,
        "%00",
        "a%2Fb",
        "..%2F..%2Fetc",
        "%F0%9F%98%80",
        "a b",
        "'--",
        "$no%20such",
        "%ff",
        "*",
    ):
        answer = await s.get(f"Patient/{id_}")
        need(400 <= answer.status_code < 500, f"status {answer.status_code} for {id_[:20]!r}")


@check("3.1.0.1.5", "a verb that is not offered is refused with an OperationOutcome")
async def verbs(s: Session) -> None:
    answer = await s.send("PATCH", "metadata", content=b"{}", headers={"Content-Type": "application/json"})
    refused(answer, 400, 404, 405, 501)


@check("3.1.0.11", "a body that is no JSON is refused with an OperationOutcome")
async def bad_json(s: Session) -> None:
    if not s.interactions() & {"batch", "transaction"}:
        raise NotOffered("neither batch nor transaction")
    headers = {"Content-Type": "application/fhir+json"}
    for content in (b'{"resourceType": "Bundle", ', b"[]", b"\xff\xfe", b'{"resourceType": "Bundle", "type": "none"}'):
        refused(await s.send("POST", "", content=content, headers=headers), 400, 422)


@check("3.1.0.11", "a body of another content type is refused")
async def bad_type(s: Session) -> None:
    if not s.interactions() & {"batch", "transaction"}:
        raise NotOffered("neither batch nor transaction")
    answer = await s.send("POST", "", content=b"x=1", headers={"Content-Type": "text/plain"})
    refused(answer, 400, 406, 415)


@check("3.1.0.11", "batch: each entry for itself, in order")
async def batch(s: Session) -> None:
    if "batch" not in s.interactions():
        raise NotOffered("not in the CapabilityStatement")
    urls = [f"Patient/{s.patient}", "Patient/no-such-patient-0", f"Patient?_id={s.patient}"]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    answer = await s.send("POST", "", json={"resourceType": "Bundle", "type": "batch", "entry": entries}, headers=_JSON)
    need(answer.status_code == 200, f"status {answer.status_code}")
    found = body(answer)
    need(found.get("type") == "batch-response", f"a Bundle of type {found.get('type')!r}")
    given = found.get("entry", [])
    need(len(given) == len(urls), f"{len(given)} entries for {len(urls)}")
    status = [str(e.get("response", {}).get("status", ""))[:3] for e in given]
    need(status[0] == "200" and status[1] in ("404", "410") and status[2] == "200", f"statuses {status}")
    need(given[0].get("resource", {}).get("id") == s.patient, "the first entry is another resource")
    need(given[2].get("resource", {}).get("resourceType") == "Bundle", "a search in a batch gives no Bundle")


@check("Patient $everything", "the whole chart, in pages if asked, each resource once")
async def everything(s: Session) -> None:
    names = {o["name"].removeprefix("$") for o in s.types().get("Patient", {}).get("operation", ())}
    path = f"Patient/{s.patient}/$everything"
    if "everything" not in names and (await s.get(path)).status_code in (400, 404, 405, 501):
        raise NotOffered("not in the CapabilityStatement")
    whole = [e["resource"] for page in await s.pages(path) for e in page.get("entry", ()) if "resource" in e]
    keys = [f"{r['resourceType']}/{r['id']}" for r in whole]
    need(len(keys) == len(set(keys)), "a resource comes twice")
    need(f"Patient/{s.patient}" in keys, "without the patient")
    lost = {t for t, found in s.samples.items() for r in found if f"{t}/{r['id']}" not in keys}
    need(not lost, f"without some {', '.join(sorted(lost))} that searches by patient find")


@check("3.1.0.1.12", "gzip where it is asked for")
async def gzip(s: Session) -> None:
    answer = await s.get("metadata", headers={"Accept-Encoding": "gzip"})
    if answer.headers.get("content-encoding") != "gzip":
        raise NotOffered("answers without")
    need(body(answer).get("resourceType") == "CapabilityStatement", "what is unpacked is no CapabilityStatement")


@check("3.1.1.1.1", "search of the whole system by _type and _id")
async def system(s: Session) -> None:
    if "search-system" not in s.interactions():
        raise NotOffered("not in the CapabilityStatement")
    bundle = await s.bundle("", [("_type", "Patient"), ("_id", s.patient)])
    need([r.get("id") for r in resources(bundle)] == [s.patient], "the patient is not what it finds")
