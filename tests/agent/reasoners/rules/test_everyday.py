"""Questions as they are asked at a chart: what answers each, and what is refused as an answer would pass it over."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from tests.agent.asking import Row, ask, check

PARTS: tuple[Row, ...] = (
    ("m", "when was the last colonoscopy and what did it show", "answered", ("2019-04-26", "No adenoma"), ""),
    ("r", "when was the last colonoscopy and what did it show", "answered", ("2018-03-22", "Not answered"), ""),
    ("r", "when was he last in hospital and why", "answered", ("2025-03-15", "Gastric ulcer"), "stay-2025"),
    (
        "r",
        "how low did his hemoglobin get and when did he last get a transfusion",
        "answered",
        ("7.4", "2025-03-10"),
        "",
    ),
    ("r", "is he taking aspirin and if not, why was it stopped?", "answered", ("No: Aspirin", "Gastric bleeding"), ""),
    ("r", "when was his last echo, and what was the EF?", "answered", ("2025-09-16", "52 %"), ""),
    ("r", "what did the last echo show and who is his cardiologist", "answered", ("52 %", "Not answered"), ""),
    ("r", "hemoglobin before and after the transfusion", "answered", ("7.4 g/dL", "First after", "8.6"), ""),
    ("r", "EF then and now", "answered", ("31 %", "52 %"), ""),
    ("m", "is she on insulin and at what dose", "answered", ("Yes: Insulin glargine", "14 units"), ""),
    ("m", "is she on aspirin and if so what dose?", "not_found", ("Aspirin is not documented",), ""),
    ("m", "compare creatinine now to a year ago", "answered", ("2026-04-06", "2025-12-22"), ""),
    ("m", "creatinine at baseline vs now", "answered", ("First", "0.84", "Latest", "2.08"), ""),
    ("m", "why was she admitted in 2023 and how long did she stay", "answered", ("pneumonia", "5 days"), ""),
    (
        "m",
        "does she have hypertension and what is she taking for it",
        "answered",
        ("Yes:", "Losartan", "Amlodipine"),
        "",
    ),
    ("m", "how many A1cs in 2020 and what was the highest", "answered", ("in 2020", "Highest in 2020"), ""),
    ("m", "age and sex", "answered", ("68 years", "female"), ""),
    ("l", "which inhalers does she use and how often", "answered", ("Symbicort", "two puffs twice a day"), ""),
    ("l", "last prenatal visit and what was her weight", "answered", ("2025-02-06", "77.8 kg"), "weight-2025-02-06"),
    ("m", "when was metformin stopped and what was the eGFR then", "answered", ("2024-02-12", "Not answered"), ""),
    ("m", "eGFR at first visit and now", "answered", ("85 mL/min", "26 mL/min"), ""),
    ("m", "A1c in 2023 compared to 2025", "answered", ("2023-12-25", "2025-12-22"), ""),
    ("r", "what was PSA before prostatectomy and after", "answered", ("7.2 ng/mL", "First after"), ""),
    ("r", "which anticoagulant is he on and since when", "answered", ("Apixaban", "first ordered on 2021-06-15"), ""),
    ("m", "anyone in the family with breast cancer and how old were they", "answered", ("Sister", "onset 52"), ""),
    ("l", "PHQ-9 first and last", "answered", ("16", "3 "), ""),
)
EVERYDAY: tuple[Row, ...] = (
    # what drugs are for
    ("m", "What meds is she on for blood pressure?", "answered", ("Amlodipine", "Losartan"), "losartan"),
    ("m", "what is she taking for her diabetes", "answered", ("Empagliflozin", "Insulin glargine"), ""),
    ("l", "what's she on for depression", "answered", ("Sertraline",), "sertraline"),
    ("l", "what does she use for migraines", "not_found", ("Migraine without aura is not documented",), ""),
    ("r", "what are his heart failure meds", "answered", ("Entresto", "Spironolactone"), ""),
    ("m", "is she on anything for cholesterol", "answered", ("Atorvastatin 40 MG",), ""),
    # limits, edges and distances
    ("r", "has potassium been above 5 since spironolactone", "answered", ("No: the highest Potassium, 4.9",), ""),
    ("l", "platelets ever low", "answered", ("Lowest: Platelets was 190",), ""),
    (
        "r",
        "when was the last time INR was above 3?",
        "answered",
        ("above 3: INR was 5.8", "2020-12-29"),
        "inr-2020-12-29",
    ),
    ("r", "when was the last time INR was above 8?", "answered", ("No INR result is above 8", "5.8"), ""),
    ("r", "which INRs were above 3", "answered", ("5.8",), "inr-2020-12-29"),
    ("r", "was his potassium low during the 2022 admission", "answered", ("Lowest during", "3.3"), ""),
    ("r", "how many days between the last two INRs", "answered", ("1371 days",), ""),
    ("r", "which labs are high", "answered", ("Creatinine", "INR"), ""),
    # a course, and a judgement that the reader makes
    ("r", "Is his kidney function stable?", "answered", ("Creatinine was 1.21", "is for the reader to judge"), ""),
    ("m", "is her LDL at goal", "answered", ("92 mg/dL", "is for the reader to judge"), ""),
    ("l", "is her ferritin better since iron", "answered", ("+24 ng/mL", "is for the reader to judge"), ""),
    (
        "m",
        "What's her potassium been doing since starting lisinopril",
        "answered",
        ("First", "Latest", "changed by"),
        "",
    ),
    ("m", "Has her weight gone up or down since January?", "answered", ("77.7 on 2025-12-22 to 77.3",), ""),
    # drugs over time
    ("m", "Did the metformin dose change?", "answered", ("500 mg", "1000 mg", "2013-01-15"), "metformin"),
    ("m", "when was metformin stopped", "answered", ("ended on 2024-02-12",), ""),
    ("r", "how long was he on warfarin", "answered", ("first ordered on 2020-02-10", "stopped"), ""),
    ("l", "how often does she use albuterol", "answered", ("two puffs as needed",), ""),
    ("m", "how many meds is she on", "answered", ("6 medications are listed active",), ""),
    ("r", "new meds since discharge", "answered", ("Pantoprazole 40 MG Delayed Release",), ""),
    ("l", "did she get rhogam and when", "answered", ("Yes: Rho(D) immune globulin", "2024-12-05"), ""),
    # now against history
    ("l", "any chance she's anemic", "answered", ("No: Iron deficiency anemia", "resolved"), "iron-deficiency"),
    ("l", "is she pregnant now", "answered", ("No: Pregnancy", "resolved"), "pregnancy"),
    ("m", "is she diabetic", "answered", ("Yes: Type 2 diabetes",), ""),
    ("l", "does she have diabetes or asthma", "answered", ("No: Gestational", "Yes: Moderate persistent asthma"), ""),
    # ahead
    ("r", "when is his next appointment", "answered", ("Device clinic visit", "2026-07-14"), "visit-2026-07-14"),
    ("r", "any procedures planned?", "not_found", ("A planned procedure is not documented",), ""),
    # stays
    ("r", "how long was he in hospital", "answered", ("5 days",), "stay-2025"),
    ("l", "when was she discharged", "answered", ("2025-02-12",), "stay-2025-02-09"),
    ("r", "creatinine on admission", "not_found", ("not documented",), ""),
    # the rest
    ("r", "has he had any falls", "not_found", ("Fall is not documented",), ""),
    ("m", "flu shot this season?", "answered", ("2025-10-10",), "flu-2025-10-10"),
    ("l", "food allergies", "answered", ("Peanut",), "peanut"),
    ("m", "how long has she had CKD", "answered", ("stage 4 has been recorded for 854 days",), ""),
    ("r", "any family history of cancer", "answered", ("Brother: Colon cancer",), "brother"),
    ("m", "what changed since the last visit", "refused", ("summary --kind since-last-visit",), ""),
    ("m", "tell me about this patient", "refused", ("summary --kind snapshot",), ""),
)
PASSED: tuple[tuple[str, str, str], ...] = (
    ("r", "Does he have any implants that matter for MRI?", "implants"),
    ("r", "what were his discharge meds", "meds"),
    ("r", "how many days was he in hospital in total", "how many days"),
    ("r", "when did he last see his GP", "gp"),
    ("r", "how many units was he transfused", "how many units"),
    ("r", "is he cancer free", "free"),
    ("r", "is his mother alive", "alive"),
    ("r", "when is his pacemaker check", "check"),
    ("r", "does he still have his prostate", "still have his"),
    ("r", "what did he take before apixaban", "before apixaban"),
    ("r", "how long was he off apixaban", "off apixaban"),
    ("r", "which medications were stopped in 2025", "stopped"),
    ("r", "what make is his pacemaker", "make"),
    ("m", "can she take amoxicillin", "can she"),
    ("m", "can I give her ibuprofen", "can I give"),
    ("m", "how was the pneumonia treated", "treated"),
    ("m", "which of her meds are once a day", "once a day"),
    ("r", "what did his hemoglobin drop to", "drop"),
    ("r", "does he live with anyone", "live with"),
    ("r", "first abnormal TSH", "abnormal"),
    ("m", "blood pressure at home", "home"),
    ("m", "did she finish the antibiotics", "finish"),
    ("m", "any new allergies", "new"),
    ("l", "is sertraline working", "working"),
    ("l", "is she trying to get pregnant", "trying"),
    ("l", "any pending labs", "pending"),
    ("l", "did she get vaccinated in pregnancy", "vaccinated"),
    ("l", "PHQ-9 at diagnosis", "at diagnosis"),
    ("l", "is her asthma controlled", "controlled"),
    ("l", "is her epipen expired", "expired"),
    ("l", "did she pass her glucose tolerance test", "pass"),
    ("l", "when was she last seen for asthma", "seen for"),
    ("l", "is she on any meds she's allergic to", "on any meds"),
    ("l", "hpv vaccine complete?", "complete"),
)


@pytest.mark.parametrize("row", PARTS, ids=lambda r: f"{r[0]} {r[1]}")
def test_a_question_of_several_parts(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


@pytest.mark.parametrize("row", EVERYDAY, ids=lambda r: f"{r[0]} {r[1]}")
def test_everyday_words(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


@pytest.mark.parametrize(("who", "question", "left"), PASSED)
def test_a_word_that_the_answer_would_pass_over_is_told(
    who: str, question: str, left: str, charts: dict[str, Chart]
) -> None:
    done = ask(charts[who], question)
    assert done.answer.status == "refused", done.text
    assert left in " ".join(done.ask.unknown)


def test_what_was_never_asked_is_not_told(charts: dict[str, Chart]) -> None:
    assert "Address" not in ask(charts["m"], "does she live alone").text
    assert "Peanut" not in ask(charts["l"], "drug allergies").text
    for question in ("drug or other allergies", "any allergies before I give her the drug?", "food or drug allergies"):
        assert "Peanut" in ask(charts["l"], question).text, question
    assert "Metoprolol" not in ask(charts["r"], "new meds since discharge").text


def test_the_marks_of_the_parts_are_apart(charts: dict[str, Chart]) -> None:
    done = ask(charts["r"], "hemoglobin before and after the transfusion")
    shown = [m.id for part in done.evidence.parts for card in part.cards for m in card.marks]
    facts = {m.id: m.fact for part in done.evidence.parts for card in part.cards for m in card.marks}
    assert len(done.evidence.parts) == 2
    assert len(set(facts)) == len(facts) <= len(shown)
    assert done.answer.removed == []
    assert [c.part for c in done.draft.claims] == [1, 2]
