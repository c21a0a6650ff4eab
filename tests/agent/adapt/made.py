"""A small dataset of made-up patients, made once for the tests of adaptation."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.adapt.dataset import Made, Places, Plan, make
from agent.adapt.rows import DatasetCard, write
from agent.settings import Settings
from benchmarks import patients

__all__ = ["SETTINGS", "dataset", "made", "places"]

SETTINGS = Settings(audit=None)


def places(folder: Path, number: int) -> Places:
    """The charts of so many patients."""
    return Places(charts=patients.write(folder / "charts", number), as_of=patients.AS_OF)


def made(of: Places, plan: Plan) -> Made:
    return asyncio.run(make(of, plan, SETTINGS))


def dataset(folder: Path, number: int, plan: Plan) -> tuple[Places, DatasetCard]:
    """The charts, and the dataset in `folder / "rows"`."""
    charts = places(folder, number)
    found = made(charts, plan)
    return charts, write(folder / "rows", found.rows, found.card(plan))
