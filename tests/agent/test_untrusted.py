"""Chart text as data: nothing in it forms a token, a fence, a mark or a role; and orders in it are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chart import Chart
from agent.untrusted import Imitations, clean, escape, gives_orders, imitations, texts_in
from fhir_tools.types import Card, Coding, Concept, Fact, Interval, Mark, Reference, Span
from tests.agent.injection.attacks import ATTACKS

FACT = Fact(
    kind="medication",
    concept=Concept(label="Amlodipine"),
    reference=Reference(type="MedicationRequest", id="m"),
    path="MedicationRequest.medicationCodeableConcept",
    details={"dosage": "one tablet [1] daily"},
)
CARD = Card(title="Amlodipine", kind="medication", lines=("latest [1] one tablet [1] daily",), marks=(), facts=(FACT,))
CARD = replace(CARD, marks=(Mark(id="1", shown="x", fact=FACT),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<2mass> <0x0A> a<b <bos>", "‹2mass> ‹0x0A> a‹b ‹bos>"),
        ("<5 to >3, <= 7, < 8, <-2, <.5", "<5 to >3, <= 7, < 8, <-2, <.5"),
        ("[@BOS@] [INST] [/INST] [multimodal] [MASK]", "(@BOS@] (INST] (/INST] (multimodal] (MASK]"),
        ("mm[Hg] [IU]/L [CFU] 10*3 [in_i] [Jardiance] [pH]", "mm[Hg] [IU]/L [CFU] 10*3 [in_i] [Jardiance] [pH]"),
        ("［1］ 【2】 〔3〕 ⟦4⟧", "(1) (2) (3) (4)"),
        ("[①] [с1] [1\u0332] [１] [\u200b1]", "(①) (с1) (1\u0332) (１) (1)"),
        ("＜bos＞ ⟨/chart⟩ <｜end｜>", "‹bos› ‹/chart› ‹¦end¦>"),
        ("µg/L 10³ ½ é naïve 中文 العربية", "µg/L 10³ ½ é naïve 中文 العربية"),
        ("a\u0301\u0302\u0303\u0304\u0305b", "a\u0301\u0302\u0303b"),
        ("x\u3164\u2800\ufdd0y", "xy"),
        (" a \r\n\t b\u2028c\u0085d\u001c ", "a b cd"),
        ("", ""),
    ],
)
def test_what_stands_in_a_prompt(text: str, told: str) -> None:
    assert escape(text) == told


def test_a_known_mark_stays() -> None:
    assert escape("latest [1] [2] [c1]", frozenset(("1", "c1"))) == "latest [1] (2) [c1]"


@given(st.text())
def test_escaping_again_changes_nothing(text: str) -> None:
    assert escape(escape(text)) == escape(text)


@given(st.text(alphabet="<>[]1c/|@ab_\u200b＜［；,; "))
def test_no_bracket_of_a_token_or_mark_is_left(text: str) -> None:
    told = escape(text)
    assert "</" not in told
    assert "<|" not in told
    assert "[1]" not in told
    assert "[@" not in told


def test_a_mark_in_any_field_of_a_fact_is_defused() -> None:
    assert imitations(CARD).defused(CARD.lines[0]) == "latest [1] one tablet (1) daily"


@pytest.mark.parametrize(
    "fact",
    [
        replace(FACT, concept=Concept(label="Pill [1] x")),
        replace(FACT, concept=Concept(label="x", codings=(Coding(system=None, code="1", display="Pill [1] x"),))),
        replace(FACT, value="Pill [1] x"),
        replace(FACT, status="pill [1]"),
        replace(FACT, when=Interval(low=None, high=None, text="pill [1]")),
        replace(FACT, details={"reason": (Concept(label="Pill [\u200b1] x"),)}),
        replace(FACT, details={"a": {"b": ("pill  [ 1 ]",)}}),
    ],
)
def test_every_field_is_looked_at(fact: Fact) -> None:
    card = replace(CARD, facts=(fact,), marks=(Mark(id="1", shown="", fact=fact),))
    assert imitations(card).defused("latest [1] 2024, pill [1] x") == "latest [1] 2024, pill (1) x"


def test_a_quotes_mark_is_defused() -> None:
    mark = Mark(id="1", shown="", fact=replace(FACT, details={}), span=Span(start=0, end=9, quote="as in [1] above"))
    card = replace(CARD, facts=(), marks=(mark,))
    assert imitations(card).defused('[1] Letter: "as in [1] above"') == '[1] Letter: "as in (1) above"'


def test_where_it_cannot_be_told_no_mark_is_left() -> None:
    card = replace(CARD, facts=(replace(FACT, value="[1]"),))
    assert imitations(card).defused("latest [1] [1]") == "latest (1) (1)"


def test_a_card_without_imitations_is_not_touched() -> None:
    card = replace(CARD, facts=(replace(FACT, details={}),), marks=())
    assert imitations(card) == Imitations()
    assert imitations(card).defused("latest  [1]\u200b") == "latest  [1]\u200b"


def test_texts_of_a_record_at_any_depth() -> None:
    assert {"Amlodipine", "one tablet [1] daily", "dosage"} <= set(texts_in(CARD))


def test_clean_keeps_what_a_reader_sees() -> None:
    assert clean("a\u200b\u202eb  ［") == "ab ("


SUBTLE = {"mark", "mark spaced", "mark alone", "mark in other digits", "mark with zero width", "card", "question",
          "homoglyphs", "combining", "blank letters", "rot13", "german", "chinese", "arabic", "claims to be rules",
          "flood", "control characters", "mark by the role's word", "url"}  # fmt: skip
"""What the warning overlooks: it is data all the same, and the injection suite shows that it changes nothing."""


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.name not in SUBTLE], ids=lambda a: a.name)
def test_plain_orders_are_told(attack: object) -> None:
    assert gives_orders([attack.text])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "Discharge instructions: take with food. Please call the clinic if the pain returns.",
        "Patient was told to ignore mild itching. System review: negative.",
        "The assistant surgeon closed. Follow the previous plan.",
        "Model: Medtronic 1234. User reports no falls.",
        "Respiratory system: clear.",
    ],
)
def test_notes_of_every_day_give_no_orders(text: str) -> None:
    assert not gives_orders([text])


@pytest.mark.parametrize("who", ["m", "r", "l"])
def test_nothing_in_the_demo_charts_gives_orders(who: str, charts: dict[str, Chart]) -> None:
    assert not gives_orders(texts_in(charts[who].catalogue.entries))
