"""Needs → evidence: marks go on, nothing is run twice, faults of the source are told, and verify has the last word."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.errors import NeedError
from agent.graph import Stages, build
from agent.prompt import joined, messages
from agent.render import answer
from agent.retrieve import retrieve
from agent.supply import MOST, Supplied, bench_of, supply
from agent.types import Answer, Ask, Claim, Draft, Evidence, Need, Turn
from agent.understand import subject_of, understand
from agent.verify import verify
from fhir_tools.errors import SourceError
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, SearchResult
from tests.agent.asking import Failing, made_up, opened, order, result, store_of
from tests.agent.faulty import Faulty, Plain

ASK = Ask(question="how is the sodium?", op="find")


def need(tool: str, **arguments: Any) -> Need:
    return Need(tool=tool, arguments=arguments)


def supplied(chart: Chart, *needs: Need, after: Evidence | None = None, ask: Ask = ASK) -> Supplied:
    return asyncio.run(supply(chart, ask, after or Evidence(), needs))


def retrieved(chart: Chart, question: str) -> tuple[Ask, Evidence]:
    ask = understand(question, chart)
    return ask, asyncio.run(retrieve(chart, ask))


def refused(chart: Chart, *needs: Need, after: Evidence | None = None) -> str:
    with pytest.raises(NeedError) as caught:
        supplied(chart, *needs, after=after)
    return str(caught.value)


def test_marks_go_on_and_the_same_facts_keep_theirs(charts: dict[str, Chart]) -> None:
    ask, before = retrieved(charts["m"], "last hemoglobin a1c?")
    known = {m.id: m for card in before.cards for m in card.marks}
    after = supplied(
        charts["m"],
        need("find", what="creatinine"),
        need("find", what="a1c", since="2026-01-01"),
        after=before,
        ask=ask,
    )
    marks = [m for card in after.cards for m in card.marks]
    by_fact = {(str(m.fact.reference), m.fact.path): m.id for m in marks if m.fact}
    assert len({m.id for m in marks if m.fact}) == len(by_fact)
    assert all(by_fact[str(m.fact.reference), m.fact.path] == i for i, m in known.items() if m.fact)
    numbers = [int(m.id) for m in after.cards[1].marks if m.id.isdigit()]
    assert min(numbers) == max(int(i) for i in known if i.isdigit()) + 1
    assert after.cards[: len(before.cards)] == tuple(
        replace(old, marks=new.marks) for old, new in zip(before.cards, after.cards, strict=False)
    )


def test_what_the_needs_bring_is_the_same_each_time(charts: dict[str, Chart]) -> None:
    needs = [need("find", what=w) for w in ("creatinine", "metformin", "ferritin")]
    needs.append(need("find_notes", words="cough"))
    assert supplied(charts["m"], *needs) == supplied(charts["m"], *needs)


def test_marks_do_not_depend_on_which_answer_comes_first(tmp_path: Path) -> None:
    """The searches of the first need are answered last."""
    store = store_of(tmp_path, order("Metformin", "2024-01-02"), result("Sodium", "2024-01-02", 140, code="2951-2"))
    chart = opened(store)
    needs = (need("find", what="metformin"), need("find", what="sodium"))
    quick = supplied(chart, *needs)
    slow = supplied(replace(chart, source=_Slow(chart.source, "MedicationRequest"), found={}), *needs)
    assert [c.text for c in slow.cards] == [c.text for c in quick.cards]


class _Slow:
    """A source that answers searches of one type late, and remembers how many were under way together."""

    def __init__(self, source: Source, late: str) -> None:
        self.source, self.late, self.now, self.most = source, late, 0, 0
        self.read, self.fetch, self.capabilities = source.read, source.fetch, source.capabilities

    async def search(self, query: Query) -> SearchResult:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.05 if query.type == self.late else 0.01)
        self.now -= 1
        return await self.source.search(query)


def test_needs_are_read_side_by_side(tmp_path: Path) -> None:
    chart = opened(store_of(tmp_path, order("Metformin", "2024-01-02"), result("Sodium", "2024-01-02", 140)))
    slow = _Slow(chart.source, "")
    supplied(replace(chart, source=slow, found={}), need("find", what="metformin"), need("find", what="sodium"))
    assert slow.most > 1


def test_a_need_is_run_once(charts: dict[str, Chart]) -> None:
    after = supplied(charts["m"], need("find", what="creatinine"), need("find", what="creatinine "))
    assert len(after.cards) == 1 and "looked up before" in after.overview
    told = refused(charts["m"], need("find", what="Creatinine"), after=after)
    assert "looked up before" in told
    again = supplied(charts["m"], need("find", what="sodium"), after=after)
    assert "looked up before" in refused(charts["m"], need("find", what="creatinine"), after=again)


def test_what_the_cards_show_already_is_said_to_be_there(charts: dict[str, Chart]) -> None:
    ask, before = retrieved(charts["m"], "last hemoglobin a1c?")
    with pytest.raises(NeedError, match="show all of that already"):
        supplied(charts["m"], need("find", what="a1c"), after=before, ask=ask)


def test_no_more_than_a_few_needs_are_run_in_a_round(charts: dict[str, Chart]) -> None:
    words = ["sodium", "potassium", "creatinine", "glucose", "platelets", "leukocytes"]
    after = supplied(charts["m"], *(need("find", what=w) for w in words))
    assert len(after.cards) == len(after.needs) == MOST
    assert f"only {MOST} things are looked up at once" in after.overview


def test_a_bad_need_does_not_cost_the_good_ones(charts: dict[str, Chart]) -> None:
    after = supplied(charts["m"], need("find", what="sodium"), need("rm", path="/"), need("find", how="newest"))
    assert len(after.cards) == 1 and after.needs == (need("find", what="sodium"),)
    assert "there is no such tool" in after.overview and "how: it should be" in after.overview


def test_where_all_needs_are_bad_the_model_is_told(charts: dict[str, Chart]) -> None:
    told = refused(charts["m"], need("rm"), need("related", record="Patient/other"))
    assert "no such tool" in told and "no record of this chart" in told
    assert "nothing to look up" in refused(charts["m"])


@pytest.mark.parametrize("arguments", [{"what": {1, 2}}, {"what": object()}, {1: 2}, {"what": float("nan")}])
def test_arguments_that_are_no_json_are_refused(charts: dict[str, Chart], arguments: Mapping[str, Any]) -> None:
    assert "find: " in refused(charts["m"], Need(tool="find", arguments=arguments))


def test_an_absence_comes_with_its_searches(charts: dict[str, Chart]) -> None:
    ask = Ask(question="Is there a ferritin?", op="latest")
    after = supplied(charts["m"], need("find", what="ferritin"), ask=ask)
    [absent] = after.absent
    assert {m.id for m in after.search_marks} == set(absent.searched)
    assert all(m.search in after.searched for m in after.search_marks) and after.complete
    sent = joined(messages(ask, after))
    assert f"[{absent.searched[0]}]" in sent


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("how is her iron store?", {"what": "ferritin"}),
        ("was there a troponin?", {"what": "troponin", "until": "2020-01-01"}),
        ("does she have a ferritin?", {"words": "ferritin"}),
    ],
)
def test_what_was_not_asked_is_no_absence_of_the_answer(
    charts: dict[str, Chart], question: str, arguments: dict[str, str]
) -> None:
    """A model that looks up something else, or at a time of its own, has not shown that what was asked is not there."""
    name = "find_notes" if "words" in arguments else "find"
    after = supplied(charts["m"], need(name, **arguments), ask=Ask(question=question, op="latest"))
    assert not after.absent and not after.search_marks
    assert "searched, not there" in after.overview and after.complete


def test_an_absence_in_the_time_that_was_asked_about_is_one(charts: dict[str, Chart]) -> None:
    ask = understand("any troponin in 2015?", charts["m"])
    assert ask.window is not None
    for given in ({}, {"since": "2015-01-01", "until": "2015-12-31"}, {"until": "2016-06-01"}):
        after = supplied(charts["m"], need("find", what="troponin", **given), ask=ask)
        assert len(after.absent) == (0 if not given else 1)
    assert not supplied(
        charts["m"], need("find", what="troponin", since="2015-02-01", until="2015-12-31"), ask=ask
    ).absent


def test_a_search_that_is_cut_short_makes_all_incomplete(tmp_path: Path) -> None:
    store = store_of(tmp_path, order("Metformin", "2024-01-02"), result("Sodium", "2024-01-02", 140, code="2951-2"))
    chart = opened(Failing(store, ("MedicationRequest",)))
    after = supplied(chart, need("find", what="sodium"), need("find", what="metformin"))
    assert not after.complete and not any(card.complete for card in after.cards)
    assert all(not a.complete for a in after.absent)


class _Down(Plain):
    """A source that fails before anything was read."""

    async def search(self, query: Query) -> SearchResult:
        raise SourceError("the server answered 502 four times; try later", status=502)

    async def fetch(self, url: str) -> Fetched:
        raise SourceError("the server answered 502 four times; try later", status=502)


def test_a_source_that_is_down_is_told_and_never_an_empty_chart(tmp_path: Path) -> None:
    chart = opened(store_of(tmp_path, result("Sodium", "2024-01-02", 140)))
    down = replace(chart, source=_Down(chart.source), found={}, waiting=frozenset(("condition",)))
    for one in (need("find", what="sodium"), need("find", kind="condition"), need("find_notes", words="sodium")):
        after = supplied(down, one)
        assert not after.complete and not after.cards
        assert any("502" in (row.error or "") for row in after.searched)
        assert all(not a.complete for a in after.absent)


@pytest.mark.parametrize("seed", range(16))
def test_faults_at_random_are_never_an_absence_that_is_complete(charts: dict[str, Chart], seed: int) -> None:
    chart = charts["r"]
    source = Faulty(chart.source, seed, ("Observation", "MedicationRequest", "Condition", "DocumentReference"))
    ill = replace(chart, source=source, found={})
    needs = (
        need("find", what="sodium, warfarin"),
        need("find", what="ferritin"),
        need("find_notes", words="kangaroo"),
        need("related", record="Condition/keller-condition-paroxysmal-atrial-fibrillation"),
    )
    try:
        after = supplied(ill, *needs)
    except NeedError:
        return
    assert not (source.hurt and after.complete)
    assert after.complete or all(not a.complete for a in after.absent)


def test_with_a_focus_the_tools_see_the_whole_chart(charts: dict[str, Chart]) -> None:
    chart = charts["m"]
    narrow = replace(chart, catalogue=replace(chart.catalogue, entries=(), by_key={}), wider=chart)
    assert bench_of(narrow).catalogue is chart.catalogue


def test_a_claim_is_held_against_all_the_chart_has_whatever_window_was_looked_up(charts: dict[str, Chart]) -> None:
    after = supplied(charts["m"], need("find", what="a1c", since="2026-01-01"))

    def kept(text: str) -> bool:
        return bool(verify(ASK, Draft(claims=(Claim(text=text, marks=("1",)),)), after).claims)

    assert kept("Hemoglobin A1c was 7.2 % on 2026-04-06.")
    assert kept("The latest hemoglobin A1c was 7.2 % on 2026-04-06.")
    assert not kept("The first hemoglobin A1c was 7.2 % on 2026-04-06.")
    assert not kept("The only hemoglobin A1c was 7.2 % on 2026-04-06.")


# In the graph.


class _Asks:
    """A reasoner that asks for something first and tells then what came."""

    name = "asks"

    def __init__(self, *rounds: tuple[Need, ...], claim: str) -> None:
        self.rounds, self.claim, self.seen = list(rounds), claim, []  # type: ignore[var-annotated]

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        self.seen.append((len(evidence.cards), feedback))
        return Draft(needs=self.rounds.pop(0)) if self.rounds else Draft(claims=(Claim(text=self.claim),))


def asked(chart: Chart, reasoner: _Asks) -> Answer:
    async def open_(*_: Any) -> Chart:
        return chart

    async def finish(_: Any, told: Answer) -> Answer:
        return told

    stages = Stages(
        resolve=lambda _, __: (chart.patient, chart.as_of),
        open=open_,
        understand=understand,
        subject_of=subject_of,
        retrieve=retrieve,
        supply=supply,
        reasoner=reasoner,
        verify=verify,
        render=answer,
        finish=finish,
    )
    graph = build(stages)
    given = {"question": "was the last wibble normal?", "patient": str(chart.patient)}
    return Answer.model_validate(asyncio.run(graph.ainvoke(given))["answer"])  # type: ignore[call-overload]


def test_the_graph_looks_up_what_a_reasoner_needs(charts: dict[str, Chart]) -> None:
    reasoner = _Asks((need("find", what="potassium"),), claim="The latest potassium was 4.9 mmol/L on 2026-04-06.")
    told = asked(charts["m"], reasoner)
    assert told.status == "answered" and "4.9 mmol/L" in told.text
    assert told.citations[0].reference.startswith("Observation/")
    assert reasoner.seen == [(0, ""), (1, "")]


def test_the_graph_tells_a_reasoner_what_it_got_wrong(charts: dict[str, Chart]) -> None:
    reasoner = _Asks(
        (need("find", what="potassium"),),
        (need("find", what="potassium"),),
        claim="The latest potassium was 4.9 mmol/L on 2026-04-06.",
    )
    assert asked(charts["m"], reasoner).status == "answered"
    assert "looked up before" in reasoner.seen[2][1]


def test_a_reference_of_the_evidence_can_be_asked_about_by_its_mark(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Sodium", "2024-01-02", 140, code="2951-2"))
    ask, before = retrieved(chart, "last sodium?")
    with pytest.raises(NeedError, match="no document"):
        supplied(chart, need("read_document", record="1"), after=before, ask=ask)
