"""Grade the llm reasoner over a sample of the evaluation sets, asked of a model server: without and with what rules
are sure of, and `auto` beside rules alone.

    python -m benchmarks.bench_llm --url http://127.0.0.1:8080/v1 [--number 100] [--only bare,told,auto]

The sample takes the families in turn and is the same each time. `--refused` names a file of questions that rules
refuse, with answers written down by hand; they are asked of `auto`. Minutes to hours on a CPU, so it is not part of
`make bench`; without a server it says so and succeeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from agent import settings
from agent.evals.cases import AnswerRow, Case, read_rows, write_rows
from agent.evals.report import grade
from agent.evals.runner import run

__all__ = ["VARIANTS", "main", "sample"]

ROOT = Path(__file__).resolve().parents[1]
VARIANTS: dict[str, dict[str, Any]] = {
    "bare": {"reasoner": "llm", "model_told": False},
    "told": {"reasoner": "llm", "model_told": True},
    "auto": {"reasoner": "auto"},
    "rules": {"reasoner": "rules"},
}
"""What is measured: the model alone, the model told what rules are sure of, auto, and rules alone beside them."""


def sample(cases: Sequence[Case], number: int) -> list[Case]:
    """So many cases, the families in turn, each family in the order of a hash of its ids."""
    families: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: hashlib.sha256(c.id.encode()).hexdigest()):
        families[case.family].append(case)
    turns = zip_longest(*(families[name] for name in sorted(families)))
    return [case for turn in turns for case in turn if case is not None][:number]


def _figures(cases: Sequence[Case], rows: Sequence[AnswerRow], seconds: float) -> dict[str, Any]:
    report, scores = grade(cases, rows)
    calls, prompts = sum(r.llm_calls for r in rows), sum(r.prompt_tokens for r in rows)
    return {
        **{k: v for k, v in report.model_dump().items() if k != "families"},
        "wrong": [c.id for c in cases if c.id in scores and not scores[c.id].right],
        "by_model": sum(r.reasoner != "rules" for r in rows),
        "calls_per_question": round(calls / len(rows), 3),
        "prompt_tokens_per_question": round(prompts / len(rows), 1),
        "claims_removed": sum(r.removed for r in rows),
        "seconds": round(seconds, 1),
    }


def _measured(name: str, cases: Sequence[Case], charts: Path, url: str, out: Path) -> dict[str, Any]:
    given = settings.read().model_copy(
        update={"model_url": url, "model_seconds": 900.0, "audit": None, **VARIANTS[name.partition("-")[0]]}
    )
    begin = time.perf_counter()
    done = [0]

    def tell(number: int) -> None:
        done[0] += number
        print(f"\r{name}: {done[0]} of {len(cases)}", end="", file=sys.stderr, flush=True)

    rows = [r for r in run(cases, charts, "answers", given, progress=tell) if isinstance(r, AnswerRow)]
    print(file=sys.stderr)
    write_rows(out / f"llm.{name}.answers.jsonl", rows)
    return _figures(cases, rows, time.perf_counter() - begin)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures of each variant and write them to the folder of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="", help="base URL of the model server")
    parser.add_argument("--sets", type=Path, default=ROOT.parent / "shared" / "evalset", help="folder of the sets")
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--only", default="bare,told,auto,rules")
    parser.add_argument("--refused", type=Path, help="questions that rules refuse, with answers")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    options = parser.parse_args(argv)
    folders = sorted(p.parent for p in options.sets.glob("*/questions.jsonl"))
    if not options.url or not folders:
        print("no --url of a model server, or no evaluation sets: nothing to measure")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    charts = _gathered(folders, options.out / "charts")
    cases = read_rows(options.refused, Case) if options.refused else []
    if not options.refused:
        cases = sample([c for f in folders for c in read_rows(f / "questions.jsonl", Case)], options.number)
    for name in options.only.split(","):
        figures = _measured(name, cases, charts, options.url, options.out)
        (options.out / f"llm.{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
        print(f"== {name}", json.dumps(figures), sep="\n", flush=True)
    return 0


def _gathered(folders: Sequence[Path], into: Path) -> Path:
    """One folder with links to the charts of all sets."""
    into.mkdir(parents=True, exist_ok=True)
    for chart in (c for folder in folders for c in (folder / "charts").iterdir()):
        link = into / chart.name
        if not link.exists():
            link.symlink_to(chart)
    return into


if __name__ == "__main__":
    sys.exit(main())
