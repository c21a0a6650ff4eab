"""Grade the rules reasoner on the evaluation sets and hold the result against the figures last written down.

    python -m benchmarks.run_eval [--sets FOLDER] [--out FOLDER] [--only NAME] [--write]

A set is a folder with questions.jsonl and charts/; beside the sets lie grade.py and tokens.py. Fails (exit 1) when
accuracy or the share of right answers that are cited rightly falls more than a point below benchmarks/figures.json;
`--write` puts the new figures there. Where there are no sets it says so and succeeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import bench_trials

__all__ = ["Row", "drops", "evidence_figures", "main", "supported", "trial_figures"]

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "benchmarks" / "figures.json"
TOLERANCE = 0.01
GUARDED = ("accuracy", "right_answers_cited", "trials_right", "trials_right_met_cited")

Row = Mapping[str, Any]


def supported(marks: Mapping[str, Sequence[str]], support: Sequence[str]) -> bool:
    """Is the whole support behind narrow marks?

    A mark counts when it stands for no more than three resources, or twice the support: one that stands for
    half the chart proves nothing.
    """
    bound = max(3, 2 * len(support))
    behind = {reference for references in marks.values() if len(references) <= bound for reference in references}
    return behind >= set(support)


def evidence_figures(questions: Iterable[Row], rows: Iterable[Row], estimate: Callable[[str], int]) -> dict[str, Any]:
    """Tokens of the first prompt (median, 95th percentile) and the share of questions with their support in it.

    A question without a row counts as unsupported.
    """
    by_id = {row["id"]: row for row in rows}
    tokens = sorted(estimate(row["prompt"]) for row in by_id.values())
    backed = [q for q in questions if q.get("support")]
    held = [q["id"] in by_id and supported(by_id[q["id"]]["marks"], q["support"]) for q in backed]
    missed = [q["id"] for q, ok in zip(backed, held, strict=True) if not ok]
    return {
        "prompt_tokens_median": round(statistics.median(tokens)) if tokens else None,
        "prompt_tokens_p95": tokens[min(len(tokens) - 1, int(0.95 * len(tokens)))] if tokens else None,
        "support_in_prompt": round(sum(held) / len(held), 4) if held else None,
        "support_missed": missed[:20],
    }


def drops(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """The guarded figures that fell by more than the tolerance, in words."""
    return [
        f"{key}: {new.get(key) or 0:.4f}, was {old[key]:.4f}"
        for key in GUARDED
        if old.get(key) is not None and (new.get(key) or 0) < old[key] - TOLERANCE - 1e-9
    ]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of an NDJSON file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _chartline(*arguments: object) -> float:
    """Run the command as a user would; returns the seconds it took."""
    begin = time.perf_counter()
    command = [str(Path(sys.executable).parent / "chartline"), *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _estimator(path: Path) -> Callable[[str], int]:
    spec = importlib.util.spec_from_file_location("evalset_tokens", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], int] = module.estimate
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where one set is read and its results are written."""

    questions: Path
    charts: Path
    answers: Path
    evidence: Path
    grade: Path


def _paths(folder: Path, out: Path) -> Paths:
    return Paths(
        questions=folder / "questions.jsonl",
        charts=folder / "charts",
        answers=out / f"{folder.name}.answers.jsonl",
        evidence=out / f"{folder.name}.evidence.jsonl",
        grade=out / f"{folder.name}.grade.json",
    )


def run_set(folder: Path, out: Path, reasoner: str) -> dict[str, Any]:
    """Answer, grade and measure one set. Raises CalledProcessError when chartline or the grader fails."""
    at = _paths(folder, out)
    seconds = _chartline(
        "eval", "run", at.questions, "--charts", at.charts, "--out", at.answers, "--reasoner", reasoner
    )
    grader = [sys.executable, *map(str, (folder.parent / "grade.py", at.questions, at.answers, "--json", at.grade))]
    subprocess.run(grader, check=True, stdout=subprocess.DEVNULL)
    _chartline("eval", "evidence", at.questions, "--charts", at.charts, "--out", at.evidence)
    estimate = _estimator(folder.parent / "tokens.py")
    evidence = evidence_figures(read_rows(at.questions), read_rows(at.evidence), estimate)
    figures = {**json.loads(at.grade.read_text()), **evidence, "seconds_in_all": round(seconds, 1)}
    return {**figures, **trial_figures(folder, out)}


def trial_figures(folder: Path, out: Path) -> dict[str, Any]:
    """The figures of the set's trials, each with `trials_` before its name; none where it has no trials."""
    if not ((folder / "trials").is_dir() and (folder / "verdicts.jsonl").exists()):
        return {}
    figures, _ = bench_trials.measure(folder, out / f"{folder.name}.verdicts.jsonl")
    return {f"trials_{name}": value for name, value in figures.items()}


def _table(name: str, figures: Mapping[str, Any]) -> str:
    shown = {k: v for k, v in figures.items() if k not in ("families", "support_missed")}
    weak = [f"{k} {v}" for k, v in figures.get("families", {}).items() if len(set(v.split("/"))) > 1]
    lines = [f"== {name}", *(f"  {key:22} {value}" for key, value in shown.items())]
    return "\n".join([*lines, f"  families not at 1.00   {', '.join(weak) or 'none'}"])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, default=ROOT.parent / "shared" / "evalset", help="folder of the sets")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    parser.add_argument("--only", help="name of one set")
    parser.add_argument("--reasoner", default="rules")
    parser.add_argument("--write", action="store_true", help="write the new figures to benchmarks/figures.json")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run every set. Returns 1 when a guarded figure fell, 2 when the sets that were asked for are not there."""
    options = _arguments(argv)
    found = sorted(p.parent for p in options.sets.glob("*/questions.jsonl") if options.only in (None, p.parent.name))
    if not found:
        print(f"no evaluation sets under {options.sets}: nothing to grade")
        return 2 if options.only else 0
    options.out.mkdir(parents=True, exist_ok=True)
    before = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures = {folder.name: run_set(folder, options.out, options.reasoner) for folder in found}
    for name, result in figures.items():
        print(_table(name, result))
    if options.write:
        kept = {k: {f: v for f, v in r.items() if f != "support_missed"} for k, r in figures.items()}
        FIGURES.write_text(json.dumps({**before, **kept}, indent=1, sort_keys=True) + "\n")
    fallen = [f"{name}: {drop}" for name, result in figures.items() for drop in drops(result, before.get(name, {}))]
    for line in fallen:
        print(f"FELL {line}", file=sys.stderr)
    return 1 if fallen and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
