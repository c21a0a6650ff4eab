"""The operation and the form of answer, once the subject is known."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from agent.understand import understand

EXPECTED = (
    ("last A1c", "latest", "number"),
    ("when was the last A1c", "latest", "date"),
    ("is her A1c higher than before?", "compare", "bool"),
    ("A1c on 2023-12-25", "on", "number"),
    ("all A1c values in 2019", "list", "set"),
    ("mean A1c", "mean", "number"),
    ("was the A1c above 9 ever?", "highest", "bool"),
    ("was the A1c ever below 6?", "lowest", "bool"),
    ("A1c", "latest", "number"),
    ("has she ever had an A1c", "exists", "bool"),
    ("does she have diabetes", "status", "bool"),
    ("when was diabetes diagnosed", "first", "date"),
    ("is diabetes still active", "status", "bool"),
    ("was hypertension diagnosed before diabetes?", "order", "bool"),
    ("atorvastatin", "taking", "bool"),
    ("has she ever been on lisinopril", "exists", "bool"),
    ("when was atorvastatin last ordered", "latest", "date"),
    ("last visit", "latest", "date"),
    ("first visit", "first", "date"),
    ("how many visits", "count", "number"),
    ("flu shot?", "exists", "bool"),
    ("when did she get her last flu shot", "latest", "date"),
    ("how old is she", "attribute", "number"),
    ("DOB", "attribute", "date"),
    ("is she alive", "attribute", "bool"),
    ("when did she die", "attribute", "date"),
)


@pytest.mark.parametrize(("question", "op", "expects"), EXPECTED)
def test_the_operation_and_the_form(question: str, op: str, expects: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["m"])
    assert (asked.op, asked.expects) == (op, expects)
