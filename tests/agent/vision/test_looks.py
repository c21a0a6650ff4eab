"""Questions about images from end to end: real pixels, a vision model that is told what to say, answers."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ModelError
from agent.models.base import ChatModel
from agent.models.scripted import Scripted
from agent.reasoners.llm import Llm
from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from fhir_tools.local import LocalStore
from fhir_tools.tools import TOOLS
from tests.agent.asking import store_of
from tests.agent.vision.charts import HEAD, photo, report, study
from tests.agent.vision.made import EYES, said

pytest.importorskip("pydicom")
BOX = [{"box_2d": [500, 100, 800, 400]}]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return store_of(
        tmp_path,
        study("s1", "2024-03-02", 60, 200),
        study("s0", "2023-03-02", 90),
        study("ct", "2023-05-02", *range(10, 250, 20), name="CT HEAD", modality="CT", site=HEAD),
        report("r1", "2024-03-02", "No pleural effusion. Right lower lobe pneumonia.", "s1"),
        photo("ph", "2024-04-01", "Left heel wound"),
    )


def asked(store: LocalStore, question: str, vision: ChatModel | None = None, **more: Any) -> Answer:
    async def run() -> Answer:
        settings = Settings(**more.pop("settings", {}))
        async with Agent(store, "p", as_of=date(2024, 6, 1), settings=settings, vision=vision, **more) as agent:
            return await agent.ask(question)

    return asyncio.run(run())


def test_a_reading_stands_apart_with_its_region_beside_the_report(store: LocalStore) -> None:
    eyes = said({"boxes": BOX})
    answer = asked(store, "is there an effusion on the chest film?", eyes)
    assert answer.status == "answered" and answer.usage.llm_calls == 1
    reading, impression = answer.readings
    assert reading.text == "Pleural effusion: present, right base (fairly sure)" and reading.model == "eyes"
    assert reading.region == (6, 20, 24, 38) and reading.frame == 1  # of 60 × 40 pixels, shown on a padded square
    assert impression.text == "Impression: As told."
    cited = {c.mark: c.reference for c in answer.citations}
    assert cited[reading.image] == "ImagingStudy/s1" and "DiagnosticReport/r1" in cited.values()
    assert not any("right base" in c.text or "As told" in c.text for c in answer.claims)
    assert "right base" not in answer.text and "reading that no code can check" in answer.text
    assert any("Reading and report disagree on pleural effusion" in w for w in answer.warnings)
    (request,) = eyes.requests
    shown = request.messages[-1]
    assert len(shown.pictures) == 2 and all(p.data.startswith(b"\x89PNG") for p in shown.pictures)
    assert "Right lower lobe" not in shown.text and "XR CHEST PA" in shown.text.split("<chart>")[1]


def test_a_comparison_shows_the_prior_and_tells_the_change(store: LocalStore) -> None:
    eyes = said({})
    answer = asked(store, "compare the chest x-ray with the prior film", eyes)
    assert "worse against the prior image" in answer.readings[0].text
    assert {"ImagingStudy/s1", "ImagingStudy/s0"} <= {c.reference for c in answer.citations}
    text = eyes.requests[0].messages[-1].text
    assert text.count("PRIOR picture:") == 1 and "taken 2023-03-02" in text


def test_a_stack_is_shown_in_part(store: LocalStore) -> None:
    eyes = said({"picture": 4})
    answer = asked(store, "look at the head CT", eyes, settings={"vision_slices": 4})
    assert len(eyes.requests[0].messages[-1].pictures) == 4
    assert answer.readings[0].frame == 11  # the fourth of four that are evenly spread over twelve


def test_without_a_vision_model_the_image_and_its_report_are_told(store: LocalStore) -> None:
    answer = asked(store, "is there an effusion on the chest film?")
    assert answer.status == "answered" and not answer.readings
    assert "No pleural effusion" in answer.text and "No vision model is set" in answer.text
    alone = asked(store, "look at the photo")
    assert alone.status == "incomplete" and "Left heel wound" in alone.text and "No vision model is set" in alone.text


def test_an_image_that_is_not_there_is_not_read(store: LocalStore) -> None:
    eyes = said({})
    assert asked(store, "any fracture on the knee x-ray?", eyes).status == "not_found"
    assert eyes.requests == []


def test_a_model_that_fails_makes_the_answer_incomplete(store: LocalStore) -> None:
    answer = asked(store, "look at the chest x-ray", Scripted([ModelError("the server is down")], card=EYES))
    assert answer.status == "incomplete" and not answer.readings
    assert any(not row.complete and row.error == "the server is down" for row in answer.searched)
    assert "XR CHEST PA" in answer.text


def test_pixels_that_cannot_be_read_make_the_answer_incomplete(tmp_path: Path) -> None:
    broken = study("s1", "2024-03-02", 60)
    broken["series"][0]["instance"][0]["extension"][0]["valueAttachment"]["data"] = "bm8gaW1hZ2U="
    eyes = said({})
    answer = asked(store_of(tmp_path, broken), "look at the x-ray", eyes)
    assert answer.status == "incomplete" and "The pixels were not read" in answer.text and eyes.requests == []


def test_a_reply_that_is_cut_off_is_asked_for_again(store: LocalStore) -> None:
    long = {"findings": [], "impression": " ".join(["word"] * 79)}
    short = {"findings": [], "impression": "Nothing."}
    replies = iter([json.dumps(long) + " " * 5000 + ".", json.dumps(short)])
    eyes = Scripted(lambda _: next(replies), card=EYES, check=False)
    answer = asked(store, "look at the x-ray", eyes)
    assert [r.text for r in answer.readings] == ["Impression: Nothing."]
    assert "cut off" in eyes.requests[1].messages[-1].text


def test_a_reply_that_is_never_of_the_form_is_told_as_that(store: LocalStore) -> None:
    answer = asked(store, "look at the x-ray", Scripted(lambda _: "The lungs are clear.", card=EYES, check=False))
    assert answer.status == "incomplete" and not answer.readings
    assert any("keeps to a JSON schema" in (row.error or "") for row in answer.searched)


def test_the_reasoning_model_gets_no_reading_and_may_ask_for_one(store: LocalStore) -> None:
    claim = {"text": "XR CHEST PA was taken on 2024-03-02.", "marks": ["1"]}
    thinker = Scripted(
        [
            {"claims": [], "needs": [{"tool": "look_at_image", "arguments": {"record": "1"}}], "status": "answered"},
            {"claims": [claim], "needs": [], "status": "answered"},
        ]
    )
    eyes = said({})
    answer = asked(store, "last chest x-ray", eyes, reasoner=Llm(thinker, tools=TOOLS))
    second = thinker.requests[1].messages[-1].text
    assert "no record, tell no claim from it" in second and "Pleural effusion: present" in second
    assert [r.image for r in answer.readings] == ["1", "1"] and answer.status == "answered"
    assert answer.usage.llm_calls == 3


def test_a_reading_told_as_a_claim_is_taken_out(store: LocalStore) -> None:
    lie = {"claims": [{"text": "The x-ray shows a pleural effusion at the right base.", "marks": ["1"]}], "needs": []}
    thinker = Scripted(lambda _: {**lie, "status": "answered"})
    answer = asked(store, "look at the chest x-ray", said({}), reasoner=Llm(thinker))
    assert not any("right base" in c.text for c in answer.claims) and "right base" not in answer.text
    assert answer.removed or "worked out by rules" in " ".join(answer.warnings) or answer.reasoner == "rules"
    assert "right base" not in thinker.requests[0].messages[-1].text
