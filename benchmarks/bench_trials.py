"""Grade verdicts of trials against those that an independent program computed.

    python -m benchmarks.bench_trials [--set FOLDER] [--out FILE] [--show N]

The set has trials/, charts/, questions.jsonl and verdicts.jsonl (`trial, patient, criterion, section, text, verdict,
support`). Told: the share of verdicts that are right; recall of `met`, and of `unknown`; of right `met` verdicts that
have a support, the share that cites one of it; and how often `met` or `not_met` is told where the truth is unknown.
Where there is no such set it says so and succeeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["figures_of", "main", "measure"]

ROOT = Path(__file__).resolve().parents[1]

Row = Mapping[str, Any]


def figures_of(expected: Iterable[Row], given: Iterable[Row]) -> tuple[dict[str, float | int], list[str]]:
    """The figures, and a line for each verdict that is wrong. A missing verdict is wrong."""
    told = {_key(row): row for row in given}
    rows = [(row, told.get(_key(row), {})) for row in expected]
    right = [(e, g) for e, g in rows if g.get("verdict") == e["verdict"]]
    backed = [(e, g) for e, g in right if e["verdict"] == "met" and e["support"]]
    open_ = [g.get("verdict") for e, g in rows if e["verdict"] == "unknown"]
    figures: dict[str, float | int] = {
        "verdicts": len(rows),
        "right": _share(len(right), len(rows)),
        "recall_met": _recall(rows, "met"),
        "recall_unknown": _recall(rows, "unknown"),
        "right_met_cited": _share(sum(bool(set(g["citations"]) & set(e["support"])) for e, g in backed), len(backed)),
        "told_though_unknown": _share(sum(v in ("met", "not_met") for v in open_), len(open_)) if open_ else 0.0,
    }
    wrong = [_told(e, g) for e, g in rows if g.get("verdict") != e["verdict"]]
    return figures, wrong


def _told(e: Row, g: Row) -> str:
    where = f"{e['trial']} {e['criterion']} {e['patient']} {e['text']!r}"
    return f"{where}: {e['verdict']}, told {g.get('verdict', 'nothing')}"


def _key(row: Row) -> tuple[str, str, int]:
    return row["trial"], row["patient"], row["criterion"]


def _recall(rows: Sequence[tuple[Row, Row]], word: str) -> float:
    of = [g.get("verdict") for e, g in rows if e["verdict"] == word]
    return _share(of.count(word), len(of))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def measure(folder: Path, out: Path) -> tuple[dict[str, float | int], list[str]]:
    """Run `chartline eval trials` over a set and grade it. Raises CalledProcessError when the program fails."""
    begin = time.perf_counter()
    command = [str(Path(sys.executable).parent / "chartline"), "eval", "trials"]
    for option, value in (("trials", "trials"), ("charts", "charts"), ("questions", "questions.jsonl")):
        command += [f"--{option}", str(folder / value)]
    subprocess.run([*command, "--out", str(out)], check=True, stdin=subprocess.DEVNULL)
    figures, wrong = figures_of(_rows(folder / "verdicts.jsonl"), _rows(out))
    return {**figures, "seconds": round(time.perf_counter() - begin, 1)}, wrong


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures. Always 0: `benchmarks.run_eval` guards them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, default=ROOT.parent / "shared" / "evalset" / "synthea")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "trials.verdicts.jsonl")
    parser.add_argument("--show", type=int, default=0, help="also print up to N wrong verdicts")
    options = parser.parse_args(argv)
    if not (options.set / "verdicts.jsonl").exists():
        print(f"no verdicts under {options.set}: nothing to grade")
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figures, wrong = measure(options.set, options.out)
    for name, value in figures.items():
        print(f"  {name:22} {value}")
    for line in wrong[: options.show]:
        print(f"  {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
