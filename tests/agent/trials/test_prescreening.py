"""The expression against the judge: the same word for every patient and criterion."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.errors import UserError
from agent.settings import Settings
from agent.trials.asking import understand
from agent.trials.checks import checker
from agent.trials.evaluating import Asked, verdict_rows
from agent.trials.matching import match
from agent.trials.population import Place
from agent.trials.prescreening import Compiler, column_of, prescreen
from agent.trials.reading import compile_trial, read_folder, read_text
from agent.trials.sheet import Sheet
from agent.trials.types import Criterion, Statement
from benchmarks.cohorts import AS_OF, TRIAL, write
from fhir_tools.cohort.loading import load_cohort
from fhir_tools.cohort.tables import Cohort, opened
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

pytest.importorskip("ibis")
WORDS = {1: "met", 0: "unknown", -1: "not_met"}
PEOPLE = 60

CHECKS: tuple[dict[str, Any], ...] = (
    {"type": "age", "limits": ["> 30 years", "< 70 years"]},
    {"type": "age", "limits": "= 52 years"},
    {"type": "age", "limits": "< 600 months"},
    {"type": "pregnancy"},
    {"type": "smoking", "of": "current"},
    {"type": "record", "kind": "condition", "of": "diabetes", "state": "active"},
    {"type": "record", "kind": "condition", "of": "hypertension", "state": "resolved"},
    {"type": "record", "kind": "condition", "of": "hypertension", "period": {"before": "5 years"}},
    {"type": "record", "kind": "condition", "of": "asthma", "period": {"since": "2020-01-01", "until": "2023-12-31"}},
    {"type": "record", "kind": "condition", "of": "frobnication"},
    {"type": "record", "kind": "condition", "of": "cardiovascular disease", "apart": "hypertension"},
    {"type": "record", "kind": "condition", "of": "diabetes", "doubts": ["type 2"]},
    {"type": "record", "kind": "condition", "of": "diabetes", "doubts": ["brittle"]},
    {"type": "record", "kind": "medication", "of": "statin", "state": "current"},
    {"type": "record", "kind": "medication", "of": "statin", "lasting": "1 year"},
    {"type": "record", "kind": "medication", "of": "metformin", "period": {"within": "2 years"}},
    {"type": "record", "kind": "medication", "of": "lisinopril", "period": {"before": "2 years"}},
    {"type": "record", "kind": "allergy", "of": "penicillin"},
    {"type": "record", "kind": "encounter", "of": "outpatient visit", "period": {"within": "6 months"}},
    {"type": "measurement", "of": "HbA1c", "limits": ["> 6 %", "<= 8 %"]},
    {"type": "measurement", "of": "HbA1c", "limits": "> 42 mmol/mol", "period": {"within": "1 year"}},
    {"type": "measurement", "of": "creatinine", "limits": "> 88 umol/L", "which": "any"},
    {"type": "measurement", "of": "creatinine", "limits": "> 1.5 ULN"},
    {"type": "measurement", "of": "hemoglobin", "limits": "< 12"},
    {"type": "measurement", "of": "INR", "finding": "abnormal"},
    {"type": "not", "of": {"type": "sex", "of": "male"}},
    {"type": "at least", "number": 2, "of": [
        {"type": "record", "kind": "condition", "of": "hypertension"},
        {"type": "record", "kind": "condition", "of": "asthma"},
        {"type": "measurement", "of": "LDL", "limits": "> 100 mg/dL"}]},
    {"type": "any", "of": [{"type": "sex", "of": "female"}, {"type": "reader", "why": "x"}]},
)  # fmt: skip


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cohort, Path]]:
    folder = tmp_path_factory.mktemp("cohort")
    files = write(folder / "in", range(PEOPLE), files=1)
    load_cohort(files, folder / "c")
    with opened(folder / "c") as cohort:
        yield cohort, files[0]


def _criteria() -> tuple[Criterion, ...]:
    return tuple(
        Criterion(statement=Statement(number=n, section="inclusion", text=str(n)), check=checker.validate_python(c))
        for n, c in enumerate(CHECKS, 1)
    )


@pytest.mark.parametrize("day", [AS_OF, date(2023, 2, 28)])
async def test_every_kind_of_check_as_the_judge_has_it(simulated: tuple[Cohort, Path], day: date) -> None:
    cohort, file = simulated
    criteria = (*_criteria(), *compile_trial(read_text(TRIAL, "SIM")))
    criteria = tuple(
        Criterion(statement=Statement(number=n, section="inclusion", text="x"), check=c.check)
        for n, c in enumerate(criteria, 1)
    )
    store = LocalStore(":memory:")
    load([file], store)
    people = [Reference(type="Patient", id=f"sim-{n}") for n in range(PEOPLE)]
    judged = await match(Sheet(trial="T", title="", criteria=criteria), Place(store, people), day, Settings())
    store.close()
    found = {r["patient"]: r for r in cohort.rows(prescreen(criteria, cohort, day).expression)}
    wrong = [
        (s.patient, criteria[v.number - 1].check, v.verdict, v.reason)
        for s in judged.worklist.rows
        for v in s.verdicts
        if WORDS[found[s.patient.removeprefix("Patient/")][column_of(criteria[v.number - 1])]] != v.verdict
    ]
    assert wrong == []
    assert {v.verdict for s in judged.worklist.rows for v in s.verdicts} == {"met", "not_met", "unknown"}


@pytest.mark.parametrize(("kind", "name"), [("immunization", "vaccine"), ("condition", "Menopause")])
def test_what_only_one_chart_tells_is_left_open(simulated: tuple[Cohort, Path], kind: str, name: str) -> None:
    check = checker.validate_python({"type": "record", "kind": kind, "of": name})
    criterion = Criterion(statement=Statement(number=1, section="inclusion", text="x"), check=check)
    rows = simulated[0].rows(prescreen((criterion,), simulated[0], AS_OF).expression)
    assert {WORDS[r[column_of(criterion)]] for r in rows} == {"unknown"}


def test_who_passes_and_the_facts_behind_it(simulated: tuple[Cohort, Path]) -> None:
    cohort, _ = simulated
    criteria = _criteria()[5:6]
    asked = prescreen(criteria, cohort, AS_OF)
    passing = [r["patient"] for r in cohort.rows(asked.passing())]
    assert 0 < len(passing) < PEOPLE
    facts = cohort.rows(asked.evidence(cohort, passing, Compiler(cohort, AS_OF).cut))
    assert {f["patient"] for f in facts} == set(passing) and {f["type"] for f in facts} == {"Condition"}


_ON_ENGINE = """
import json, sys
from pathlib import Path
from agent.trials.checks import checker
from agent.trials.prescreening import prescreen
from agent.trials.types import Criterion, Statement
from benchmarks.cohorts import AS_OF
from fhir_tools.cohort.tables import opened

