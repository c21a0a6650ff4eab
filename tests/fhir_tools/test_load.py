"""Files into the store: what is read, how references become literal, and what is said of hostile files."""

from __future__ import annotations

import codecs
import gc
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_tools.load import FileReport, load, reader
from fhir_tools.local import LocalStore
from fhir_tools.search.query import parse
from fhir_tools.types import Reference

Resource = dict[str, Any]

PATIENT: Resource = {"resourceType": "Patient", "id": "p", "name": [{"family": "One"}]}
VISIT: Resource = {"resourceType": "Encounter", "id": "e", "status": "finished", "subject": {"reference": "Patient/p"}}


@pytest.fixture
def store() -> Iterator[LocalStore]:
    made = LocalStore()
    yield made
    made.close()


@pytest.fixture(params=["at once", "streamed"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small files are parsed at once, large ones streamed: both ways must say the same."""
    if request.param == "streamed":
        monkeypatch.setattr(reader, "_SMALL", 100)
    return str(request.param)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, content: bytes | Resource | list[Resource]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            data = b"".join(orjson.dumps(r) + b"\n" for r in content)
        else:
            data = content if isinstance(content, bytes) else orjson.dumps(content)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return make


def bundle(*entries: Resource, type_: str | None = "collection") -> Resource:
    made: Resource = {"resourceType": "Bundle", "entry": list(entries)}
    return made if type_ is None else {**made, "type": type_}


def entry(resource: Resource, full_url: str | None = None, **more: Any) -> Resource:
    return {**({"fullUrl": full_url} if full_url else {}), "resource": resource, **more}


def only(store: LocalStore, *paths: Path, **options: Any) -> FileReport:
    (file,) = load(paths, store, **options).files
    return file


def get(store: LocalStore, text: str) -> Resource:
    body = store.body(Reference.parse(text))
    assert body is not None, text
    found: Resource = orjson.loads(body)
    return found


def stored(store: LocalStore) -> int:
    count: int = store.connection.execute("SELECT count(*) FROM resource").fetchone()[0]
    return count


# Kinds of files.


@pytest.mark.parametrize("type_", ["transaction", "collection", "searchset", "batch", "document", "history", None])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_bundles(store: LocalStore, write: Callable[..., Path], type_: str | None, suffix: str) -> None:
    file = only(store, write("b" + suffix, bundle(entry(PATIENT), entry(VISIT), type_=type_)))
    assert (file.new, dict(file.resources), file.warnings, file.error) == (2, {"Patient": 1, "Encounter": 1}, (), None)
    assert get(store, "Patient/p") == PATIENT


@pytest.mark.parametrize("name", ["r.ndjson", "r.jsonl", "r.json", "r.ndjson.gz", "r.txt"])
def test_ndjson_by_name_or_by_content(store: LocalStore, write: Callable[..., Path], name: str) -> None:
    assert only(store, write(name, [PATIENT, VISIT])).new == 2


def test_ndjson_with_windows_ends_blank_lines_and_no_last_end(store: LocalStore, write: Callable[..., Path]) -> None:
    text = orjson.dumps(PATIENT) + b"\r\n\r\n\r\n" + orjson.dumps(VISIT)
    assert only(store, write("r.ndjson", text)).new == 2


@pytest.mark.parametrize("content", [PATIENT, bundle(entry(PATIENT))])
@pytest.mark.parametrize("indent", [True, False])
def test_a_byte_order_mark_and_indents_do_no_harm(
    store: LocalStore, write: Callable[..., Path], content: Resource, indent: bool
) -> None:
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2 if indent else 0).replace(b"\n", b"\r\n")
    assert only(store, write("r.json", codecs.BOM_UTF8 + text)).new == 1


def test_keys_may_stand_in_any_order(store: LocalStore, write: Callable[..., Path]) -> None:
    text = orjson.dumps(bundle(entry(PATIENT), entry(VISIT)), option=orjson.OPT_SORT_KEYS)
    assert text.index(b'"entry"') < text.index(b'"type"')
    assert only(store, write("b.json", text)).new == 2


def test_a_list_has_entries_but_is_no_bundle(store: LocalStore, write: Callable[..., Path]) -> None:
    listed: Resource = {
        "entry": [{"item": {"reference": "Patient/p"}}],
        "id": "l",
        "resourceType": "List",
        "status": "x",
    }
    assert dict(only(store, write("l.json", listed)).resources) == {"List": 1}


def test_an_empty_bundle_is_no_error(store: LocalStore, write: Callable[..., Path]) -> None:
    file = only(store, write("b.json", {"resourceType": "Bundle", "type": "searchset", "total": 0}))
    assert (file.new, file.error) == (0, None)


def test_a_line_may_hold_a_bundle(store: LocalStore, write: Callable[..., Path]) -> None:
    assert only(store, write("b.ndjson", [bundle(entry(PATIENT), entry(VISIT))])).new == 2


def test_a_folder_is_read_recursively_in_order(store: LocalStore, write: Callable[..., Path], tmp_path: Path) -> None:
    write("in/b/two.ndjson.gz", [VISIT])
    write("in/a/one.json", PATIENT)
    write("in/.hidden/three.json", b"{")
    write("in/readme.txt", b"nothing to load")
    report = load([tmp_path / "in"], store)
    assert [Path(f.path).name for f in report.files] == ["one.json", "two.ndjson.gz"]
    assert (report.new, report.resources, report.errors) == (2, {"Patient": 1, "Encounter": 1}, ())


def test_a_bulk_data_export_with_its_manifest(store: LocalStore, write: Callable[..., Path], tmp_path: Path) -> None:
    output = [{"type": t, "url": f"https://x.test/{t}.ndjson"} for t in ("Encounter", "Patient")]
    write(
        "out/manifest.json", {"transactionTime": "2024-01-01T00:00:00Z", "request": "x", "output": output, "error": []}
    )
    write("out/Encounter.ndjson", [VISIT])
    write("out/Patient.ndjson", [PATIENT])
    report = load([tmp_path / "out"], store)
    assert (report.new, report.errors, report.warnings) == (2, (), ())


# References.


def test_urn_references_become_literal_backward_and_forward(store: LocalStore, write: Callable[..., Path]) -> None:
    patient, visit = "urn:uuid:11111111-aaaa-4aaa-8aaa-111111111111", "urn:uuid:22222222-aaaa-4aaa-8aaa-222222222222"
    result = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    made = bundle(
        entry(
            {**result, "id": "o", "subject": {"reference": patient}, "encounter": {"reference": visit}}, "urn:uuid:o"
        ),
        entry({k: v for k, v in PATIENT.items() if k != "id"}, patient, request={"method": "POST", "url": "Patient"}),
        entry({**VISIT, "subject": {"reference": patient}}, visit),
        type_="transaction",
    )
    file = only(store, write("b.json", made))
    assert (file.new, file.warnings, file.error) == (3, (), None)
    found = get(store, "Observation/o")
    assert found["subject"]["reference"] == "Patient/11111111-aaaa-4aaa-8aaa-111111111111"
    assert found["encounter"]["reference"] == "Encounter/e"
    assert store.matching(parse("Observation?encounter=Encounter/e")) == ["Observation/o"]


def test_an_attachment_that_names_an_entry_is_followed(store: LocalStore, write: Callable[..., Path]) -> None:
    document = {"resourceType": "DocumentReference", "id": "d", "content": [{"attachment": {"url": "urn:uuid:b"}}]}
    only(store, write("b.json", bundle(entry(document), entry({"resourceType": "Binary", "id": "bin"}, "urn:uuid:b"))))
    assert get(store, "DocumentReference/d")["content"][0]["attachment"]["url"] == "Binary/bin"


def test_text_that_looks_like_a_reference_is_left_alone(store: LocalStore, write: Callable[..., Path]) -> None:
    text = 'say "reference":"urn:uuid:1" twice'
    noted = {**VISIT, "text": {"status": "generated", "div": text}}
    only(store, write("b.json", bundle(entry(PATIENT, "urn:uuid:1"), entry(noted))))
    assert get(store, "Encounter/e")["text"]["div"] == text


def test_absolute_references_of_the_bundles_own_server_become_relative(
    store: LocalStore, write: Callable[..., Path]
) -> None:
    base = "https://x.test/fhir"
    visit = {
        **VISIT,
        "subject": {"reference": f"{base}/Patient/p"},
        "partOf": {"reference": "https://y.test/Encounter/z"},
    }
    file = only(
        store, write("b.json", bundle(entry(visit, f"{base}/Encounter/e"), entry(PATIENT, f"{base}/Patient/p")))
    )
    assert get(store, "Encounter/e")["subject"]["reference"] == "Patient/p"
    assert get(store, "Encounter/e")["partOf"]["reference"] == "https://y.test/Encounter/z"
    assert [w.message for w in file.warnings] == ["refers to another server; load that resource too if it is needed"]


PRACTITIONER: Resource = {
    "resourceType": "Practitioner",
    "id": "dr",
    "identifier": [{"system": "urn:npi", "value": "9"}],
}
SEEN: Resource = {**VISIT, "participant": [{"individual": {"reference": "Practitioner?identifier=urn:npi|9"}}]}


@pytest.mark.parametrize("order", ["before", "same", "same-later", "after"])
def test_conditional_references_are_met_from_the_file_the_store_and_later_files(
    store: LocalStore, write: Callable[..., Path], order: str
) -> None:
    people, visits = [entry(PRACTITIONER)], [entry(PATIENT), entry(SEEN)]
    files = {
        "before": [people, visits],
        "same": [people + visits],
        "same-later": [visits + people],
        "after": [visits, people],
    }[order]
    report = load([write(f"{n}.json", bundle(*f, type_="transaction")) for n, f in enumerate(files)], store)
    assert (report.errors, report.warnings) == ((), ())
    assert get(store, "Encounter/e")["participant"][0]["individual"]["reference"] == "Practitioner/dr"
    assert store.matching(parse("Encounter?participant=Practitioner/dr")) == ["Encounter/e"]


def test_a_conditional_reference_that_two_meet_is_left_and_told(store: LocalStore, write: Callable[..., Path]) -> None:
    made = bundle(entry(PATIENT), entry(PRACTITIONER), entry({**PRACTITIONER, "id": "other"}), entry(SEEN))
    file = only(store, write("b.json", made))
    assert get(store, "Encounter/e") == SEEN
    assert [w.count for w in file.warnings] == [1]


def test_a_conditional_create_uses_what_is_there(store: LocalStore, write: Callable[..., Path]) -> None:
    store.put(PRACTITIONER)
    request = {"method": "POST", "url": "Practitioner", "ifNoneExist": "identifier=urn:npi|9"}
    visit = {**VISIT, "participant": [{"individual": {"reference": "urn:uuid:new"}}]}
    made = bundle(entry({**PRACTITIONER, "id": "new"}, "urn:uuid:new", request=request), entry(PATIENT), entry(visit))
    file = only(store, write("b.json", made))
    assert (file.new, file.unchanged) == (2, 1)
    assert get(store, "Encounter/e")["participant"][0]["individual"]["reference"] == "Practitioner/dr"


def test_what_is_not_there_is_warned_of_with_counts(store: LocalStore, write: Callable[..., Path]) -> None:
    dangling = [{**VISIT, "id": f"e{n}", "partOf": {"reference": "Encounter/none"}} for n in range(8)]
    contained = {**VISIT, "id": "c", "serviceProvider": {"reference": "#org"}, "contained": [{"id": "x"}]}
    urn = {**VISIT, "id": "u", "partOf": {"reference": "urn:uuid:none"}}
    file = only(store, write("r.json", bundle(*map(entry, (*dangling, contained, urn)))))
    assert file.new == 10
    by_start = {w.message.split(";")[0]: w for w in file.warnings}
    assert by_start["refers to a patient that is not in the store"].count == 10
    assert by_start["refers to Encounter resources that are not in the store"].examples == ("Encounter/none",)
    assert by_start["refers to a contained resource that it does not contain"].examples == ("Encounter/c",)
    assert by_start["refers to an entry that no file holds"].examples == ("urn:uuid:none",)


def test_a_reference_into_a_later_file_is_no_warning(store: LocalStore, write: Callable[..., Path]) -> None:
    assert load([write("a.json", VISIT), write("b.json", PATIENT)], store).warnings == ()


# Again, newer, twice.


def test_loading_again_changes_nothing(store: LocalStore, write: Callable[..., Path]) -> None:
    path = write(
        "b.json", bundle(entry(PATIENT, "urn:uuid:p"), entry({**VISIT, "subject": {"reference": "urn:uuid:p"}}))
    )
    assert only(store, path).new == 2
    file = only(store, path)
    assert (file.new, file.updated, file.unchanged) == (0, 0, 2)


def test_another_content_is_a_new_version(store: LocalStore, write: Callable[..., Path]) -> None:
    only(store, write("a.json", PATIENT))
    file = only(store, write("b.json", {**PATIENT, "gender": "male"}))
    assert (file.new, file.updated) == (0, 1)


def test_the_same_twice_in_a_file_is_once(store: LocalStore, write: Callable[..., Path]) -> None:
    file = only(store, write("r.ndjson", [PATIENT, PATIENT]))
    assert (file.new, file.unchanged, file.error) == (1, 1, None)


def test_an_id_with_two_contents_in_a_file_is_an_error(store: LocalStore, write: Callable[..., Path]) -> None:
    file = only(store, write("r.ndjson", [PATIENT, {**PATIENT, "gender": "male"}]))
    assert file.error is not None
    assert file.error.where == "line 2" and "Patient/p stands twice" in str(file.error)
    assert stored(store) == 0


def test_a_history_bundle_keeps_all_versions_and_deletions(store: LocalStore, write: Callable[..., Path]) -> None:
    def version(number: str, gender: str) -> Resource:
        stamp = {"versionId": number, "lastUpdated": f"2020-01-0{number}T00:00:00Z"}
        return {**PATIENT, "gender": gender, "meta": stamp}

    gone = {"request": {"method": "DELETE", "url": "Encounter/e"}, "response": {"status": "204"}}
    made = bundle(
        entry(version("3", "other")), entry(version("1", "male")), entry(version("2", "female")), type_="history"
    )
    store.put(VISIT)
    file = only(store, write("h.json", {**made, "entry": [*made["entry"], gone]}))
    assert (file.new, file.older, file.deleted) == (1, 2, 1)
    assert get(store, "Patient/p")["gender"] == "other"
    assert store.body(Reference(type="Encounter", id="e")) is None
    versions = store.connection.execute(
        "SELECT version FROM history WHERE type = 'Patient' ORDER BY version"
    ).fetchall()
    assert versions == [("1",), ("2",)]


# Hostile files. Each leaves the store as it was, says where and what to do, and lets the others load.

GOOD = orjson.dumps(bundle(entry(PATIENT), entry(VISIT)))
R4_VISIT = {"resourceType": "Encounter", "id": "x", "status": "finished"}


@pytest.mark.parametrize(
    ("name", "content", "where", "says"),
    [
        ("empty.json", b"", "", "empty"),
        ("blank.json", b" \n ", "", "empty"),
        ("garbage.json", bytes(range(128, 256)) * 9, "", "not JSON"),
        ("picture.json", b"\x89PNG\r\n\x1a\n\0\0", "", "not JSON"),
        ("text.json", b"hello", "", "not JSON"),
        ("array.json", b"[{}]", "", "JSON array"),
        ("page.json", b"<Bundle/>", "", "XML"),
        ("wide.json", "{}".encode("utf-16"), "", "UTF-16"),
        ("cut.json", GOOD[:-40], "after entry 1", "cut off"),
        ("cut-head.json", GOOD[:20], "", "cut off"),
        ("comma.json", GOOD.replace(b"},{", b"},,{"), "after entry 1", "not JSON"),
        ("tail.json", GOOD + b"{", "after entry 2", "cut off"),
        ("latin.json", GOOD.replace(b"One", "Ön".encode("latin-1")), "after entry 0", "not UTF-8"),
        ("latin.ndjson", [PATIENT], "", ""),
        ("cut.ndjson", orjson.dumps(PATIENT) + b"\n" + orjson.dumps(VISIT)[:-9], "line 2", "cut off"),
        ("bad.ndjson", orjson.dumps(PATIENT) + b"\n{oops}\n" + orjson.dumps(VISIT), "line 2", "not JSON"),
        ("number.ndjson", orjson.dumps(PATIENT) + b"\n5\n", "line 2", "not a FHIR resource"),
        ("plain.json", b'{"a": 1}', "", "no resourceType"),
        ("null.json", bundle(entry(PATIENT), {"resource": 5}), "entry 2", "not a FHIR resource"),
        ("no-id.json", bundle(entry(PATIENT), entry({"resourceType": "Encounter"})), "entry 2", "without id"),
        ("bad-id.json", {**PATIENT, "id": "a b"}, "", "id that FHIR does not allow"),
        ("number-id.json", {**PATIENT, "id": 5}, "", "id that FHIR does not allow"),
        ("planet.json", {"resourceType": "Planet", "id": "p"}, "", "'Planet' is not a FHIR R4"),
        ("response.json", bundle(type_="transaction-response"), "", "holds no chart"),
        ("r5-type.json", {"resourceType": "DeviceUsage", "id": "p"}, "", "R5"),
        ("r5-class.json", {**R4_VISIT, "class": [{"text": "x"}]}, "", "R5"),
        ("r5-drug.json", {"resourceType": "MedicationRequest", "id": "m", "medication": {"concept": {}}}, "", "R5"),
        ("stu3.json", {"resourceType": "ProcedureRequest", "id": "m"}, "", "STU3"),
        ("stu3-context.json", {"resourceType": "Observation", "id": "m", "context": {}}, "", "STU3"),
        ("stu3-status.json", {"resourceType": "Condition", "id": "m", "clinicalStatus": "active"}, "", "STU3"),
        ("dstu2.json", {**R4_VISIT, "class": "inpatient"}, "", "DSTU2"),
        ("bad-delete.json", bundle({"request": {"method": "DELETE", "url": "x"}}), "entry 1", "DELETE"),
    ],
)
def test_hostile_files(
    store: LocalStore, write: Callable[..., Path], name: str, content: Any, where: str, says: str
) -> None:
    if name == "latin.ndjson":
        content, where, says = orjson.dumps(PATIENT) + b'\n{"a":"\xe9"}\n', "line 2", "not UTF-8"
    bad, good = write(name, content), write("zz/good.json", {**PATIENT, "id": "good"})
    failed, fine = load([bad, good], store).files
    assert failed.error is not None
    assert (failed.error.path, failed.error.where) == (str(bad), where)
    assert says in str(failed.error) and str(failed.error).count(str(bad)) == 1
    assert (failed.new, dict(failed.resources)) == (0, {})
    assert fine.new == 1 and fine.error is None
    assert stored(store) == 1


@pytest.mark.parametrize("keep", [5, 60, -9, -1])
def test_a_gzip_that_is_cut_or_damaged(store: LocalStore, write: Callable[..., Path], keep: int) -> None:
    data = gzip.compress(orjson.dumps(bundle(*(entry({**VISIT, "id": f"e{n}"}) for n in range(99)))))
    (error,) = load([write("b.json", data[:keep])], store).errors
    assert "gzip file is cut off" in str(error) and stored(store) == 0
    damaged = data[:60] + bytes(20) + data[80:]
    (error,) = load([write("c.json", damaged)], store).errors
    assert "gzip file is damaged" in str(error) and stored(store) == 0


def test_paths_that_hold_nothing(store: LocalStore, tmp_path: Path) -> None:
    errors = load([tmp_path / "none.json", tmp_path], store).errors
    assert ["no such file" in str(errors[0]), "no FHIR files" in str(errors[1])] == [True, True]


def test_what_the_server_said_is_not_part_of_the_chart(store: LocalStore, write: Callable[..., Path]) -> None:
    outcome = {"resourceType": "OperationOutcome", "id": "x", "issue": []}
    file = only(store, write("b.json", bundle(entry(PATIENT), entry(outcome), {"fullUrl": "urn:uuid:x"})))
    assert (file.new, len(file.warnings), file.error) == (1, 2, None)


def test_a_failed_file_does_not_lend_its_entries_to_the_next(store: LocalStore, write: Callable[..., Path]) -> None:
    bad = write("a.json", bundle(entry(PATIENT, "urn:uuid:p"), {"resource": 5}))
    visit = {**VISIT, "subject": {"reference": "urn:uuid:p"}}
    report = load([bad, write("b.json", bundle(entry(visit)))], store)
    assert get(store, "Encounter/e") == visit
    assert [Path(path).name for path, _ in report.warnings] == ["b.json"]


# Validation and progress.


def test_validation_warns_by_path_and_shows_no_value(store: LocalStore, write: Callable[..., Path]) -> None:
    wrong = {**PATIENT, "gender": ["secret"], "birthDate": "1950-13-99"}
    file = only(store, write("p.json", wrong), validate=True)
    assert file.new == 1 and file.error is None
    told = " ".join(map(str, file.warnings))
    assert "Patient.gender" in told and "Patient.birthDate" in told
    assert "secret" not in told and "1950-13" not in told
    assert only(store, write("q.json", {**PATIENT, "id": "q"}), validate=True).warnings == ()


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".ndjson"])
def test_progress_rises_to_the_size_of_all_files(store: LocalStore, write: Callable[..., Path], suffix: str) -> None:
    many = [{**VISIT, "id": f"e{n}", "text": {"div": "x" * 999}} for n in range(999)]
    paths = [write(f"{n}{suffix}", many if "nd" in suffix else bundle(*map(entry, many))) for n in range(2)]
    seen: list[tuple[int, int]] = []
    load(paths, store, progress=lambda done, total: seen.append((done, total)))
    size = sum(p.stat().st_size for p in paths)
    assert seen[-1] == (size, size) and {total for _, total in seen} == {size}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen) and len(seen) > 2


def test_the_garbage_collector_runs_again_after_good_and_bad_files(
    store: LocalStore, write: Callable[..., Path]
) -> None:
    assert gc.isenabled()
    load([write("bad.json", b'{"resourceType":"Patient"'), write("good.json", PATIENT)], store)
    assert gc.isenabled() and store.has("Patient/p")
