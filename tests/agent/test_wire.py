"""The parts put together on the demo charts: settings → source, reasoner, graph."""

from __future__ import annotations

import json
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from agent import wire
from agent.errors import SettingsError, UserError
from agent.graph import Progress, stream
from agent.reasoners.rules import Rules
from agent.settings import Settings
from agent.sources import is_store, open_source
from agent.types import Answer
from agent.wire import Agent, open_agent, patient_reference
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

ROOT = Path(__file__).resolve().parents[2]
MARIA = "demo-maria-santos"
CHART = str(next(path for path in demo.paths() if MARIA in path.name))


def settings(folder: Path, **more: object) -> Settings:
    return Settings(store=folder / "store.sqlite", threads=folder / "threads.sqlite", as_of=demo.AS_OF, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["p1", "Patient/p1", " p1 "])
def test_a_patient_is_an_id_or_a_reference(text: str) -> None:
    assert patient_reference(text) == Reference(type="Patient", id="p1")


@pytest.mark.parametrize("text", ["", "Observation/p1", "https://example.org/Patient/p1", "a b", "Patient/", "../p1"])
def test_anything_else_names_no_patient(text: str) -> None:
    with pytest.raises(UserError, match="names no patient"):
        patient_reference(text)


async def test_a_file_a_folder_and_a_store_are_sources(tmp_path: Path) -> None:
    with_chart = LocalStore(tmp_path / "s.sqlite")
    load([CHART], with_chart)
    with_chart.close()
    assert is_store(tmp_path / "s.sqlite")
    for place, patients in ((CHART, 1), (Path(CHART).parent, 3), (tmp_path / "s.sqlite", 1)):
        async with open_source(place, Settings()) as source:
            assert len(source.patients()) == patients


async def test_a_source_that_is_not_there_or_not_whole_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"resourceType": "Patient"')
    for place, kind, told in (
        (tmp_path / "none", UserError, "chartline load PATH"),
        (tmp_path / "bad.json", UserError, "not whole"),
        ("http://user:secret@x.example/fhir", UserError, "credentials are given by the settings"),
    ):
        with pytest.raises(kind, match=told):
            async with open_source(place, Settings()):
                pass


async def test_an_agent_answers_and_opens_its_chart_once(tmp_path: Path) -> None:
    async with open_agent(MARIA, fhir=CHART, settings=settings(tmp_path)) as agent:
        chart = await agent.chart()
        answer = await agent.ask("last A1c?")
        assert await agent.chart() is chart
    assert (answer.status, answer.reasoner, answer.patient) == ("answered", "rules", f"Patient/{MARIA}")
    assert answer.value is not None
    assert not (tmp_path / "threads.sqlite").exists()


async def test_a_follow_up_keeps_its_subject(tmp_path: Path) -> None:
    async with open_agent(MARIA, fhir=CHART, settings=settings(tmp_path)) as agent:
        first, second = await agent.ask("last A1c?", "t"), await agent.ask("and the one before?", "t")
    assert second.value is not None
    assert first.value is not None
    assert second.value.date is not None
    assert first.value.date is not None
    assert second.value.date < first.value.date


async def test_the_stream_ends_with_the_answer(tmp_path: Path) -> None:
    async with open_agent(MARIA, fhir=CHART, settings=settings(tmp_path)) as agent:
        events: list[Progress | Answer] = [event async for event in agent.stream("last A1c?")]
    assert isinstance(events[-1], Answer)
    assert len(events) > 4


async def test_an_unknown_patient_is_the_users_error(tmp_path: Path) -> None:
    async with open_agent("nobody", fhir=CHART, settings=settings(tmp_path)) as agent:
        with pytest.raises(UserError, match="nobody"):
            await agent.ask("last A1c?")


async def test_evidence_is_what_a_reasoner_gets(tmp_path: Path) -> None:
    async with open_agent(MARIA, fhir=CHART, as_of=date(2020, 1, 1), settings=settings(tmp_path)) as agent:
        ask, evidence = await agent.evidence("last A1c?")
    assert ask.op == "latest"
    assert evidence.cards
    assert evidence.patient.startswith("female, born 1958-04-17 (61 years)")


async def test_a_trace_is_written_without_patient_data(tmp_path: Path) -> None:
    async with open_agent(MARIA, fhir=CHART, settings=settings(tmp_path, trace=tmp_path / "traces")) as agent:
        answer = await agent.ask("last A1c?")
    (file,) = (tmp_path / "traces").iterdir()
    text = file.read_text()
    row = json.loads(text)
    assert row["trace"] == answer.trace
    assert {stage["stage"] for stage in row["stages"]} == {"open", "retrieve", "reason", "verify", "render"}
    assert MARIA not in text
    assert "A1c" not in text
    assert answer.text not in text


async def test_a_trace_that_cannot_be_written_does_not_cost_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.trace.Tracer.write", full)
    async with open_agent(MARIA, fhir=CHART, settings=settings(tmp_path)) as agent:
        answer = await agent.ask("last A1c?")
    assert answer.status == "answered"
    assert "No space left" in answer.warnings[-1]


def test_the_trace_folder_is_tried_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="CHARTLINE_TRACE"):
        Agent(LocalStore(), MARIA, settings=settings(tmp_path, trace=tmp_path / "file" / "x"))


async def test_langgraph_json_names_a_graph_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_chart = LocalStore(tmp_path / "s.sqlite")
    load([CHART], with_chart)
    with_chart.close()
    monkeypatch.setenv("CHARTLINE_STORE", str(tmp_path / "s.sqlite"))
    monkeypatch.setenv("CHARTLINE_AS_OF", demo.AS_OF.isoformat())
    path, name = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["chartline"].split(":")
    module = import_module(Path(path).with_suffix("").as_posix().replace("/", "."))
    assert (ROOT / path).samefile(module.__file__ or "")
    async with getattr(module, name)() as graph:
        result = await graph.ainvoke({"question": "last A1c?", "patient": MARIA})
        assert [e async for e in stream(graph, {"question": "last A1c?", "patient": MARIA})]
    assert Answer.model_validate(result["answer"]).status == "answered"


async def test_a_wrong_day_from_langgraphs_tools_is_told(tmp_path: Path) -> None:
    async with open_source(CHART, Settings()) as source:
        given = settings(tmp_path)
        charts, looking = wire._Charts(source, given, None), wire._looking(given, None)
        graph = wire.build(wire._stages(charts, given, Rules(), None, looking))
        with pytest.raises(UserError, match="2024-05-31, not 'soon'"):
            await graph.ainvoke({"question": "q?", "patient": MARIA, "as_of": "soon"})
