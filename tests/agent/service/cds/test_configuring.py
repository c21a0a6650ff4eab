"""The file of cards: what ships holds, and every fault is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import UserError
from agent.service.cds.configuring import SHIPPED, read_cards

HEAD = "cards:\n"
CARD = "  - {kind: allergy, name: a, hooks: [order-sign]}\n"
LONG = "cards:\n  - kind: allergy\n    name: a\n    hooks: [order-sign]\n"
RESULT = "cards:\n  - {kind: result, name: a, hooks: [order-sign], of: [nsaid], "


def test_the_shipped_file_holds() -> None:
    cards = read_cards(None)
    kinds = {"allergy", "kidney", "result", "duplicate", "repeat", "monitoring", "question"}
    assert {c.kind for c in cards.cards} == kinds
    assert cards.unread == "tell" and cards.questions == ("last A1c?",)
    assert all(c.who.users == ("Practitioner", "PractitionerRole") for c in cards.cards)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cards: []\n", "line 1: cards:"),
        (HEAD + CARD + CARD, "two cards are named 'a'"),
        (HEAD + CARD.replace("allergy", "allergi"), "line 2: cards.0: kind should be one of 'allergy'"),
        (HEAD + "  - {name: a, hooks: [order-sign]}\n", "line 2: cards.0: kind is missing"),
        (
            HEAD + CARD.replace("order-sign", "order-dispatch"),
            "line 2: cards.0.hooks.0: input should be '",
        ),
        (HEAD + CARD + "    indicatr: info\n", "line 3"),
        (
            LONG + "    indicatr: info\n",
            "line 5: cards.0.indicatr",
        ),
        (
            LONG + "    summary: '{drug} {dose}'\n",
            "summary may have {drug}, {allergy}, and not 'dose'",
        ),
        (
            LONG + "    summary: '{drug'\n",
            "a brace that is not",
        ),
        (
            LONG + "    cross_reactive: [penicilin]\n",
            "line 5: cards.0.cross_reactive.0: 'penicilin' is no drug and no drug class",
        ),
        (
            RESULT + "lab: wibble, below: 1, unit: g}\n",
            "'wibble' is no laboratory value",
        ),
        (
            RESULT + "lab: platelets, below: 1, unit: furlong}\n",
            "'furlong' is no UCUM unit",
        ),
        (
            RESULT + "lab: platelets, unit: g}\n",
            "give either below or above",
        ),
        (
            HEAD + "  - {kind: kidney, name: a, hooks: [order-sign], limits: {metformn: 30}}\n",
            "'metformn' is no drug",
        ),
        ("cards: &a []\n", "anchors are not taken"),
        ("cards: [\n", "line 2"),
        ("- x\n", "the file"),
        ("", "the file"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_cards(path)
    assert told in str(caught.value) and "cards.yaml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_cards(tmp_path / "none.yaml")


def test_the_wording_of_a_site(tmp_path: Path) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text(SHIPPED.read_text().replace("name: allergy-to-order", 'name: a\n    summary: "{allergy}? {drug}!"'))
    card = read_cards(path).cards[0]
    assert card.worded("ours", drug="x", allergy="{drug}") == "{drug}? x!"
