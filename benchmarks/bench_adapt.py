"""LoRA on a real small Gemma 3 over made-up patients: losses and replies before and after, on held-out patients.

`python -m benchmarks.bench_adapt [FOLDER] [STEPS] [ROWS]`: FOLDER is a Gemma 3 (by default gemma3-270m in the folder
that CHARTLINE_TEST_MODELS names), STEPS the rows that are learnt from, ROWS how many held-out replies are compared.
Minutes on a busy CPU: ten with 60 steps and 12 rows.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.adapt.comparing import Exam, compare
from agent.adapt.dataset import Places, Plan, make
from agent.adapt.evaluating import Comparison
from agent.adapt.recipe import Recipe, require_packages
from agent.adapt.rows import write
from agent.models.memory import gib
from agent.settings import Settings
from benchmarks import patients

__all__ = ["main", "run"]

_MODEL = Path(os.environ.get("CHARTLINE_TEST_MODELS") or "nowhere") / "gemma3-270m"
_PATIENTS, _CONTEXT = 24, 2048


def run(model: Path, steps: int, rows: int, folder: Path) -> Comparison:
    """The whole way, in a folder; prints what each stage took."""
    settings = Settings(audit=None)
    places = Places(charts=patients.write(folder / "charts", _PATIENTS), as_of=patients.AS_OF)
    start = time.perf_counter()
    plan = Plan(held_out=0.25, per_patient=24, context=_CONTEXT)
    made = asyncio.run(make(places, plan, settings))
    card = write(folder / "rows", made.rows, made.card(plan))
    numbers = {part: len(found) for part, found in made.rows.items()}
    print(f"dataset: {dict(card.patients)} patients, {numbers} rows in {time.perf_counter() - start:.0f} s")
    recipe = Recipe(
        model=str(model), precision="bf16", steps=steps, accumulate=1, context=_CONTEXT, rank=16, rate=5e-4,
        save_every=steps, watch=6,
    )  # fmt: skip
    require_packages(recipe)
    from agent.adapt.training import train

    told = train(
        folder / "rows", folder / "adapter", recipe, device="cpu", on_step=lambda at: print("  ", at, flush=True),
        on_need=lambda need, room, where: print(f"reckoned {gib(need.total)} GiB, {gib(room)} GiB free on {where}"),
    )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"training: {told.steps} steps in {told.seconds:.0f} s, peak {gib(peak)} GiB of this process", flush=True)
    exam = Exam(
        dataset=folder / "rows", adapter=folder / "adapter", places=places, limit=rows, tokens=120, seconds=600.0,
        batch=4, device="cpu",
    )  # fmt: skip
    return asyncio.run(compare(exam, settings, lambda line: print("  ", line, flush=True)))


def main(arguments: list[str]) -> int:
    """The command line; without a model it says what it takes."""
    model = Path(arguments[0]) if arguments else _MODEL
    if not model.is_dir():
        print("no Gemma 3 at hand: give a folder, or name one that holds gemma3-270m by CHARTLINE_TEST_MODELS")
        return 0
    steps, rows = (int(x) for x in (*arguments[1:3], *("60", "12")[len(arguments[1:3]) :]))
    with TemporaryDirectory() as folder:
        found = run(model, steps, rows, Path(folder))
    for name, before, after in (
        ("held-out loss, nats a token", found.before.loss, found.after.loss),
        ("valid under the schema", found.before.valid, found.after.valid),
        ("the exact reply", found.before.exact, found.after.exact),
        ("right after verify", found.before.right, found.after.right),
    ):
        print(f"{name}: {before} → {after}")
    print(f"{found.rows} rows of {found.patients} held-out patients, {found.judged} judged")
    print("exact by question:", {k: f"{v[0]} → {found.after.exact_by_kind[k][0]} of {v[1]}"
                                for k, v in found.before.exact_by_kind.items()})  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
