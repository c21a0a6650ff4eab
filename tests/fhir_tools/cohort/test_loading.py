"""A cohort's folder: whole or not at all, resumed by file, and one row for each resource."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.cohorts import chart, write
from fhir_tools.cohort import loading
from fhir_tools.cohort.loading import load_cohort
from fhir_tools.cohort.tables import MANIFEST, opened
from fhir_tools.errors import LoadError, UserError

pytest.importorskip("ibis")


def test_files_become_views_facts_and_a_manifest(tmp_path: Path) -> None:
    files = write(tmp_path / "in", range(8), files=2)
    plain = files[0].read_bytes()
    files[0].unlink()
    files[0].with_suffix(".ndjson.gz").write_bytes(gzip.compress(plain))
    seen: list[tuple[int, int]] = []
    told = load_cohort([tmp_path / "in"], tmp_path / "c", progress=lambda *x: seen.append(x))
    assert told.resources["Patient"] == 8 and seen == [(1, 2), (2, 2)]
    manifest = json.loads((tmp_path / "c" / MANIFEST).read_text())
    assert manifest["resources"] == told.resources and len(manifest["files"]) == 2
    assert (tmp_path / "c" / "views" / "condition.json").exists()
    with opened(tmp_path / "c") as cohort:
        assert cohort.rows(cohort.people.aggregate(n=cohort.people.count())) == [{"n": 8}]
        counts = cohort.rows(cohort.facts.group_by("type").agg(n=cohort.facts.count()))
    assert {c["type"]: c["n"] for c in counts} == {k: v for k, v in told.resources.items() if k != "Patient"}


def test_a_load_that_fails_leaves_the_cohort_as_it_was(tmp_path: Path) -> None:
    load_cohort(write(tmp_path / "in", range(3), files=1), tmp_path / "c")
    before = (tmp_path / "c" / MANIFEST).read_bytes()
    bad = tmp_path / "bad.ndjson"
    bad.write_text('{"resourceType": "Patient", "id": "x"}\n{"resourceType": \n')
    with pytest.raises(LoadError, match="line 2"):
        load_cohort([bad], tmp_path / "c")
    assert (tmp_path / "c" / MANIFEST).read_bytes() == before


def test_a_resource_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for n in range(2):
        body = {"resourceType": "Patient", "id": "x", "gender": ("male", "female")[n]}
        (tmp_path / f"{n}.ndjson").write_text(json.dumps(body) + "\n")
    with pytest.raises(UserError, match="stand twice"):
        load_cohort([tmp_path], tmp_path.with_name("c"))


def test_files_that_were_done_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path / "in", range(4), files=2)
    flatten, done = loading._flatten, []

    def stops(one: object) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(flatten(one))  # type: ignore[arg-type,func-returns-value]

    monkeypatch.setattr(loading, "_flatten", stops)
    with pytest.raises(KeyboardInterrupt):
        load_cohort(files, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    monkeypatch.setattr(loading, "_flatten", flatten)
    assert load_cohort(files, tmp_path / "c").reused == 1
    assert not (tmp_path / "c.loading").exists()


def test_standing_and_time_of_facts(tmp_path: Path) -> None:
    subject = {"reference": "Patient/p"}
    code = {"text": "Thing"}
    rows = [
        {"resourceType": "Patient", "id": "p", "birthDate": "1960-02"},
        {"resourceType": "Condition", "id": "c1", "subject": subject, "code": code, "onsetDateTime": "2019",
         "verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"resourceType": "Observation", "id": "o1", "subject": subject, "code": code, "status": "entered-in-error"},
        {"resourceType": "Encounter", "id": "e1", "subject": subject, "status": "finished", "class": {"code": "IMP"},
         "period": {"start": "2020-01-01T23:30:00-05:00", "end": "2020-01-04"}},
        {"resourceType": "MedicationRequest", "id": "m1", "subject": subject, "status": "active", "intent": "order",
         "medicationReference": {"reference": "Medication/x"}, "encounter": {"reference": "Encounter/e1"},
         "category": [{"coding": [{"code": "inpatient"}]}]},
        {"resourceType": "Medication", "id": "x", "code": {"text": "Warfarin"}},
    ]  # fmt: skip
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(r) + "\n" for r in rows))
    load_cohort([tmp_path / "in.ndjson"], tmp_path / "c")
    with opened(tmp_path / "c") as cohort:
        facts = {f["id"]: f for f in cohort.rows(cohort.facts)}
        labels = {c["concept"]: c["label"] for c in cohort.rows(cohort.concepts)}
    assert (facts["c1"]["standing"], facts["c1"]["coarse"], str(facts["c1"]["start_last"])) == (
        "refuted",
        True,
        "2019-12-31",
    )
    assert facts["o1"]["standing"] == "error"
    assert (str(facts["e1"]["day"]), str(facts["e1"]["moment"])) == ("2020-01-01", "2020-01-02 04:30:00")
    assert labels[facts["m1"]["concept"]] == "Warfarin"
    assert (facts["m1"]["inpatient"], str(facts["m1"]["stay_end"])) == (True, "2020-01-04")


def test_records_of_nobody_are_counted(tmp_path: Path) -> None:
    body = {"resourceType": "Condition", "id": "c", "subject": {"reference": "urn:uuid:1"}, "code": {"text": "Gout"}}
    (tmp_path / "in.ndjson").write_text(json.dumps(body) + "\n")
    assert load_cohort([tmp_path / "in.ndjson"], tmp_path / "c").nobody == 1
    assert json.loads((tmp_path / "c" / MANIFEST).read_text())["nobody"] == 1


def test_no_cohort_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="chartline cohort load"), opened(tmp_path):
        pass
    list(chart(1))


def test_an_engine_that_is_none_is_refused(tmp_path: Path) -> None:
    load_cohort(write(tmp_path / "in", range(1), files=1), tmp_path / "c")
    with pytest.raises(UserError, match="no engine"), opened(tmp_path / "c", "oracle"):
        pass
