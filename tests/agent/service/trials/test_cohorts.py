"""`/v1/cohort/…` over a cohort of the demo charts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_tools import demo
from tests.agent.service.conftest import MARIA, Opened
from tests.agent.service.trials.test_trials import TEXT

pytest.importorskip("ibis")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fhir_tools.cohort.loading import load_cohort

    home = tmp_path_factory.mktemp("cohort") / "home"
    load_cohort(demo.paths(), home)
    return home


async def post(opened: Opened, cohort: Path, path: str, body: dict[str, Any], **changes: Any) -> httpx.Response:
    async with opened(cohort=cohort, **changes) as client:
        return await client.post(path, json=body)


async def test_a_count_and_a_list(opened: Opened, cohort: Path) -> None:
    count = (
        await post(opened, cohort, "/v1/cohort/ask", {"question": "how many patients with type 2 diabetes?"})
    ).json()
    listed = (await post(opened, cohort, "/v1/cohort/ask", {"question": "list patients with type 2 diabetes"})).json()
    assert sum(count["patients"].values()) == len(demo.paths())
    assert count["listed"] is None
    assert count["understood"]
    assert MARIA in [row["patient"] for row in listed["listed"]]
    assert count["patients"]["hold"] == len(listed["listed"])


@pytest.mark.slow
async def test_few_are_masked_and_not_listed(opened: Opened, cohort: Path) -> None:
    asked = {"question": "list patients with type 2 diabetes", "min_cell": 3}
    told = (await post(opened, cohort, "/v1/cohort/ask", asked)).json()
    assert told["patients"]["hold"] == "<3"
    assert told["listed"] == []
    assert told["warnings"]


@pytest.mark.slow
async def test_the_operators_threshold_holds_for_all(opened: Opened, cohort: Path) -> None:
    asked = {"question": "list patients with type 2 diabetes"}
    told = (await post(opened, cohort, "/v1/cohort/ask", asked, service_min_cell=4)).json()
    assert told["listed"] == []


async def test_a_trial_over_the_cohort(opened: Opened, cohort: Path, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    asked = {"trial": {"text": TEXT, "name": "T1"}, "names": False}
    told = (await post(opened, cohort, "/v1/cohort/screen", asked, audit=str(log))).json()
    [maria] = [row for row in told["passing"] if row["patient"] == MARIA]
    assert maria["criteria"]["inclusion_2"]["verdict"] == "met"
    assert maria["criteria"]["inclusion_2"]["facts"]
    assert "name" not in maria
    assert told["patients"]["pass"] == len(told["passing"])
    assert '"Group/cohort-' in log.read_text()


@pytest.mark.slow
async def test_words_that_nothing_explains_and_no_cohort(opened: Opened, cohort: Path, tmp_path: Path) -> None:
    words = await post(opened, cohort, "/v1/cohort/ask", {"question": "how many patients with zzyzx?"})
    nowhere = await post(opened, tmp_path / "none", "/v1/cohort/ask", {"question": "how many patients with diabetes?"})
    assert (words.status_code, nowhere.status_code) == (422, 404)
    assert "zzyzx" in words.json()["detail"]
