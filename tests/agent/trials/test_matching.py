"""Screening a population: ranking, faults told, who is looked at again, what changed, the record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from agent.errors import OperatorError, UserError
from agent.settings import Settings
from agent.sources import open_source
from agent.trials.export import export, unnamed
from agent.trials.matching import Matched, Step, find, match, types_read
from agent.trials.population import Folder, Place
from agent.trials.reading import compile_trial, read_text
from agent.trials.runs import Run, read_run, write_run
from agent.trials.sheet import Sheet
from agent.trials.worklist import masked
from fhir_tools.types import Reference
from tests.agent.trials.protocols import condition, result

TEXT = """Inclusion Criteria:
* Age 18 to 75 years
* Documented hypertension
* HbA1c ≥ 5.0 % within 6 months

Exclusion Criteria:
* History of stroke
"""
DAY = date(2024, 6, 1)
SETTINGS = Settings(audit=None)


def _sheet(text: str = TEXT) -> Sheet:
    trial = read_text(text, "T1")
    return Sheet(trial=trial.id, title="=A trial <b>", criteria=compile_trial(trial))


def _write(folder: Path, name: str, *resources: dict[str, Any], born: str = "1970-01-01") -> None:
    patient = {
        "resourceType": "Patient",
        "id": name,
        "birthDate": born,
        "gender": "female",
        "name": [{"text": f"=Jo {name}"}],
    }
    entries = [{"resource": {**r, "subject": {"reference": f"Patient/{name}"}}} for r in resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}, *entries]}
    (folder / f"{name}.json").write_text(json.dumps(bundle))


def _a1c(day: str, value: float = 6.0) -> dict[str, Any]:
    return result("o1", "4548-4", "Hemoglobin A1c", value, "%", day)


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    folder = tmp_path / "charts"
    folder.mkdir()
    _write(folder, "a", condition("c1", "Hypertension", "2010-01-01"), _a1c("2024-05-01"))
    _write(folder, "b", condition("c2", "Hypertension", "2010-01-01"))
    _write(folder, "c", condition("c3", "Hypertension", "2010-01-01"), condition("c4", "Stroke", "2015-01-01"))
    _write(folder, "d", born="2015-01-01")
    return folder


async def _run(
    charts: Path, before: Run | None = None, day: date = DAY, sheet: Sheet | None = None, **more: Any
) -> Matched:
    return await match(sheet or _sheet(), Folder(charts, SETTINGS), day, SETTINGS, before=before, **more)


def _outcomes(done: Matched) -> list[tuple[str, str]]:
    return [(r.patient.removeprefix("Patient/"), r.outcome) for r in done.worklist.rows]


async def test_the_worklist_is_ranked_with_the_fewest_open_points_first(charts: Path) -> None:
    steps: list[Step] = []
    done = await _run(charts, progress=steps.append)
    assert _outcomes(done) == [
        ("a", "possibly eligible"), ("b", "possibly eligible"), ("c", "excluded"), ("d", "excluded"),
    ]  # fmt: skip
    assert [len(r.open) for r in done.worklist.rows] == [1, 2, 0, 0]
    assert done.worklist.rows[3].why.startswith("inclusion not met: Age 18 to 75 years")
    assert (steps[-1].done, steps[-1].total, done.worklist.looked) == (4, 4, 4)


async def test_only_who_changed_is_looked_at_again_and_what_changed_is_told(charts: Path) -> None:
    first = await _run(charts)
    _write(charts, "b", condition("c2", "Hypertension", "2010-01-01"), _a1c("2024-05-20", 4.0))
    again = await _run(charts, first.run)
    assert again.worklist.looked == 1
    assert [(c.patient, c.number, c.before, c.after) for c in again.worklist.changes] == [
        ("Patient/b", None, "possibly eligible", "excluded"), ("Patient/b", 3, "unknown", "not_met"),
    ]  # fmt: skip


async def test_time_alone_can_change_a_verdict(charts: Path) -> None:
    first = await _run(charts)
    soon = await _run(charts, first.run, date(2024, 7, 1))
    assert soon.worklist.looked == 0 and soon.worklist.as_of == "2024-07-01"
    late = await _run(charts, soon.run, date(2024, 12, 1))
    assert [(c.patient, c.number, c.after) for c in late.worklist.changes] == [("Patient/a", 3, "unknown")]


async def test_a_fact_of_the_future_is_not_forgotten(charts: Path) -> None:
    _write(charts, "b", condition("c2", "Hypertension", "2010-01-01"), condition("c9", "Stroke", "2024-06-15"))
    first = await _run(charts)
    assert dict(_outcomes(first))["b"] == "possibly eligible"
    assert dict(_outcomes(await _run(charts, first.run, date(2024, 6, 20))))["b"] == "excluded"


async def test_other_checks_mean_a_whole_new_run(charts: Path) -> None:
    first = await _run(charts)
    again = await _run(charts, first.run, sheet=_sheet(TEXT.replace("5.0", "9.0")))
    assert again.worklist.looked == 4 and "checks are not those" in again.worklist.warnings[0]
    assert ("Patient/a", 3, "met", "not_met") in [
        (c.patient, c.number, c.before, c.after) for c in again.worklist.changes
    ]


async def test_a_run_is_kept_for_its_owner_alone_and_read_back(charts: Path, tmp_path: Path) -> None:
    first = await _run(charts)
    write_run(tmp_path / "state.json", first.run)
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert read_run(tmp_path / "state.json") == first.run
    assert read_run(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(UserError, match="not the state of an earlier run"):
        read_run(tmp_path / "bad.json")


async def test_a_chart_that_does_not_load_is_told_and_not_passed_over(charts: Path) -> None:
    (charts / "e.json").write_text("{")
    done = await _run(charts)
    assert [f.patient for f in done.worklist.failed] == ["Patient/e"] and len(done.worklist.rows) == 4


async def test_a_store_is_looked_at_by_versions(charts: Path) -> None:
    async with open_source(charts, SETTINGS) as source:
        first = await match(_sheet(), Place(source), DAY, SETTINGS)
        again = await match(_sheet(), Place(source), DAY, SETTINGS, before=first.run)
    assert _outcomes(first) == _outcomes(again)
    assert (first.worklist.looked, again.worklist.looked) == (4, 0)


async def test_every_screening_is_on_record_without_what_was_found(charts: Path) -> None:
    lines: list[dict[str, Any]] = []
    await _run(charts, record=lambda entry: lines.append(dict(entry.line())))
    answers = [x for x in lines if x["kind"] == "answer"]
    assert {x["patient"] for x in answers} == {f"Patient/{n}" for n in "abcd"}
    assert {x["purpose"] for x in lines} == {"CLINTRCH"}
    assert any(x["kind"] == "request" for x in lines) and "Hypertension" not in json.dumps(lines)


async def test_a_record_that_cannot_be_kept_ends_the_run(charts: Path) -> None:
    def full(entry: Any) -> None:
        raise OperatorError("the audit record could not be kept: no space")

    with pytest.raises(OperatorError, match="no space"):
        await _run(charts, record=full)


async def test_trials_for_a_patient(charts: Path) -> None:
    sheets = [_sheet(), _sheet("Inclusion Criteria:\n* Age over 80"), _sheet("Inclusion Criteria:\n* Hypertension")]
    async with open_source(charts, SETTINGS) as source:
        found = await find(sheets, source, Reference(type="Patient", id="a"), DAY, SETTINGS)
    assert [s.outcome for s in found] == ["eligible", "possibly eligible", "excluded"]


def test_the_types_that_checks_look_at() -> None:
    assert (
        {"Patient", "Condition", "Observation"}
        <= types_read(_sheet())
        < {"Patient", "Condition", "Observation", "Encounter", "X"}
    )


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"a": 0, "b": 3, "c": 40, "d": 9}, {"a": 0, "b": "<5", "c": 40, "d": "masked"}),
        ({"a": 2, "b": 3, "c": 40}, {"a": "<5", "b": "<5", "c": 40}),
        ({"a": 0, "b": 30}, {"a": 0, "b": 30}),
    ],
)
def test_small_counts_are_masked_and_cannot_be_worked_out(counts: dict[str, int], told: dict[str, Any]) -> None:
    assert masked(counts, 5) == told


async def test_exports(charts: Path) -> None:
    work = (await _run(charts, min_cell=3)).worklist
    table = export(work, "csv").splitlines()
    assert table[1].split(",")[2] == "'=Jo a" and len(table) == 5
    page = export(work, "html")
    assert "=A trial &lt;b&gt;" in page and "<b>" not in page and "&lt;3" in page
    bare = "".join(export(unnamed(work), f) for f in ("html", "json", "csv", "fhir"))
    assert "Jo a" not in bare and "1970-01-01" not in bare and "1970-01-01" in export(work, "json")
    with pytest.raises(UserError, match="there are json, csv, html, fhir"):
        export(work, "pdf")


async def test_candidates_as_fhir(charts: Path) -> None:
    bundle = Bundle.model_validate_json(export((await _run(charts)).worklist, "fhir"))
    found = [e.resource for e in bundle.entry]
    kinds: Sequence[str] = [r.get_resource_type() for r in found]
    assert kinds == ["ResearchStudy", "Group", "ResearchSubject", "ResearchSubject"]
    assert [m.entity.reference for m in found[1].member] == ["Patient/a", "Patient/b"]
    assert {r.status for r in found[2:]} == {"candidate"} and {r.study.reference for r in found[2:]} == {
        bundle.entry[0].fullUrl
    }


async def test_a_folder_without_charts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no charts"):
        Folder(tmp_path, SETTINGS)
