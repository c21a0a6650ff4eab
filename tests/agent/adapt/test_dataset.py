"""A dataset: the prompts are the reasoner's own, every reply holds, no patient is in both parts, and all is counted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapt.dataset import Made, Places, Plan, part_of
from agent.adapt.lessons import lesson, supplied, tell
from agent.adapt.rows import Row, fingerprint, read_card, read_part, write
from agent.chart import Chart
from agent.errors import UserError
from agent.models.base import ModelCard
from agent.models.checking import fault
from agent.models.scripted import Scripted
from agent.prompt import estimate
from agent.reasoners.llm import Llm
from agent.reasoners.llm.reply import read
from agent.types import Need
from fhir_tools import demo
from fhir_tools.tools import AVAILABLE
from tests.agent.adapt.made import SETTINGS, made, places

PLAN = Plan(held_out=0.3, per_patient=10, context=4096)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(places(tmp_path_factory.mktemp("cohort"), 5), PLAN)


@pytest.fixture(scope="module")
def of_demo() -> Made:
    charts = Places(fhir=(str(demo.paths()[0].parent),), as_of=demo.AS_OF)
    return made(charts, Plan(held_out=0.4, per_patient=30))


def everything(of: Made) -> list[Row]:
    return [row for rows in of.rows.values() for row in rows]


def test_no_patient_is_in_both_parts(found: Made) -> None:
    by_part = {part: {row.patient for row in rows} for part, rows in found.rows.items()}
    assert all(by_part.values())
    assert not by_part["train"] & by_part["held-out"]


@given(st.text(min_size=1, max_size=40), st.floats(0.05, 0.9))
def test_a_patient_stays_in_its_part(patient: str, share: float) -> None:
    assert part_of(patient, share) == part_of(patient, share)
    if part_of(patient, share) == "held-out":
        assert part_of(patient, min(1.0, share + 0.05)) == "held-out"


def test_the_share_is_about_the_share() -> None:
    held = sum(part_of(f"patient-{n}", 0.2) == "held-out" for n in range(2000))
    assert 340 < held < 460


def test_the_rows_are_the_same_each_time(found: Made, tmp_path: Path) -> None:
    again = made(places(tmp_path, 5), PLAN)
    assert again.rows == found.rows
    cards = [write(tmp_path / str(n), of.rows, of.card(PLAN)) for n, of in enumerate((found, again))]
    assert cards[0] == cards[1]
    assert cards[0].sha256 == fingerprint(tmp_path / "0")


@pytest.mark.parametrize("name", ["found", "of_demo"])
def test_every_reply_is_one_that_the_grammar_can_write(name: str, request: pytest.FixtureRequest) -> None:
    for row in everything(request.getfixturevalue(name)):
        assert fault(row.reply, row.schema_) is None
        reply = read(row.reply, row.marks(), {t.name for t in AVAILABLE})
        assert reply is not None
        assert reply.said() == row.reply


def test_there_are_many_kinds_and_each_reply_fits_its_kind(of_demo: Made) -> None:
    rows = everything(of_demo)
    assert len({row.kind for row in rows}) > 20
    for row in rows:
        reply = json.loads(row.reply)
        if row.kind == "advice":
            assert reply == {"claims": [], "needs": [], "status": "refused"}
        if row.kind == "needs":
            assert [need["tool"] for need in reply["needs"]] == ["find"]
            assert not reply["claims"]
        if reply["status"] == "not_found":
            assert not reply["claims"]
        if row.kind in ("latest", "mean", "taking"):
            assert reply["claims"]
            assert all(claim["marks"] for claim in reply["claims"])
    assert {row.helped for row in rows} == {True, False}
    assert any(json.loads(row.reply)["status"] == "not_found" for row in rows if row.kind == "absent")


def test_the_prompt_is_the_very_one_that_the_reasoner_sends(charts: dict[str, Chart], of_demo: Made) -> None:
    for row in everything(of_demo):
        asyncio.run(_same_prompt(charts[row.patient.removeprefix("Patient/demo-")[0]], row))


async def _same_prompt(chart: Chart, row: Row) -> None:
    of = await lesson(chart, row.question, before=row.before, means=row.means, helped=row.helped)
    if row.needs:
        of = await supplied(of, [Need(tool=n["tool"], arguments=n["arguments"]) for n in row.needs])
    model = Scripted([row.reply], card=ModelCard(name="m", context=8192))
    draft = await Llm(model, helped=row.helped, tools=AVAILABLE, rewords=False, budget=SETTINGS.tokens).reason(
        of.ask, of.evidence, of.history
    )
    assert model.requests[0].messages == row.prompt()
    assert model.requests[0].schema == row.schema_
    told = await tell(of, row.reply, SETTINGS, 8192)
    assert told.draft.claims == draft.claims
    assert not told.verified.removed
    assert told.draft.needs or told.answer.status == json.loads(row.reply)["status"]


def test_help_is_in_the_prompts_that_say_so(of_demo: Made) -> None:
    assert any("Worked out by rules" in row.messages[1].parts[1] for row in everything(of_demo) if row.helped)
    assert not any(
        "Worked out by rules:" in p for r in everything(of_demo) if not r.helped for p in r.messages[1].parts
    )


def test_no_row_is_over_the_context(of_demo: Made, tmp_path: Path) -> None:
    longest = max(sum(estimate(m.text) for m in r.prompt()) for r in everything(of_demo))
    short = made(
        Places(fhir=(str(demo.paths()[0].parent),), as_of=demo.AS_OF), Plan(held_out=0.4, per_patient=12, context=1024)
    )
    assert longest > 1024
    for row in everything(short):
        assert sum(estimate(m.text) for m in row.prompt()) + estimate(row.reply) <= 1024
    assert any("longer than the context" in why for why in short.dropped)


def test_patients_can_be_left_unnamed(tmp_path: Path) -> None:
    plan = Plan(held_out=0.3, per_patient=6, context=4096, patient_ids=False)
    of = made(places(tmp_path, 5), plan)
    card = write(tmp_path / "rows", of.rows, of.card(plan))
    told = "".join((tmp_path / "rows" / name).read_text() for name in ("train.jsonl", "held-out.jsonl", "card.json"))
    assert "made-0" not in told
    assert card.patient_ids is False
    assert read_card(tmp_path / "rows") == card


def test_a_second_record_of_a_patient_is_not_a_second_patient(tmp_path: Path) -> None:
    charts = places(tmp_path, 5).charts
    assert charts is not None
    (charts / "again.json").write_bytes((charts / "made-000.json").read_bytes())
    of = made(Places(charts=charts, as_of=demo.AS_OF), Plan(held_out=0.3, per_patient=2, context=4096))
    assert of.dropped["patients: a further record of one who is in already"] == 1
    assert len(of.patients) == 5


def test_a_file_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    charts = places(tmp_path, 2).charts
    assert charts is not None
    (charts / "broken.json").write_text("{")
    of = made(Places(charts=charts, as_of=demo.AS_OF), Plan(per_patient=2, context=4096))
    assert of.dropped["charts: a file could not be read (UserError)"] == 1
    assert len(of.patients) == 2


def test_without_a_chart_there_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="nothing to learn from: charts: a file could not be read"):
        made(Places(charts=tmp_path), PLAN)
    with pytest.raises(UserError, match="no kind of question 'guess'"):
        made(Places(charts=tmp_path), Plan(kinds=("guess",)))


def test_a_folder_that_is_no_dataset_says_how_to_make_one(tmp_path: Path, found: Made) -> None:
    with pytest.raises(UserError, match="chartline adapt dataset --out"):
        read_part(tmp_path, "train")
    write(tmp_path, {"train": found.rows["train"], "held-out": []}, found.card(PLAN))
    assert read_part(tmp_path, "train") == found.rows["train"]
    with pytest.raises(UserError, match="a larger --held-out"):
        read_part(tmp_path, "held-out")
    (tmp_path / "train.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(UserError, match="line 1"):
        read_part(tmp_path, "train")
    assert (tmp_path / "held-out.jsonl").stat().st_mode & 0o077 == 0
