"""`kill -9` of the real service at random moments: nothing is lost, told twice or half-told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_killed import kill

pytestmark = [pytest.mark.slow, pytest.mark.loopback]


@pytest.mark.parametrize(("database", "processes"), [("sqlite", 1), ("sqlite", 2), ("postgresql", 2)])
async def test_nothing_is_lost_or_told_twice(
    database: str, processes: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_server").database() if database == "postgresql" else None
    report = await kill(tmp_path, 15, database=url, processes=processes)
    assert report.faults == []
    assert sum(report.at_work) > 15  # or the kills met an idle service, and show nothing
    assert report.questions > report.given_up + 8


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_one_that_stands_still_for_longer_than_its_lease_tells_nothing_twice(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_server").database() if database == "postgresql" else None
    report = await kill(tmp_path, 4, database=url, processes=2, pause=4)
    assert report.faults == []
    assert report.questions > 8 and sum(report.at_work) > 0
