"""Questions about pixels: what is looked for, on which image, against which."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.types import Turn
from agent.understand import understand
from agent.understand.looking import Looking, looking
from tests.agent.asking import made_up
from tests.agent.vision.charts import HEAD, report, study


@pytest.mark.parametrize(
    ("question", "image", "finding", "prior"),
    [
        ("look at the x-ray", "x-ray", "", False),
        ("Can you take a look at the chest film?", "chest film", "", False),
        ("read the head CT", "head CT", "", False),
        ("what do you see on the chest x-ray of march 2024", "chest x-ray of march 2024", "", False),
        ("is anything abnormal on the mammogram?", "mammogram", "", False),
        ("is there an effusion on the chest film?", "chest film", "effusion", False),
        ("any pneumothorax on the latest CXR?", "latest CXR", "pneumothorax", False),
        ("does the chest x-ray show a pneumothorax?", "chest x-ray", "pneumothorax", False),
        ("is the heart enlarged on the x-ray?", "x-ray", "heart enlarged", False),
        ("where is the opacity on the chest x-ray", "chest x-ray", "opacity", False),
        ("do you see a fracture on the film from 2023-03-02", "film from 2023-03-02", "fracture", False),
        ("is there a nodule in the left lobe on the CT from 2023", "CT from 2023", "nodule in the left lobe", False),
        ("compare with the prior film", "film", "", True),
        ("compare the chest x-ray with the prior", "chest x-ray", "", True),
        ("has the effusion on the chest film changed since the prior?", "chest film", "effusion", True),
        ("are there any new findings on the chest x-ray compared to the previous one", "chest x-ray", "", True),
    ],
)
def test_asks_for_pixels(question: str, image: str, finding: str, prior: bool) -> None:
    assert looking(question) == Looking(image=image, finding=finding, prior=prior)


@pytest.mark.parametrize(
    "question",
    [
        "last chest x-ray?", "when was the last CT", "show me the chest x-ray", "is there a chest x-ray on file",
        "what does the radiology report say about the CT", "how many MRIs in 2023", "is the patient on metformin",
        "is there a note about the x-ray", "compare with the prior", "did the echo show a low EF",
    ],
)  # fmt: skip
def test_asks_for_records(question: str) -> None:
    assert looking(question) is None


def test_what_an_image_shows_can_be_told_by_its_report() -> None:
    assert looking("what does the chest x-ray show?") == Looking(image="chest x-ray", pixels=False)


def test_a_follow_up_keeps_the_image() -> None:
    before = Turn(question="look at the x-ray", text="", subject={"look": True})
    assert looking("and compare it with the prior", (before,)) == Looking(image="", prior=True)


def test_the_image_is_understood_as_a_study_of_this_chart(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        study("s1", "2024-03-02"),
        study("ct", "2023-05-02", name="CT HEAD", modality="CT", site=HEAD),
        report("r", "2024-03-02", "Clear.", "s1"),
    )
    ask = understand("is there an effusion on the chest film?", chart)
    assert ask.kinds == ("imaging",) and ask.op == "latest" and not ask.unknown and ask.look is not None
    assert ask.look.finding == "effusion" and ask.targets[0].label == "XR CHEST PA"
    assert {"imaging", "report"} <= set(ask.relies)
    assert understand("look at the first x-ray", chart).op == "first"
    assert understand("look at the frobnicated x-ray", chart).unknown == ("frobnicated",)
    nothing = understand("what does the knee mri show?", chart)
    assert nothing.look is None
