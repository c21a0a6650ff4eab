"""Twins of true and false claims for each mechanism: roles, groups, windows, answers, order, extremes, asides."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from agent.types import Anchor, Target
from agent.verify.windows import windows_in
from fhir_tools import compute, medications, wording
from fhir_tools.cards import Marks, event_card, list_card, measurement_card
from fhir_tools.dates import Window
from fhir_tools.types import Card, Fact
from tests.agent.verify import charts
from tests.agent.verify.charts import Chart, a1c_target, code, condition, observation, order, relative, resource

Twins = list[tuple[str, str]]
"""Claims, each with the kinds of fault it may have; an empty kind is held."""


def check(chart: Chart, twins: Twins) -> None:
    for text, kinds in twins:
        found = chart.kind(text)
        assert found in kinds.split() if kinds else found == "", (text, found)


def administration(n: str, label: str, when: str) -> Fact:
    given = resource(resourceType="MedicationAdministration", id=n, status="completed", effectiveDateTime=when,
                     medicationCodeableConcept=code(label))  # fmt: skip
    return medications.judged((given,), {}, date(2020, 1, 1))[0]


def furosemide(**ask: Any) -> Chart:
    orders = tuple(order(f"o{i}", "Furosemide", f"2019-0{i}-01", "completed") for i in (1, 3))
    given = tuple(administration(f"g{i}", "Furosemide", f"2019-03-0{i}") for i in range(2, 6))
    marks = Marks()
    doses = (compute.compute("count", given), f"given 4 times, {wording.span_of(given)}")
    card = event_card(marks, orders, computed=(doses,), title="Furosemide, medication, 2 orders")
    return Chart(replace(card, facts=compute.in_order((*orders, *given))), **ask)


def test_orders_and_doses_of_a_drug_are_told_apart() -> None:
    check(furosemide(), [
        ("Furosemide was ordered 2 times, 2019-01-01 to 2019-03-01.", ""),
        ("Furosemide was given 4 times, 2019-03-02 to 2019-03-05.", ""),
        ("Furosemide was ordered 2 times and given 4 times.", ""),
        ("2 orders of Furosemide are on record.", ""),
        ("Furosemide was ordered 6 times.", "number computation"),
        ("Furosemide was ordered 4 times.", "number computation"),
        ("Furosemide was given 2 times.", "number computation"),
        ("Furosemide was given 6 times.", "number computation"),
        ("Furosemide was dispensed 2 times.", "number computation concept"),
    ])  # fmt: skip


def test_the_last_order_is_the_last_of_the_orders() -> None:
    check(furosemide(op="taking"), [
        ("No: Furosemide is not being taken; the last order is completed, dated 2019-03-01.", ""),
        ("Furosemide was first ordered on 2019-01-01.", ""),
        ("Furosemide was last ordered on 2019-03-01.", ""),
        ("Furosemide was given on 2019-03-02, last on 2019-03-05.", ""),
        ("The last order of Furosemide is completed, dated 2019-01-01.", "qualifier"),
        ("The last order of Furosemide is dated 2019-03-05.", "date"),
        ("Furosemide was first ordered on 2019-03-01.", "qualifier"),
        ("Furosemide was last ordered on 2019-03-05.", "date"),
        ("Furosemide was given on 2019-01-01.", "date"),
        ("Furosemide was given on 2019-03-03.", "unsupported"),
    ])  # fmt: skip


# Lists.


def shot(n: str, label: str, when: str) -> Fact:
    return resource(resourceType="Immunization", id=n, status="completed", vaccineCode=code(label),
                    occurrenceDateTime=when)  # fmt: skip


FLU = tuple(shot(f"f{y}", "Influenza", f"{y}-10-01") for y in (2015, 2016, 2018))
TDAP = (shot("t1", "Tdap", "2005-06-01"), shot("t2", "Tdap", "2017-06-02"))
MMR = (shot("m1", "MMR", "1990-01-02"),)


def listed(groups: tuple[tuple[Fact, ...], ...], title: str, **ask: Any) -> Chart:
    window = ask.get("window")
    card = list_card(Marks(), groups, title=title, kind=groups[0][0].kind, window=window.text if window else "",
                     names=(groups[0][0].kind,))  # fmt: skip
    return Chart(card, op="list", **ask)


def test_a_row_of_a_list_tells_of_its_own_records() -> None:
    check(listed((FLU, TDAP, MMR), "immunizations"), [
        ("Influenza was given on 2018-10-01 (3 records, first 2015-10-01).", ""),
        ("Tdap was given on 2017-06-02 (2 records, first 2005-06-01).", ""),
        ("MMR was given on 1990-01-02.", ""),
        ("Influenza was given on 2018-10-01 (6 records, first 2015-10-01).", "number computation"),
        ("Influenza was given on 2018-10-01 (2 records, first 2015-10-01).", "number computation"),
        ("Influenza was given on 2018-10-01 (3 records, first 1990-01-02).", "date"),
        ("Influenza was given on 2018-10-01 (3 records, first 2016-10-01).", "qualifier"),
        ("Tdap was given on 2018-10-01 (2 records, first 2005-06-01).", "date"),
    ])  # fmt: skip


def test_a_row_of_resolved_conditions_and_of_a_year() -> None:
    sinusitis = tuple(
        condition(f"s{y}", "Viral sinusitis", f"{y}-05-01", "resolved", abatementDateTime=f"{y}-05-09")
        for y in (2011, 2016)
    )
    check(listed((sinusitis,), "resolved conditions"), [
        ("Viral sinusitis is recorded as resolved, since 2016-05-01, until 2016-05-09 (2 records, first 2011-05-01).",
         ""),
        ("Viral sinusitis is recorded as resolved, since 2016-05-01, until 2016-05-09 (3 records, first 2011-05-01).",
         "number computation"),
        ("Viral sinusitis is recorded as resolved, since 2016-05-01, until 2016-05-19.", "date"),
    ])  # fmt: skip
    year = Window(low=date(2018, 1, 1), high=date(2019, 1, 1), text="2018")
    check(listed((FLU[2:], TDAP[1:]), "immunizations, 2018", window=year), [
        ("Influenza was given on 2018-10-01.", ""),
        ("Influenza was given on 2018-10-01 (3 records).", "number computation"),
    ])  # fmt: skip


def test_a_family_row_of_two_relatives_is_no_record_of_one() -> None:
    both = (relative("r1", "mother", "Hypertension"), relative("r2", "father", "Hypertension"))
    check(listed((both,), "family history", kinds=("family",)), [
        ("Mother: Hypertension.", ""),
        ("Father: Hypertension (2 records).", "number computation"),
    ])  # fmt: skip


def test_occurrences_are_counted_by_their_noun() -> None:
    studies = tuple(
        resource(resourceType="ImagingStudy", id=f"i{y}", status="available", started=f"{y}-02-03",
                 modality=[{"code": "CT"}])
        for y in (2011, 2013, 2013)
    )[:2]  # fmt: skip
    card = event_card(Marks(), studies, title="imaging studies, 2", names=("imaging",))
    chart = Chart(card, op="count", kinds=("imaging",))
    check(chart, [
        ("2 imaging studies are on record, 2011-02-03 to 2013-02-03.", ""),
        ("3 imaging studies are on record, 2011-02-03 to 2013-02-03.", "number computation"),
        ("2 imaging studies are on record, 2011-02-03 to 2014-02-03.", "computation"),
    ])  # fmt: skip
    assert chart.kind("2 imaging studies are on record.", value={"kind": "number", "value": 2}) == ""
    assert chart.kind("2 imaging studies are on record.", value={"kind": "number", "value": 3}) == "number"


# Windows in words.


def windowed(text: str, low: date | None, high: date | None, **ask: Any) -> Chart:
    window = Window(low=low, high=high, text=text)
    inside = tuple(f for f in charts.A1C if f.when and window.starts_in(f.when))
    whole = measurement_card(Marks(), charts.GLUCOSE)
    card = measurement_card(Marks(), inside, window=text, names=("a1c",))
    other = replace(whole, marks=tuple(replace(m, id=f"{m.id}9") for m in whole.marks))
    return Chart(card, other, window=window, **ask)


def test_the_words_of_a_window_are_no_dates_of_facts() -> None:
    check(windowed("until 2018-09-01", None, date(2018, 9, 2)), [
        ("Latest until 2018-09-01: Hemoglobin A1c was 7.1 % on 2018-09-01.", ""),
        ("Latest until 2018-09-01: Hemoglobin A1c was 7.7 % on 2018-03-05.", "qualifier"),
        ("Latest until 2018-09-01: Hemoglobin A1c was 7.1 % on 2018-03-05.", "date"),
        ("Latest until 2018-09-01: Glucose was 140 mg/dL on 2018-09-01.", "concept"),
    ])  # fmt: skip
    check(windowed("2017 to 2018", date(2017, 1, 1), date(2019, 1, 1)), [
        ("Highest 2017 to 2018: Hemoglobin A1c was 7.7 % on 2018-03-05.", ""),
        ("Lowest 2017 to 2018: Hemoglobin A1c was 7.1 % on 2018-09-01.", ""),
        ("Highest 2017 to 2018: Hemoglobin A1c was 7.1 % on 2018-09-01.", "qualifier"),
        ("3 Hemoglobin A1c results are recorded 2017 to 2018, 2017-02-03 to 2018-09-01.", ""),
        ("4 Hemoglobin A1c results are recorded 2017 to 2018, 2017-02-03 to 2018-09-01.", "number computation"),
    ])  # fmt: skip
    check(windowed("early 2017 to late 2018", date(2017, 1, 1), date(2019, 1, 1)), [
        ("3 Hemoglobin A1c results are recorded early 2017 to late 2018, 2017-02-03 to 2018-09-01.", ""),
        ("The highest A1c early 2017 to late 2018 was 7.7 %.", ""),
        ("2 Hemoglobin A1c results are recorded early 2017 to late 2018, 2017-02-03 to 2018-09-01.",
         "number computation"),
        ("The highest A1c early 2017 to late 2018 was 8.2 %.", "number"),
        ("3 Hemoglobin A1c results are recorded early 2016 to late 2018.", "computation number"),
    ])  # fmt: skip


def test_a_window_over_a_limit_counts_what_passes_it() -> None:
    passing = tuple(f for f in charts.A1C if f.value.value > 7.2)  # type: ignore[union-attr]
    chart = Chart(measurement_card(Marks(), passing, window="> 7.2", names=("a1c",)), op="count",
                  threshold=(">", 7.2, None))  # fmt: skip
    check(chart, [
        ("3 Hemoglobin A1c results are recorded > 7.2, 2015-04-11 to 2018-03-05.", ""),
        ("2 Hemoglobin A1c results are recorded > 7.2, 2015-04-11 to 2018-03-05.", "number computation"),
    ])  # fmt: skip


def test_a_windows_date_does_not_stand_for_an_end() -> None:
    gone = (condition("b1", "Acute bronchitis", "2012-01-10", "resolved", abatementDateTime="2012-01-24"),)
    window = Window(low=None, high=date(2012, 1, 31), text="until 2012-01-30")
    chart = Chart(event_card(Marks(), gone, window=window.text), window=window)
    check(chart, [
        ("Acute bronchitis is recorded as resolved, since 2012-01-10, until 2012-01-24.", ""),
        ("Acute bronchitis is recorded as resolved, since 2012-01-10, until 2012-01-30.", "date"),
    ])  # fmt: skip
    assert not list(windows_in("resolved until 2012-01-30.", {"until 2012-01-30": frozenset((1,))}))


# Answers.


def dead(*, died: bool = True) -> Chart:
    person = {"resourceType": "Patient", "id": "x", "birthDate": "1920-04-23", "deceasedDateTime": "1990-06-01"}
    birth, *rest = (f for f in charts.facts_of(person) if f.path in ("Patient.birthDate", "Patient.deceasedDateTime"))
    death = tuple(replace(f, when=f.value) for f in rest)  # type: ignore[arg-type]
    age = compute.compute("age", (birth, *death)) if died else compute.compute("age", (birth,), at=date(1999, 6, 1))
    return Chart(event_card(Marks(), (birth,), computed=((age, f"age {age.result}"),)))


def test_age_at_death_is_not_age_now() -> None:
    check(dead(), [
        ("The patient was 70 years old at death, born 1920-04-23.", ""),
        ("The patient was 71 years old at death, born 1920-04-23.", "number"),
        ("The patient is 70 years old, born 1920-04-23.", "number"),
        ("The patient was 70 years old at death, born 1920-04-24.", "date"),
    ])  # fmt: skip
    check(dead(died=False), [("The patient is 79 years old, born 1920-04-23.", "")])
    assert dead(died=False).kind("The patient was 79 years old at death, born 1920-04-23.")


PAIN = (condition("k1", "Chronic pain", "1992-12-25"),)
MIGRAINE = (condition("k2", "Migraine", "1992-02-07"),)


def events(relation: Any) -> Chart:
    marks = Marks()
    target = Target(words="migraine", label="Migraine", keys=(MIGRAINE[0].concept.key,))
    mine = Target(words="chronic pain", label="Chronic pain", keys=(PAIN[0].concept.key,))
    other = replace(event_card(marks, MIGRAINE), role="event")
    return Chart(event_card(marks, PAIN), other, targets=(mine,), op="order",
                 anchor=Anchor(relation=relation, target=target))  # fmt: skip


def test_which_of_two_events_came_first() -> None:
    told = "Chronic pain was first recorded on 1992-12-25, {} Migraine on 1992-02-07."
    turned = "Migraine was first recorded on 1992-02-07, before Chronic pain on 1992-12-25."
    check(events("before"), [
        ("No: " + told.format("after"), ""),
        ("No: " + turned, ""),
        ("Yes: " + told.format("after"), "negation"),
        ("Yes: " + turned, "negation"),
        ("Yes: " + told.format("before"), "direction"),
        (told.format("after"), ""),
        (told.format("before"), "direction"),
        (told.format("at the same time as"), "direction"),
    ])  # fmt: skip
    check(events("after"), [("Yes: " + told.format("after"), ""), ("No: " + told.format("after"), "negation")])


def smoking(value: str, question: str) -> Chart:
    found = resource(resourceType="Observation", id="t1", status="final", code=code("Tobacco smoking status"),
                     effectiveDateTime="2019-05-06", valueCodeableConcept=code(value))  # fmt: skip
    return Chart(measurement_card(Marks(), (found,)), question=question)


@pytest.mark.parametrize(
    ("question", "value", "answer"),
    [
        ("current smoker?", "Never smoker", "No"),
        ("Does he smoke now?", "Former smoker", "No"),
        ("smoker", "Ex-smoker", "No"),
        ("Is she a smoker?", "Never smoked tobacco", "No"),
        ("Is she a smoker?", "Current every day smoker", "Yes"),
        ("former smoker?", "Former smoker", "Yes"),
        ("former smoker?", "Never smoker", "No"),
        ("Has she ever smoked?", "Former smoker", "Yes"),
        ("Has she ever smoked?", "Never smoker", "No"),
        ("Is there a smoking status on file?", "Never smoker", "Yes"),
    ],
)
def test_a_coded_state_answers_yes_or_no(question: str, value: str, answer: str) -> None:
    chart = smoking(value, question)
    told = f"Tobacco smoking status was {value} on 2019-05-06."
    other = "No" if answer == "Yes" else "Yes"
    check(chart, [(f"{answer}: {told}", ""), (f"{other}: {told}", "negation"), (told, "")])


def test_a_positive_and_a_negative_result() -> None:
    found = resource(resourceType="Observation", id="n1", status="final", code=code("Nitrite in urine"),
                     effectiveDateTime="2019-05-06", valueCodeableConcept=code("Negative"))  # fmt: skip
    told = "Nitrite in urine was Negative on 2019-05-06."
    for question, answer, other in (("nitrite positive?", "No", "Yes"), ("nitrite negative?", "Yes", "No")):
        chart = Chart(measurement_card(Marks(), (found,)), question=question)
        check(chart, [(f"{answer}: {told}", ""), (f"{other}: {told}", "negation")])


def test_a_relatives_disease_is_a_yes_only_about_the_family() -> None:
    facts = (relative("r1", "mother", "Melanoma"),)
    about_family = Chart(event_card(Marks(), facts), op="exists", kinds=("family",), question="melanoma in the family?")
    check(about_family, [("Yes: Mother: Melanoma.", ""), ("No: Mother: Melanoma.", "negation"),
                         ("Yes: Father: Melanoma.", "patient")])  # fmt: skip
    own = Chart(event_card(Marks(), facts), op="exists", kinds=("condition",), question="has she had melanoma?")
    check(own, [("Yes: Mother: Melanoma.", "negation"), ("No: Mother: Melanoma.", "")])
    father = Chart(event_card(Marks(), facts), op="exists", kinds=("family",), relative="father")
    check(father, [("Yes: Mother: Melanoma.", "negation"), ("No: Mother: Melanoma.", "")])


def test_what_is_over_is_a_yes_to_ever_and_a_no_to_still() -> None:
    gone = (condition("b1", "Acute bronchitis", "2012-01-10", "resolved", abatementDateTime="2012-01-24"),)
    told = "Acute bronchitis is recorded as resolved, since 2012-01-10, until 2012-01-24."
    ever = Chart(event_card(Marks(), gone), op="exists", question="ever had bronchitis?")
    check(ever, [("Yes: " + told, ""), ("No: " + told, "negation")])
    still = Chart(event_card(Marks(), gone), op="status", state="active", question="is bronchitis active?")
    check(still, [("No: " + told, "")])


def test_an_explicit_negative_with_its_status_in_brackets() -> None:
    none = resource(resourceType="AllergyIntolerance", id="al1", code=code("No known allergies", "716186003"),
                    clinicalStatus={"coding": [{"code": "resolved"}]}, recordedDate="2019-11-12")  # fmt: skip
    check(Chart(event_card(Marks(), (none,)), op="exists", kinds=("allergy",)), [
        ("No known allergies is recorded (resolved) on 2019-11-12.", ""),
        ("No: No known allergies is recorded (resolved) on 2019-11-12.", ""),
        ("No known allergies is recorded (resolved) on 2019-11-13.", "date"),
        ("No known allergies is recorded (active) on 2019-11-12.", "status"),
        ("Yes: No known allergies is recorded (resolved) on 2019-11-12.", "negation"),
    ])  # fmt: skip


def test_at_the_same_time_is_no_direction_and_must_be_true() -> None:
    def result(n: str, when: str, value: str) -> Fact:
        return resource(resourceType="Observation", id=n, status="final", code=code("Ciprofloxacin"),
                        effectiveDateTime=when, valueCodeableConcept=code(value))  # fmt: skip

    told = "At the same time, Ciprofloxacin was Susceptible on 2019-10-17."
    one, two, late = "2019-10-17T08:00:00Z", "2019-10-17T08:00:00Z", "2019-10-17T09:00:00Z"
    same = (result("q1", one, "Resistant"), result("q2", two, "Susceptible"))
    apart = (result("q1", one, "Resistant"), result("q2", late, "Susceptible"))
    assert Chart(measurement_card(Marks(), same)).kind(told) == ""
    assert Chart(measurement_card(Marks(), apart)).kind(told) == "date"


# Limits and extremes.


def glucose(*values: tuple[str, float, str], unit: str = "mg/dL") -> Card:
    facts = tuple(
        observation(f"x{i}", "Glucose", when, v, unit, **({"comparator": sign} if sign else {}))
        for i, (when, v, sign) in enumerate(values)
    )
    return measurement_card(Marks(), facts, each=12)


def test_a_result_beyond_a_bound_may_be_the_highest() -> None:
    over = Chart(glucose(("2019-01-01", 180.0, ""), ("2019-02-01", 200.0, ">"), ("2019-03-01", 90.0, "")))
    check(over, [
        ("The highest glucose was >200 mg/dL on 2019-02-01.", ""),
        ("The lowest glucose was 90 mg/dL on 2019-03-01.", ""),
        ("The highest glucose was 180 mg/dL on 2019-01-01.", "qualifier"),
    ])  # fmt: skip
    open_ = Chart(glucose(("2019-01-01", 180.0, ""), ("2019-02-01", 150.0, ">"), ("2019-03-01", 90.0, "")))
    check(open_, [
        ("The highest glucose was 180 mg/dL on 2019-01-01.", "qualifier"),
        ("The highest glucose was >150 mg/dL on 2019-02-01.", "qualifier"),
        ("Glucose was 180 mg/dL on 2019-01-01.", ""),
    ])  # fmt: skip
    under = Chart(glucose(("2019-01-01", 180.0, ""), ("2019-02-01", 5.0, "<"), ("2019-03-01", 90.0, "")))
    check(under, [
        ("The highest glucose was 180 mg/dL on 2019-01-01.", ""),
        ("The lowest glucose was <5 mg/dL on 2019-02-01.", ""),
        ("The lowest glucose was 90 mg/dL on 2019-03-01.", "qualifier"),
    ])  # fmt: skip


def test_a_limit_is_compared_in_its_own_unit() -> None:
    card = measurement_card(Marks(), charts.A1C, names=("a1c",))
    chart = Chart(card, targets=(a1c_target(),), threshold=(">", 7.0, "%"))
    told = "the latest Hemoglobin A1c, 6.9 % on 2019-03-02, is {}."
    check(chart, [
        ("No: " + told.format("below 7 %"), ""),
        ("No: " + told.format("below 7"), ""),
        ("Yes: " + told.format("below 7 %"), "negation"),
        ("Yes: " + told.format("above 7 %"), "direction"),
        ("No: " + told.format("below 7 mg/dL"), "unit"),
    ])  # fmt: skip
    weight = measurement_card(Marks(), (observation("w1", "Body weight", "2019-01-01", 70.0, "kg"),))
    heavy = Chart(weight, threshold=(">", 100.0, "lb"))
    check(heavy, [
        ("Yes: the latest Body weight, 70 kg on 2019-01-01, is above 100 lb.", ""),
        ("No: the latest Body weight, 70 kg on 2019-01-01, is below 100 lb.", "direction"),
        ("No: the latest Body weight, 70 kg on 2019-01-01, is below 100 kg.", ""),
    ])  # fmt: skip


def test_no_result_beyond_a_limit_stands_on_the_extreme() -> None:
    card = glucose(("2019-01-01", 180.0, ""), ("2019-02-01", 140.0, ""), ("2019-03-01", 90.0, ""))
    over = Chart(card, threshold=(">", 200.0, None))
    check(over, [
        ("No Glucose result is above 200: the highest was 180 mg/dL on 2019-01-01.", ""),
        ("No Glucose result is above 200: the highest was 140 mg/dL on 2019-02-01.", "qualifier"),
        ("No Glucose result is above 200 mmol/L: the highest was 180 mg/dL on 2019-01-01.", "negation"),
    ])  # fmt: skip
    within = Chart(card, threshold=(">", 150.0, None))
    assert within.kind("No Glucose result is above 150: the highest was 180 mg/dL on 2019-01-01.") == "negation"
    open_ = glucose(("2019-01-01", 180.0, ""), ("2019-02-01", 150.0, ">"))
    assert Chart(open_, threshold=(">", 200.0, None)).kind("No Glucose result is above 200.") == "negation"
    part = Chart(replace(card, complete=False), threshold=(">", 200.0, None))
    assert part.kind("No Glucose result is above 200.") == "negation"


# The closest other things.


def test_what_stands_beside_is_told_only_as_its_own_description() -> None:
    card = replace(measurement_card(Marks(), charts.GLUCOSE[-1:]), role="also", title="also in the chart: Glucose")
    asked = Target(words="digoxin", label="Digoxin", keys=())
    chart = Chart(card, targets=(asked,))
    check(chart, [
        (f"Also in the chart: {wording.describe(charts.GLUCOSE[-1])}.", ""),
        ("Also in the chart: 2019-03-02 Glucose 127 mg/dL.", "number irrelevant"),
        ("Also in the chart: Digoxin is not needed.", "empty concept negation unsupported irrelevant"),
        ("Also in the chart, glucose was 126 mg/dL on 2019-03-02.", "irrelevant"),
        ("Glucose was 126 mg/dL on 2019-03-02.", "irrelevant"),
    ])  # fmt: skip
    subject = Chart(replace(card, role="subject"), targets=(asked,))
    assert subject.kind(f"Also in the chart: {wording.describe(charts.GLUCOSE[-1])}.")
