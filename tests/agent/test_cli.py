"""The command line as a newcomer meets it: what is printed, where it goes, and the exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from agent.cli import demonstrating, main
from agent.cli.output import answer_view, clean, safe_json
from agent.evals.cases import AnswerRow
from agent.types import Answer, Citation, Removed, SearchedOut, Usage
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore

MARIA, ROBERT, LEILA = "demo-maria-santos", "demo-robert-keller", "demo-leila-haddad"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the demo charts."""
    path = tmp_path_factory.mktemp("cli") / "store.sqlite"
    with_charts = LocalStore(path)
    assert not load(demo.paths(), with_charts).errors
    with_charts.close()
    return path


@pytest.fixture
def chartline(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program in this process."""
    monkeypatch.setenv("CHARTLINE_STORE", str(store))
    monkeypatch.setenv("CHARTLINE_THREADS", str(tmp_path / "threads.sqlite"))
    monkeypatch.setenv("CHARTLINE_AS_OF", demo.AS_OF.isoformat())
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["chartline", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


# Help, usage, errors.


def test_help_names_every_command_and_imports_nothing_slow() -> None:
    code = """
import sys
sys.argv = ["chartline", "--help"]
from agent.cli import main
try:
    main()
finally:
    loaded = {name.split(".")[0] for name in sys.modules}
    print("SLOW", sorted({"langgraph", "langsmith", "altair", "fhir", "sqlite3", "torch"} & loaded))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("ask", "chat", "load", "patients", "summary", "show", "demo", "eval"):
        assert f" {name} " in done.stdout
    assert done.stdout.strip().endswith("SLOW []")


def test_version(chartline: Run) -> None:
    assert chartline("--version").out.startswith("chartline 0.")


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("ask",), ("ask", "--as-of", "soon", "q"), ("summary", "--kind", "x")]
)
def test_a_wrong_command_line_is_2(chartline: Run, arguments: tuple[str, ...]) -> None:
    assert chartline(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("ask", "last A1c?"), 1, f"choose one with --patient: {LEILA} (Leila Haddad)"),
        (("ask", "-p", "nobody", "last A1c?"), 1, "no patient 'nobody' here; `chartline patients`"),
        (("ask", "-p", "sant", "last A1c?"), 1, f"did you mean {MARIA}"),
        (("ask", "--fhir", "/nowhere", "q"), 1, "chartline load PATH"),
        (
            ("ask", "--fhir", "https://user:pw@x.example/fhir", "-p", "1", "q"),
            1,
            "credentials are given by the settings",
        ),
        (("patients", "zzz"), 1, "no patient matches 'zzz'"),
        (("show", "Observation", "-p", MARIA), 1, "give Type/id"),
        (("show", "Observation/none", "-p", MARIA), 1, "has no Observation/none"),
        (("show", f"Patient/{MARIA}", "-p", ROBERT), 1, f"has no Patient/{MARIA}"),
        (("load", "/nowhere"), 1, "/nowhere"),
    ],
)
def test_an_error_is_one_line_with_its_remedy(chartline: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = chartline(*arguments)
    assert done.code == code
    assert told in done.err
    assert "Traceback" not in done.err
    assert done.err.startswith("chartline: ")


def test_a_wrong_setting_names_its_variable(chartline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_STEPS", "none")
    done = chartline("patients")
    assert (done.code, "CHARTLINE_STEPS is 'none'" in done.err) == (1, True)


def test_a_bug_is_told_without_its_words_and_debug_shows_it(chartline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Secret name of a patient")

    monkeypatch.setattr("agent.cli.choosing.show", broken)
    done = chartline("patients")
    assert done.code == 3
    assert "RuntimeError" in done.err
    assert "Secret" not in done.err
    monkeypatch.setattr(sys, "argv", ["chartline", "patients", "--debug"])
    with pytest.raises(RuntimeError, match="Secret"):
        main()


# Loading and looking.


def test_load_reports_types_and_says_where(chartline: Run, tmp_path: Path) -> None:
    done = chartline("load", demo.paths()[0].parent, "--store", tmp_path / "new" / "s.sqlite")
    assert done.code == 0
    assert "Observation" in done.out
    assert "3 of 3 files" in done.err
    assert (tmp_path / "new" / "s.sqlite").stat().st_mode & 0o077 == 0
    again = chartline("load", demo.paths()[0], "--store", tmp_path / "new" / "s.sqlite")
    assert "unchanged" in again.err


def test_a_file_that_fails_is_1_and_the_others_are_loaded(chartline: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"resourceType": "Bundle", "type": "coll')
    done = chartline("load", tmp_path / "bad.json", demo.paths()[0], "--store", tmp_path / "s.sqlite")
    assert done.code == 1
    assert "1 of 2 files" in done.err
    assert "nothing of this file was loaded" in done.err


def test_load_does_not_write_over_another_file(chartline: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = chartline("load", demo.paths()[0], "--store", tmp_path / "notes.txt")
    assert (done.code, "no chartline store" in done.err) == (1, True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_patients_are_listed_searched_and_given_as_json(chartline: Run) -> None:
    assert [line.split()[0] for line in chartline("patients").out.splitlines()] == ["id", LEILA, MARIA, ROBERT]
    assert ROBERT not in chartline("patients", "maria").out
    rows = json.loads(chartline("patients", "--json").out)
    assert [row["id"] for row in rows] == [LEILA, MARIA, ROBERT]


@pytest.mark.parametrize("named", [MARIA, f"Patient/{MARIA}", "Maria Elena Santos", "santos, maria", "MARIA SANTOS"])
def test_a_patient_is_found_by_id_and_exact_name(chartline: Run, named: str) -> None:
    assert chartline("show", f"Patient/{MARIA}", "-p", named).code == 0


def test_a_patient_is_found_by_record_number(chartline: Run, store: Path) -> None:
    person = json.loads(chartline("show", f"Patient/{MARIA}", "-p", MARIA, "--raw").out)
    number = person["identifier"][0]["value"]
    assert chartline("show", f"Patient/{MARIA}", "-p", number).code == 0


def test_show_is_readable_or_raw(chartline: Run) -> None:
    assert "birthDate" in chartline("show", f"Patient/{MARIA}", "-p", MARIA).out
    raw = json.loads(chartline("show", f"Patient/{MARIA}", "-p", MARIA, "--raw").out)
    assert raw["resourceType"] == "Patient"


# Answers.


def test_ask_prints_a_cited_answer(chartline: Run) -> None:
    done = chartline("ask", "-p", MARIA, "last A1c?")
    assert done.code == 0
    assert done.out.startswith("● ")
    assert "Observation/" in done.out
    assert "rules" in done.out
    assert done.err == ""


def test_ask_as_json_is_the_public_answer(chartline: Run) -> None:
    answer = Answer.model_validate_json(chartline("ask", "-p", MARIA, "--json", "last A1c?").out)
    assert answer.patient == f"Patient/{MARIA}"
    assert answer.as_of == demo.AS_OF.isoformat()
    assert answer.citations


def test_ask_and_summary_as_fhir(chartline: Run) -> None:
    answer = json.loads(chartline("ask", "-p", MARIA, "--format", "fhir", "last A1c?").out)
    assert [e["resource"]["resourceType"] for e in answer["entry"]][:3] == [
        "DocumentReference",
        "Provenance",
        "AuditEvent",
    ]
    summary = json.loads(chartline("summary", "-p", MARIA, "--kind", "problems", "--format", "fhir").out)
    assert (summary["type"], summary["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    assert any(e["resource"]["resourceType"] == "Condition" for e in summary["entry"])


def test_ask_on_a_file_needs_no_patient_where_there_is_one(chartline: Run) -> None:
    done = chartline("ask", "--fhir", demo.paths()[0], "--json", "date of birth?")
    assert json.loads(done.out)["patient"] == f"Patient/{demo.patients()[0]}"


def test_as_of_is_the_day_that_counts(chartline: Run) -> None:
    answer = json.loads(chartline("ask", "-p", MARIA, "--as-of", "2015-01-01", "--json", "last A1c?").out)
    assert answer["as_of"] == "2015-01-01"
    assert all(c["excerpt"][:10] <= "2015-01-01" for c in answer["citations"])


def test_what_is_not_there_shows_its_searches(chartline: Run) -> None:
    done = chartline("ask", "-p", MARIA, "has she ever had gout?")
    assert "not found" in done.out
    assert "searched" in done.out


def test_a_thread_keeps_its_subject_between_runs(chartline: Run) -> None:
    chartline("ask", "-p", MARIA, "--thread", "t", "last A1c?")
    answer = json.loads(chartline("ask", "-p", MARIA, "--thread", "t", "--json", "and the one before?").out)
    assert answer["thread"] == "t"
    assert "A1c" in answer["text"]
    assert chartline("ask", "-p", ROBERT, "--thread", "t", "and before?").code == 1


def test_verbose_tells_stages_on_standard_error(chartline: Run) -> None:
    done = chartline("ask", "-p", MARIA, "-v", "last A1c?")
    assert "reasoning over" in done.err
    assert "trace " in done.out


def test_chat_reads_a_pipe_and_keeps_the_subject(chartline: Run, tmp_path: Path) -> None:
    lines = "last A1c?\n\nand the one before?\n:history\n:show 1\n:quit\nnever asked\n"
    done = chartline("chat", "-p", MARIA, stdin=lines)
    assert done.code == 0
    assert done.out.count("●") == 2
    assert "never asked" not in done.out
    assert not (tmp_path / "threads.sqlite").exists()


def test_chat_does_not_change_the_patient(chartline: Run) -> None:
    done = chartline("chat", "-p", MARIA, stdin=f":patient {ROBERT}\n")
    assert (done.code, "one patient" in done.err) == (1, True)


# Evals.


def questions(folder: Path, *rows: dict[str, object]) -> Path:
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "q.jsonl"


def test_eval_runs_grades_and_writes_evidence(chartline: Run, tmp_path: Path) -> None:
    asked = {"patient": MARIA, "as_of": "2020-01-01", "question": "last A1c?"}
    file = questions(tmp_path, {"id": "a", **asked}, {"id": "b", **asked, "patient": ROBERT, "as_of": "2026-01-01"})
    charts = demo.paths()[0].parent
    done = chartline("eval", "run", file, "--charts", charts, "--out", tmp_path / "a.jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b"]
    assert set(rows[0]) == set(AnswerRow.model_fields)
    value = rows[0]["value"]["value"]
    expected = {"kind": "number", "value": value}
    graded = questions(tmp_path, {"id": "a", **asked, "expected": expected, "support": rows[0]["citations"]})
    assert "accuracy                    100.0%" in chartline("eval", "grade", graded, tmp_path / "a.jsonl").out
    assert json.loads(chartline("eval", "grade", graded, tmp_path / "a.jsonl", "--json").out)["accuracy"] == 1
    chartline("eval", "evidence", graded, "--charts", charts, "--out", tmp_path / "e.jsonl")
    row = json.loads((tmp_path / "e.jsonl").read_text())
    assert set(row) == {"id", "prompt", "marks"}
    assert all(f"[{mark}]" in row["prompt"] for mark in row["marks"])


def test_eval_jobs_give_the_same_rows(chartline: Run, tmp_path: Path) -> None:
    rows = [{"id": p, "patient": p, "as_of": "2026-01-01", "question": "last weight?"} for p in (MARIA, ROBERT)]
    file, charts = questions(tmp_path, *rows), demo.paths()[0].parent
    for jobs in ("1", "2"):
        chartline("eval", "run", file, "--charts", charts, "--out", tmp_path / jobs, "--jobs", jobs)
    one, two = ((tmp_path / jobs).read_text().splitlines() for jobs in "12")
    assert [json.loads(row) | {"seconds": 0} for row in one] == [json.loads(row) | {"seconds": 0} for row in two]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "a", "patient": "p"}, "line 1: question"),
        ({"id": "a", "patient": "none", "question": "q"}, "no chart of patient 'none'"),
    ],
)
def test_eval_faults_are_told(chartline: Run, tmp_path: Path, row: dict[str, object], told: str) -> None:
    file = questions(tmp_path, row)
    done = chartline("eval", "run", file, "--charts", tmp_path, "--out", tmp_path / "out")
    assert (done.code, told in done.err) == (1, True)


# What a terminal shows.

ANSWER = Answer(
    question="?",
    patient="Patient/p",
    as_of="2020-01-01",
    status="incomplete",
    text="Told [1].",
    citations=[
        Citation(mark="1", reference="Observation/abc", path="x", excerpt="2019-03-02 Hemoglobin A1c 6.9 %"),
        Citation(mark="c1", reference="", path="mean", excerpt="mean 7.0", inputs=["A/1", "A/2", "A/3"]),
    ],
    searched=[SearchedOut(query="Observation?code=1", found=0, complete=False, error="timed out")],
    removed=[Removed(kind="number", reason="r")],
    warnings=["Look out."],
    usage=Usage(seconds=0.5),
    reasoner="rules",
)


def shown(answer: Answer, width: int = 100) -> str:
    out = Console(width=width, file=io.StringIO(), highlight=False)
    out.print(answer_view(answer, width))
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_an_answer_fits_its_terminal_with_nothing_lost(width: int) -> None:
    text = shown(ANSWER, width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for part in (
        "Told [1].",
        "2019-03-02",
        "Observation/abc",
        "[c1]",
        "and 1 more",
        "timed out",
        "Look out.",
        "number",
        "rules",
    ):
        assert part in flat, part


def test_chart_text_cannot_steer_the_terminal() -> None:
    evil = ANSWER.model_copy(update={"text": "a\x1b[2Jb\x07c\u202ed\x9b1m [bold]e[/bold]"})
    text = shown(evil)
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text)
    assert "[bold]e[/bold]" in text
    assert clean("a\nb\tc") == "a\nb\tc"


def test_json_output_escapes_what_would_steer_a_terminal() -> None:
    value = {"a": "x\x9b\u202e\x1b\nü😀"}
    assert json.loads(safe_json(value)) == value
    assert not {"\x9b", "\u202e", "\x1b"} & set(safe_json(value))
    assert "ü😀" in safe_json(value)


def test_colours_are_left_out_where_nobody_wants_them(store: Path) -> None:
    code = "from agent.cli.output import console, answer_view as view; from test_cli import ANSWER"
    code += "; console().print(view(ANSWER, 80))"
    env = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "\x1b[3" not in done.stdout
    del env["NO_COLOR"]
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "\x1b[3" in done.stdout


# The demo.


def test_the_demo_shows_each_kind_of_answer_and_commands_that_work(
    chartline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = chartline("demo")
    assert done.code == 0, done.err
    assert done.out.count("●") >= sum(map(len, demonstrating.QUESTIONS.values()))
    assert "not found" in done.out
    assert "refused" in done.out
    assert "failed" not in done.out
    commands = [command for _, command in demonstrating.next_steps()]
    assert len(commands) == 3
    for command in commands:
        runnable = command.replace("chartline ", f"{sys.executable} -m agent.cli ")
        ran = subprocess.run(runnable, shell=True, input="last weight?\n", capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "summary.html").stat().st_size > 1000
