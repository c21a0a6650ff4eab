"""What may be set aside of a question and what may not: every row of `MATTERS` has words that turn or narrow it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chart import Chart
from agent.types import Ask
from agent.understand import understand
from agent.understand.asides import asides
from tests.agent.asking import ask

ASIDE = (
    ("age for the anaesthetic chart please", "age"),
    ("Before I anaesthetise him: which drugs are currently active?", "which drugs are currently active?"),
    ("Latest potassium before contrast?", "Latest potassium?"),
    ("Before surgery: any allergies?", "any allergies?"),
    ("Allergy status before induction - what is recorded?", "Allergy status - what is recorded?"),
    ("DOB for CRF page 4", "DOB"),
    ("I need his DOB for the referral form", "his DOB"),
    ("For the pre-op sheet I need every problem that is active", "every problem that is active"),
    ("any allergies? need to write them on the board", "any allergies?"),
    ("any latex allergy for tomorrow's theatre list?", "any latex allergy?"),
    ("Medicines reconciliation: which prescriptions are active?", "which prescriptions are active?"),
    ("Pharmacist - last potassium?", "last potassium?"),
    ("Exclusion criterion: stroke. Present in this subject?", "stroke. Present in this subject?"),
    ("Inclusion: prior pulmonary embolism. Does it apply here?", "prior pulmonary embolism, yes or no"),
    ("list the active problems so I can code the visit", "list the active problems"),
    ("is he on warfarin i need to know before the injection", "is he on warfarin"),
    ("is he on warfarin? thinking of aspirin", "is he on warfarin?"),
    ("last INR please, I am worried he bleeds", "last INR please"),
    ("My dad sleeps badly this week. What are the active problems?", "What are the active problems?"),
    ("Speech therapist - does he have sleep apnea?", "does he have sleep apnea?"),
    ("For the discharge summary: list active problems", "list active problems"),
    ("needed for the death certificate: date of birth", "date of birth"),
    ("last weight to calculate the heparin dose", "last weight"),
    ("read me the allergies while I fill in the form", "read me the allergies"),
    ("Screening question 7: history of stroke?", "history of stroke?"),
    ("Study inclusion 3 - heart failure present?", "heart failure present?"),
    ("Renal function: what is the last creatinine?", "what is the last creatinine?"),
)


def meaning(asked: Ask) -> Ask:
    """What was understood, apart from how it was typed."""
    return replace(asked, question="", asides=(), relies=())


@pytest.mark.parametrize(("question", "without"), ASIDE)
def test_who_asks_and_what_for_is_set_aside_and_told(question: str, without: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["r"])
    assert not asked.unknown, asked.unknown
    assert meaning(asked) == meaning(understand(without, charts["r"]))
    assert asked.asides
    assert asked.question == question


KEPT = (
    ("current problems, not the resolved ones", "current problems"),
    ("What are the current problems? Tell me all which are not finished.", "What are the current problems?"),
    ("what is he taking now, not the stopped ones", "what is he taking now"),
    ("current drugs, not the ones from the hospital stay", "current drugs"),
    ("current prescriptions, inpatient-only orders from the old admission excluded", "current prescriptions"),
    ("highest weight, leaving out wrong entries", "highest weight"),
    ("highest weight ever, ignoring entered-in-error values", "highest weight ever"),
    ("date of the last visit that really took place", "date of the last visit"),
    ("last kept appointment, date?", "last appointment, date?"),
    ("how many visits in 2025, not counting cancelled ones", "how many visits in 2025"),
)


@pytest.mark.parametrize(("question", "without"), KEPT)
def test_restrictions_that_the_answer_keeps_anyway(question: str, without: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["r"])
    assert not asked.unknown, asked.unknown
    assert meaning(asked) == meaning(understand(without, charts["r"]))
    assert not asked.asides


FILLERS = (
    ("has he personally ever had a stroke", "exists"),
    ("what would be the mean of his weight values", "mean"),
    ("What potassium did he begin with, i.e. the very first result?", "first"),
    ("best (highest) HDL", "highest"),
    ("how many visits of any kind in 2025", "count"),
    ("Starting potassium, i.e. the oldest one you have?", "first"),
)


@pytest.mark.parametrize(("question", "op"), FILLERS)
def test_fillers_say_nothing(question: str, op: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["r"])
    assert (asked.op, asked.unknown, asked.asides) == (op, (), ())


MATTERS = (
    # times and events
    ("last weight before we started amiodarone", "last weight"),
    ("INR before we put him on apixaban", "INR"),
    ("what was his weight before surgery", "what was his weight"),
    ("last hemoglobin before the operation", "last hemoglobin"),
    ("last creatinine before the contrast scan", "last creatinine"),
    ("what was the creatinine before contrast", "what was the creatinine"),
    ("creatinine before dialysis", "creatinine"),
    ("heart rate before exercise", "heart rate"),
    ("potassium before breakfast", "potassium"),
    ("potassium after a meal", "potassium"),
    ("last potassium before discharge", "last potassium"),
    ("last weight for the years before 2020", "last weight"),
    ("Before starting amiodarone - last weight?", "last weight?"),
    ("Before 2020: last weight?", "last weight?"),
    ("Post-op check: latest hemoglobin?", "latest hemoglobin?"),
    ("Discharge hemoglobin?", "hemoglobin?"),
    ("He was admitted in 2024. What was the potassium?", "What was the potassium?"),
    # specimen, site, method
    ("Urine screen: last potassium?", "last potassium?"),
    ("Urine: last potassium?", "last potassium?"),
    ("Urinary function: what is the last sodium?", "what is the last sodium?"),
    ("Capillary check: last potassium?", "last potassium?"),
    ("Fasting check: latest cholesterol?", "latest cholesterol?"),
    ("potassium, i.e. the urine one", "potassium"),
    ("last hemoglobin, i.e. fetal", "last hemoglobin"),
    ("last potassium, i.e. in CSF", "last potassium"),
    ("last weight, leaving out the wrong arm", "last weight"),
    ("all potassium results excluding hemolyzed ones", "all potassium results"),
    ("chest X-ray for the left side", "chest X-ray"),
    # who is meant, whose record it is
    ("Family history check: colon cancer?", "colon cancer?"),
    ("Radiology: last report?", "last visit?"),
    ("Cardiologist: when was the last visit?", "when was the last visit?"),
    ("Pharmacist: last visit?", "last visit?"),
    ("Nephrologist: latest note?", "latest note?"),
    ("Nurse: last note?", "last note?"),
    ("Pharmacy: last order?", "last order?"),
    ("Microbiology: last result?", "last result?"),
    ("last visit that really took place in dermatology", "last visit"),
    ("mother's problems for the form", "problems for the form"),
    ("last blood pressure standing", "last blood pressure"),
    ("last blood pressure while sitting", "last blood pressure"),
    ("I am asking about his wife. What is her INR?", "What is her INR?"),
    ("need to know about his father, any stroke?", "any stroke?"),
    ("any stroke? need to know about his father", "any stroke?"),
    ("thinking about the left leg, any fracture?", "any fracture?"),
    ("I think it is the wrong patient. What is the INR?", "What is the INR?"),
    ("We need it in mmol/L. Last creatinine?", "Last creatinine?"),
    ("last creatinine so I can write it in mmol/L", "last creatinine"),
    ("The cardiologist wants the one by MRI. Last ejection fraction?", "Last ejection fraction?"),
    ("which drugs to adjust in renal failure", "which drugs"),
    ("what dose of apixaban to calculate", "dose of apixaban"),
    ("latest note for the referral letter", "latest note"),
    ("INR while we had him on apixaban", "INR"),
    ("Seen by surgeon: blood pressure?", "blood pressure?"),
    ("Dialysis nurse: last visit?", "last visit?"),
    ("Round 2: latest hemoglobin?", "latest hemoglobin?"),
    ("Left knee surgeon: any osteoarthritis?", "any osteoarthritis?"),
    # exceptions and negations
    ("active problems except hypertension", "active problems"),
    ("active problems, not the resolved ones, only cardiac", "active problems"),
    ("current drugs excluding inhalers", "current drugs"),
    ("current drugs, not the anticoagulants", "current drugs"),
    ("current drugs that are not stopped, and those that are", "current drugs"),
    ("current drugs not for hypertension", "current drugs"),
    ("which problems are not chronic", "which problems"),
    ("list all problems, not the old ones", "list all problems"),
    ("all medications ever, not the stopped ones", "all medications ever"),
    ("problems that are not active", "problems that are active"),
    ("appointments not kept", "appointments"),
    ("visits that did not take place", "visits"),
    ("cancelled appointments", "appointments"),
    ("allergies other than drugs for the wristband", "allergies for the wristband"),
    ("Exclusion criterion: no prior stroke. Does it apply here?", "prior stroke, yes or no"),
    ("Inclusion criterion: stroke within the past six months", "stroke"),
    ("Inclusion criterion: potassium above 4", "potassium"),
    # what is asked of it
    ("latest potassium so I can compare it with the one before", "latest potassium"),
    ("latest creatinine so I can see the trend", "latest creatinine"),
    ("last weight so I know how much it changed", "last weight"),
    ("last INR so we can tell whether it was higher than in 2019", "last INR"),
    ("Medication review: allergy to penicillin?", "medications"),
    ("Allergy check: penicillin", "penicillin"),
    ("target INR for the surgeon", "INR for the surgeon"),
    ("discharge weight for the letter", "weight for the letter"),
    ("what would be the best dose of apixaban", "dose of apixaban"),
    ("what would be the maximum dose of apixaban", "maximum dose of apixaban"),
    ("what would be the next potassium", "what is the potassium"),
    ("what would his potassium be if we doubled the dose", "what is his potassium"),
    ("best potassium", "potassium"),
    ("starting apixaban", "apixaban"),
    ("thinking of stopping apixaban?", "apixaban?"),
    ("is it safe to give ibuprofen before theatre", "ibuprofen before theatre"),
    ("reason for cardiology referral", "reason for referral"),
    ("He is on apixaban. What is the dose?", "What is the dose?"),
    # an unknown noun in the place of the concept
    ("Iron stores: most recent transferrin saturation", "iron"),
    ("last true potassium gap", "last potassium"),
    ("genuine potassium saturation", "potassium"),
    ("the potassium that really grew", "the potassium"),
    # leave, advice, what is needed
    ("should he be on apixaban", "is he on apixaban"),
    ("can he have ibuprofen", "does he have ibuprofen"),
    ("can we give ibuprofen", "ibuprofen"),
    ("can you stop apixaban", "apixaban"),
    ("may he take ibuprofen", "does he take ibuprofen"),
    ("is it ok to give ibuprofen", "is ibuprofen given"),
    ("does he need apixaban", "apixaban"),
    ("what if we stopped apixaban", "apixaban"),
    ("refused apixaban", "apixaban"),
    ("declined apixaban", "apixaban"),
    ("maximum dose of apixaban", "dose of apixaban"),
    # another person, place or giver
    ("another patient's potassium", "potassium"),
    ("all patients on apixaban", "apixaban"),
    ("the baby's weight", "the weight"),
    ("dose of apixaban for a child", "dose of apixaban"),
    ("visits at another hospital", "visits"),
    ("drugs started by the GP", "drugs started"),
    ("blood pressure at home", "blood pressure"),
    # some of several
    ("second highest potassium", "highest potassium"),
    ("third potassium result", "potassium result"),
    ("second dose of covid vaccine", "dose of covid vaccine"),
    ("how many abnormal potassium results", "how many potassium results"),
    ("how many potassium results were abnormal", "how many potassium results"),
    ("when was potassium last normal", "when was potassium last"),
    ("which drugs is he not taking", "which drugs is he taking"),
    ("oral drugs", "drugs"),
    ("nothing but potassium results", "potassium results"),
    ("all but the last potassium", "the last potassium"),
    # a side, a posture, a level of a drug, how it is
    ("his right knee x-ray", "his knee x-ray"),
    ("left breast cancer", "breast cancer"),
    ("Standing. last BP?", "last BP?"),
    ("apixaban level", "apixaban"),
    ("how was hypertension diagnosed", "was hypertension diagnosed"),
    ("is hypertension treated", "is there hypertension"),
    ("It is the ionised one I want. last calcium?", "last calcium?"),
    ("I do not trust the bedside values. What is the last hemoglobin?", "What is the last hemoglobin?"),
)


@pytest.mark.parametrize(("question", "without"), MATTERS)
def test_words_that_matter_are_never_passed_over(question: str, without: str, charts: dict[str, Chart]) -> None:
    """It is refused, or understood as something else than the question without them."""
    asked = understand(question, charts["r"])
    choices = any(t.choices for t in asked.targets)
    assert asked.unknown or choices or meaning(asked) != meaning(understand(without, charts["r"])), asked


def test_an_answer_tells_what_was_set_aside(charts: dict[str, Chart]) -> None:
    told = ask(charts["r"], "Latest potassium before contrast?").answer
    assert told.status == "answered"
    assert "taken as no part of the question: 'before contrast'" in told.warnings
    absent = ask(charts["r"], "lithium level for the ward round, so I can write to his GP").answer
    assert absent.status == "not_found"
    assert any("so I can write to his GP" in w for w in absent.warnings)


@given(st.text(max_size=300))
def test_a_phrase_stands_in_the_question(text: str) -> None:
    assert all(a.words and a.words in text for a in asides(text))