checks = map(checker.validate_python, json.load(sys.stdin))
criteria = [
    Criterion(statement=Statement(number=n, section="inclusion", text="x"), check=c) for n, c in enumerate(checks, 1)
]
with opened(Path(sys.argv[1]), sys.argv[2]) as cohort:
    rows = cohort.rows(prescreen(criteria, cohort, AS_OF).expression.order_by("patient"))
print(json.dumps(rows))
"""


@pytest.mark.slow
def test_spark_gives_the_same_rows(simulated: tuple[Cohort, Path]) -> None:
    """In programs of their own: Spark's gateway leaves sockets and threads behind."""
    pytest.importorskip("pyspark")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java 17")

    def rows(engine: str) -> list[dict[str, Any]]:
        command = [sys.executable, "-c", _ON_ENGINE, str(simulated[0].folder), engine]
        done = subprocess.run(command, input=json.dumps(CHECKS), check=True, capture_output=True, text=True)
        found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return found

    there = rows("local[2]")
    assert len(there) == PEOPLE and there == rows("duckdb")


@pytest.mark.slow
@pytest.mark.shared
def test_verdicts_of_the_dev_charts(shared: Path, tmp_path: Path) -> None:
    base = shared / "synthea"
    load_cohort([base / "charts"], tmp_path / "c", jobs=2)
    rows = [json.loads(line) for line in (base / "questions.jsonl").read_text().splitlines()]
    asked = [Asked(patient=r["patient"], as_of=r["as_of"]) for r in rows]
    judged = verdict_rows(
        base / "trials", asked, lambda p: next((base / "charts").glob(f"{p}.json*")), Settings(), jobs=2
    )
    days: dict[str, set[str]] = defaultdict(set)
    wanted = {}
    for row in judged:
        days[row.as_of].add(row.patient)
        wanted[row.trial, row.patient, row.criterion + 1] = row.verdict
    compared = 0
    with opened(tmp_path / "c") as cohort:
        for trial in read_folder(base / "trials"):
            criteria = [c for c in compile_trial(trial) if c.statement.number]
            for day, patients in days.items():
                for row in cohort.rows(prescreen(criteria, cohort, date.fromisoformat(day)).expression):
                    for c in criteria if row["patient"] in patients else ():
                        assert WORDS[row[column_of(c)]] == wanted[trial.id, row["patient"], c.statement.number]
                        compared += 1
    assert compared == len(wanted)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("how many patients with diabetes have an HbA1c above 9 in the last year?",
         ["condition: diabetes", "latest result of hemoglobin A1c (within 1 year) is > 9"]),
        ("list patients on warfarin with INR > 4", ["current medication: warfarin", "latest result of INR is > 4"]),
        ("which women over 65 are not on a statin?",
         ["recorded sex female", "age > 65 years", "not (current medication: statin)"]),
        ("count men with hypertension and without asthma",
         ["recorded sex male", "condition: hypertension", "not (condition: asthma)"]),
    ],
)  # fmt: skip
def test_questions_are_told_as_understood(text: str, told: list[str]) -> None:
    assert list(understand(text).told) == told


@pytest.mark.parametrize(
    "text", ["tell me a joke", "how many patients", "how many patients who whistle while they walk the dog backwards"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        understand(text)
