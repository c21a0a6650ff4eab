"""Phrases beside what is asked, in the voices of those who ask: passed over where they say nothing, else kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chart import Chart
from agent.types import Ask
from agent.understand import understand
from agent.understand.askers import askers
from agent.understand.manners import without_manners
from tests.agent.asking import ask

SAME = (
    ("r", "Booking clerk: last creatinine?", "last creatinine?"),
    ("r", "Receptionist here, what is his date of birth?", "what is his date of birth?"),
    ("m", "The ward pharmacist needs her latest potassium", "her latest potassium"),
    ("m", "latest creatinine, the renal registrar is asking", "latest creatinine"),
    ("m", "Our dietician would like the latest A1c", "the latest A1c"),
    ("l", "Midwife speaking - any allergies?", "any allergies?"),
    ("l", "HCA here: last weight?", "last weight?"),
    ("r", "Theatre nurse asking: is he on apixaban?", "is he on apixaban?"),
    ("r", "The anaesthetist wants to know whether he has sleep apnea", "whether he has sleep apnea"),
    ("r", "Insurance: when was the last colonoscopy?", "when was the last colonoscopy?"),
    ("r", "last PSA, asks the urologist", "last PSA"),
    ("r", "last PSA (the urologist wants to know)", "last PSA"),
    ("m", "Coding: list all active problems", "list all active problems"),
    ("m", "Coder here - list all active problems", "list all active problems"),
    ("m", "Auditor: number of A1c results in 2024?", "number of A1c results in 2024?"),
    ("m", "medical student asking, what is her latest eGFR?", "what is her latest eGFR?"),
    ("r", "On behalf of the GP: highest heart rate?", "highest heart rate?"),
    ("r", "For the insurer: date of the pacemaker implantation?", "date of the pacemaker implantation?"),
    ("r", "For dietary counselling: last cholesterol?", "last cholesterol?"),
    ("r", "For anticoagulation planning: what is his creatinine value?", "what is his creatinine value?"),
    ("r", "For the case conference: which problems are active?", "which problems are active?"),
    ("m", "For the audit, how many A1c results were there in 2023?", "how many A1c results were there in 2023?"),
    ("m", "how many A1c results were there in 2023, for the audit", "how many A1c results were there in 2023"),
    ("l", "For the school form: is she allergic to peanut?", "is she allergic to peanut?"),
    ("l", "full vaccination list for travel, please", "full vaccination list please"),
    ("l", "list of vaccinations for her employer", "list of vaccinations"),
    ("m", "current medications for discharge planning", "current medications"),
    ("m", "list of the current meds for the pre-admission call", "list of the current meds"),
    ("m", "All active diagnoses (coding)", "All active diagnoses"),
    ("m", "All active diagnoses - billing purposes", "All active diagnoses"),
    ("r", "drug dosing: latest creatinine?", "latest creatinine?"),
    ("r", "Fall prevention: last weight?", "last weight?"),
    ("m", "foot care education: latest A1c?", "latest A1c?"),
    ("m", "Ahead of the family meeting: is she on insulin?", "is she on insulin?"),
    ("m", "In preparation for the board: latest hemoglobin?", "latest hemoglobin?"),
    ("r", "Re the pension claim: which problems are active?", "which problems are active?"),
    ("r", "as part of a medication audit: is he on apixaban?", "is he on apixaban?"),
    ("r", "Good morning, may I have the latest INR?", "the latest INR?"),
    ("r", "Good evening. Could I get the list of active problems?", "the list of active problems?"),
    ("r", "Hello there, would you mind telling me his last weight?", "his last weight?"),
    ("r", "Dear colleague, what is his latest TSH?", "what is his latest TSH?"),
    ("r", "Sorry to bother you again, his last potassium?", "his last potassium?"),
    ("r", "One more question: is he on aspirin?", "is he on aspirin?"),
    ("r", "A quick question: is he on aspirin?", "is he on aspirin?"),
    ("m", "last hemoglobin, if it's not too much trouble", "last hemoglobin"),
    ("m", "last hemoglobin if you don't mind", "last hemoglobin"),
    ("m", "what was her lowest eGFR, would you be so kind", "what was her lowest eGFR"),
    ("m", "latest A1c when you have a minute", "latest A1c"),
    ("m", "latest A1c, many thanks in advance", "latest A1c"),
    ("m", "latest A1c with kind regards", "latest A1c"),
    ("m", "Would you be so kind as to give me the latest A1c?", "the latest A1c?"),
    ("m", "I'd be grateful for the latest A1c", "the latest A1c"),
    ("m", "We would appreciate the latest A1c", "the latest A1c"),
    ("m", "If you could be so good, the latest A1c", "the latest A1c"),
    ("m", "I need to know whether she takes metformin", "whether she takes metformin"),
    ("l", "Does she take sertraline? need to know before the visit", "Does she take sertraline?"),
    ("l", "is she on prednisone? need to document it", "is she on prednisone?"),
    ("l", "is she on sumatriptan, I have to tell the pharmacist", "is she on sumatriptan"),
    ("r", "Is he, in fact, on warfarin?", "Is he on warfarin?"),
    ("r", "As a matter of fact, when was his last echo?", "when was his last echo?"),
    ("r", "how many echocardiograms has he had so far?", "how many echocardiograms has he had?"),
    ("r", "how many echocardiograms altogether?", "how many echocardiograms?"),
    ("r", "how many echocardiograms all told?", "how many echocardiograms?"),
    ("r", "by the way, is he on aspirin?", "is he on aspirin?"),
    ("r", "Just to be sure: is he on aspirin?", "is he on aspirin?"),
    ("r", "To be on the safe side, is he on apixaban?", "is he on apixaban?"),
    ("r", "as far as the chart shows, is he on apixaban?", "is he on apixaban?"),
    ("r", "is he on apixaban as far as you know", "is he on apixaban"),
    ("r", "For the sake of completeness, last sodium?", "last sodium?"),
    ("r", "Out of curiosity, highest potassium?", "highest potassium?"),
    ("m", "mean A1c from January 2024 to December 2024 inclusive", "mean A1c from January 2024 to December 2024"),
    (
        "m",
        "mean A1c from January 2024 to December 2024 (both months included)",
        "mean A1c from January 2024 to December 2024",
    ),
    (
        "m",
        "number of A1c results between 1 January 2024 and 31 December 2024, both dates counted",
        "number of A1c results between 1 January 2024 and 31 December 2024",
    ),
    ("m", "number of A1c results in 2024 or not?", "number of A1c results in 2024"),
    ("r", "did he have a stroke or not", "did he have a stroke"),
    ("r", "last TTE (ultrasound of the heart)", "last TTE"),
    ("r", "when was his echocardiogram (cardiac ultrasound) last done?", "when was his echocardiogram last done?"),
    ("r", "last ejection fraction (LVEF)?", "last ejection fraction?"),
    ("r", "prostatectomy (robotic): date?", "prostatectomy: date?"),
    ("r", "gastroscopy (EGD) date?", "gastroscopy date?"),
    ("m", "latest A1c (glycated hemoglobin)", "latest A1c"),
    ("m", "latest A1c (%)", "latest A1c"),
    ("m", "cholecystectomy (laparoscopic) - when?", "cholecystectomy - when?"),
    ("m", "gallbladder removal (laparoscopic cholecystectomy) - when?", "laparoscopic cholecystectomy - when?"),
    ("m", "In 2024 (1 January to 31 December 2024), how many A1c results?", "In 2024, how many A1c results?"),
    ("m", "In 2024 (that is, all of 2024) how many A1c results?", "In 2024 how many A1c results?"),
    ("m", "last SCr (creatinine)", "last creatinine"),
    ("m", "kidney scan (renal ultrasound) date", "renal ultrasound date"),
    ("r", "the gizmo (pacemaker): when was it implanted?", "pacemaker: when was it implanted?"),
    ("r", "In the last sample, what was his potassium?", "what was his last potassium?"),
    ("r", "potassium at the last determination", "last potassium"),
    ("r", "number of potassium determinations in 2025", "number of potassium in 2025"),
    ("r", "how many potassium samples in 2025?", "how many potassium in 2025?"),
    ("r", "how many weights are stored for him?", "how many weights for him?"),
    ("r", "how many weights on file?", "how many weights?"),
    ("r", "how many emergency attendances has he had?", "how many emergency visits has he had?"),
    ("l", "how many bouts of pneumonia has she had?", "how many pneumonia has she had?"),
    ("l", "newest ferritin entry", "newest ferritin"),
    ("l", "highest peak flow reading on file", "highest peak flow"),
    ("r", "last potassium assay", "last potassium"),
    ("r", "What was the last potassium of this anticoagulated gentleman?", "What was the last potassium?"),
    ("r", "last INR of this 76-year-old man", "last INR"),
    ("r", "latest weight of our elderly patient", "latest weight"),
    ("m", "latest A1c of this diabetic lady", "latest A1c"),
    ("m", "any allergies in this frail old woman?", "any allergies?"),
    ("l", "is this pregnant young woman allergic to latex?", "is the patient allergic to latex?"),
    ("l", "the asthmatic girl: last peak flow", "last peak flow"),
    ("r", "latest TSH for Mr Keller", "latest TSH for the patient"),
    ("r", "Mr. Keller's latest TSH", "the patient's latest TSH"),
    ("r", "Is Robert Keller on apixaban?", "Is the patient on apixaban?"),
    ("r", "How old is Mr Keller?", "How old is the patient?"),
    ("m", "Mrs Santos, latest A1c?", "latest A1c?"),
    ("m", "Latest A1c for Ms. Maria Santos?", "Latest A1c for the patient?"),
    ("m", "What is Señora Santos allergic to?", "What is the patient allergic to?"),
    ("l", "Leila's last ferritin", "the patient's last ferritin"),
    ("l", "When was Ms Haddad last seen?", "When was the patient last seen?"),
    ("r", "how many visits in 2025, cancelled ones left out", "how many visits in 2025"),
    ("r", "how many visits in 2025 (cancelled ones excluded)", "how many visits in 2025"),
    ("r", "cancelled appointments aside, how many visits in 2025?", "how many visits in 2025?"),
    ("r", "Leaving out the cancelled ones, how many visits in 2025?", "how many visits in 2025?"),
    ("r", "Assuming the cancelled visits do not count, how many visits in 2025?", "how many visits in 2025?"),
    ("r", "how many visits in 2025, with missed appointments not counted", "how many visits in 2025"),
    ("r", "highest weight, erroneous entries not included", "highest weight"),
    ("r", "highest weight, wrong values left out", "highest weight"),
    ("m", "Fasting or not: last glucose?", "last glucose?"),
    ("m", "last glucose, fasting or not", "last glucose"),
    ("m", "last glucose (fasting or otherwise)", "last glucose"),
    ("m", "last glucose regardless of fasting", "last glucose"),
    ("m", "which A1c does the chart give?", "which A1c?"),
    ("m", "what A1c does the record give last?", "what A1c last?"),
    ("m", "what value does the chart have for her last potassium?", "what value for her last potassium?"),
    ("m", "When she recieved the Tdap?", "When she received the Tdap?"),
    ("m", "latset A1c", "latest A1c"),
    ("m", "hihgest A1c", "highest A1c"),
    ("m", "lowets hemoglobin", "lowest hemoglobin"),
    ("m", "wich drugs is she taking now", "which drugs is she taking now"),
    ("m", "avrage A1c in 2024", "average A1c in 2024"),
    ("m", "how meny A1c results in 2024", "how many A1c results in 2024"),
    ("m", "numbr of A1c results in 2024", "number of A1c results in 2024"),
    ("m", "currnt medications", "current medications"),
    ("m", "curent medications", "current medications"),
    ("m", "is she currrently on metformin", "is she currently on metformin"),
    ("m", "when was her lsat visit", "when was her last visit"),
    ("m", "most recnt creatinine", "most recent creatinine"),
    ("m", "maximun creatinine", "maximum creatinine"),
    ("m", "minimun eGFR", "minimum eGFR"),
    ("m", "previuos A1c", "previous A1c"),
    ("m", "her frist A1c", "her first A1c"),
    ("m", "erliest A1c", "earliest A1c"),
    ("m", "active diagnosses", "active diagnoses"),
    ("r", "Echo (heart ultrasound): last date?", "Echo: last date?"),
    ("r", "EF, i.e. left ventricular ejection fraction: last?", "EF: last?"),
    ("r", "last heart ultrasound, that is, echocardiogram", "last echocardiogram"),
    ("r", "Lipids: last HDL?", "last HDL?"),
    ("m", "Lipids: last triglycerides?", "last triglycerides?"),
    ("m", "Kidney function: latest creatinine?", "latest creatinine?"),
    ("m", "Lipid panel - number of LDL results in 2024?", "number of LDL results in 2024?"),
    ("r", "How many echocardiograms did the cardiologists do?", "How many echocardiograms?"),
    ("r", "When did the surgeon perform the prostatectomy?", "When was the prostatectomy?"),
    ("m", "Nurse asking - last potassium, thanks a lot", "last potassium"),
    ("m", "Good day! The nephrology nurse needs the latest creatinine, thank you very much", "the latest creatinine"),
    ("r", "Hello, cardiology secretary here: date of his last echo, please", "date of his last echo, please"),
    ("r", "Morning! GP here, for the referral letter: latest PSA?", "latest PSA?"),
    ("r", "for the claim (insurance): date of pacemaker implantation", "date of pacemaker implantation"),
    ("r", "old gentleman's last weight, kindly", "last weight"),
    ("m", "My mother's last A1c?", "last A1c?"),
    ("m", "What is mum allergic to?", "What is the patient allergic to?"),
    ("r", "Is dad still on warfarin?", "Is the patient still on warfarin?"),
    ("r", "Does my father take amiodarone at the moment?", "Does the patient take amiodarone at the moment?"),
    ("l", "What medicines does my daughter take now?", "What medicines does the patient take now?"),
    ("r", "apixaban tabs: still taking?", "apixaban: still taking?"),
    ("l", "ferrous sulfate tabs - still active?", "ferrous sulfate - still active?"),
    ("m", "Actual weight please", "last weight"),
    ("m", "last hemoglobin at the last control", "last hemoglobin"),
    ("m", "blood pressure at the last control visit?", "last blood pressure"),
    ("m", "BP (sys and dia) at the last check?", "last BP"),
    ("m", "RR (sys/dia) at the last check?", "last blood pressure"),
    ("l", "How many prenatal visits took place altogether, all in all?", "How many prenatal visits took place?"),
    (
        "l",
        "How many prenatal visits has the patient attended so far, please?",
        "How many prenatal visits has the patient?",
    ),
    ("r", "Regarding the invoice: dates of the chest CT?", "dates of the chest CT?"),
    ("r", "dates of the echocardiograms for the claim", "dates of the echocardiograms"),
    ("r", "dates of the echocardiograms (needed for the claim)", "dates of the echocardiograms"),
    ("r", "how many A1c have been filed?", "how many A1c?"),
    ("r", "Palliative care team: is he on a pacemaker?", "is he on a pacemaker?"),
    ("r", "Stroke nurse here, has he had atrial fibrillation?", "has he had atrial fibrillation?"),
    ("r", "Physio asking, osteoarthritis on the list?", "osteoarthritis on the list?"),
    ("m", "diabetes educator wants the latest A1c", "the latest A1c"),
    ("m", "Social worker here. Marital status?", "Marital status?"),
    ("m", "Chaplain - what language does she speak?", "what language does she speak?"),
    ("m", "trial monitor: was the last potassium abnormal?", "was the last potassium abnormal?"),
    ("m", "She is moving house. What are the current medications?", "What are the current medications?"),
)
"""Whose chart, a question, and the same question without what it says besides."""

OTHER = (
    ("r", "Cardiologist: last visit?", "last visit?"),
    ("r", "Radiologist: latest report?", "latest report?"),
    ("r", "GP: last visit?", "last visit?"),
    ("r", "Dietician: last note?", "last note?"),
    ("m", "Nephrologist - when was the last consultation?", "when was the last consultation?"),
    ("m", "Eye doctor: last visit?", "last visit?"),
    ("r", "GP visits only: how many?", "visits: how many?"),
    ("r", "last visit (cardiology)", "last visit"),
    ("r", "how many visits (clinic only)", "how many visits"),
    ("r", "last potassium (urine)", "last potassium"),
    ("r", "last potassium (whole blood)", "last potassium"),
    ("r", "last weight (home scale)", "last weight"),
    ("r", "last weight (self-reported)", "last weight"),
    ("r", "last BP (left arm)", "last BP"),
    ("r", "last BP (standing)", "last BP"),
    ("r", "last BP (ambulatory)", "last BP"),
    ("r", "last chest CT (with contrast)", "last chest CT"),
    ("r", "last chest CT (without contrast)", "last chest CT"),
    ("r", "last PSA (free)", "last PSA"),
    ("m", "last glucose (fasting)", "last glucose"),
    ("m", "last glucose (fingerstick)", "last glucose"),
    ("m", "latest A1c (before insulin)", "latest A1c"),
    ("m", "latest A1c (2024)", "latest A1c"),
    ("m", "current drugs (blood pressure)", "current drugs"),
    ("m", "current drugs (not insulin)", "current drugs"),
    ("m", "active problems (eye)", "active problems"),
    ("m", "active problems (no kidney)", "active problems"),
    ("m", "imaging (kidney)", "imaging"),
    ("m", "last chest x-ray (lateral)", "last chest x-ray"),
    ("m", "how many A1c results in 2024 (above 8)", "how many A1c results in 2024"),
    ("m", "cancelled visits only, how many?", "visits, how many?"),
    ("m", "how many cancelled visits?", "how many visits?"),
    ("m", "how many visits were cancelled in 2025?", "how many visits in 2025?"),
    ("m", "how many visits, cancelled ones included?", "how many visits?"),
    ("m", "how many visits, emergency ones not counted", "how many visits"),
    ("m", "how many visits, phone calls left out", "how many visits"),
    ("r", "how many visits in 2025, hospital ones excluded", "how many visits in 2025"),
    ("r", "latest TSH for Mr Miller", "latest TSH"),
    ("r", "Mrs Keller's latest TSH", "latest TSH"),
    ("r", "Is Mr Santos on apixaban?", "is he on apixaban?"),
    ("m", "Mr Santos's latest A1c", "latest A1c"),
    ("r", "the other man's potassium", "potassium"),
    ("r", "last INR of the previous patient", "last INR"),
    ("r", "weight of the wrong patient", "weight"),
    ("r", "his mother's last potassium", "last potassium"),
    ("r", "His father: any stroke?", "any stroke?"),
    ("m", "Did my mother have breast cancer?", "breast cancer?"),
    ("m", "Her mother has diabetes. How old at onset?", "diabetes. How old at onset?"),
    ("m", "for hypertension: which drugs?", "which drugs?"),
    ("m", "drugs for the kidneys", "drugs"),
    ("m", "drugs for sleep", "drugs"),
    ("r", "pills for pain", "pills"),
    ("r", "What is apixaban for?", "apixaban"),
    ("r", "reason for the audit referral", "reason"),
    ("m", "visits before 2020 inclusive", "visits before 2020"),
    ("m", "Dialysis: last potassium?", "last potassium?"),
    ("m", "For the years before 2020: last A1c?", "last A1c?"),
    ("m", "For pneumonia: which antibiotics?", "which antibiotics?"),
    ("r", "After surgery: last hemoglobin?", "last hemoglobin?"),
    ("r", "Admission: weight?", "weight?"),
    ("r", "Discharge: weight?", "weight?"),
    ("r", "Family: stroke?", "stroke?"),
    ("m", "metformin or other diabetes drugs stopped?", "drugs stopped?"),
    ("m", "last gizmometry", "last"),
    ("m", "Urine: last creatinine?", "last creatinine?"),
    ("m", "Ketones: last glucose?", "last glucose?"),
    ("l", "fetal weight (ultrasound)", "weight"),
    ("l", "the baby's weight", "weight"),
    ("l", "last weight of the baby", "last weight"),
    ("l", "the newborn boy: weight?", "weight?"),
    ("l", "is the child's father asthmatic?", "asthma?"),
)
"""Whose chart, a question, and what it would be without words that narrow it or turn it to somebody else."""


def meaning(asked: Ask) -> Ask:
    """What was understood, apart from how it was typed and named."""
    targets = tuple(
        replace(t, words="", label="", lexicon=(), kinds=t.kinds[:1], corrected=False) for t in asked.targets
    )
    return replace(asked, question="", current=False, asides=(), relies=(), targets=targets)


@pytest.mark.parametrize(("whose", "question", "without"), SAME)
def test_what_says_nothing_is_passed_over(whose: str, question: str, without: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts[whose])
    assert not asked.unknown, asked.unknown
    assert meaning(asked) == meaning(understand(without, charts[whose]))


@pytest.mark.parametrize(("whose", "question", "without"), OTHER)
def test_what_narrows_is_not(whose: str, question: str, without: str, charts: dict[str, Chart]) -> None:
    """It is refused, or understood as something else than the question without it."""
    asked = understand(question, charts[whose])
    choices = any(t.choices for t in asked.targets)
    assert asked.unknown or choices or meaning(asked) != meaning(understand(without, charts[whose])), asked


TOLD = (
    ("m", "latest creatinine, the renal registrar is asking", "the renal registrar is asking"),
    ("r", "the gizmo (pacemaker): when was it implanted?", "gizmo"),
    ("m", "latest A1c of this diabetic lady", "this diabetic lady"),
    ("r", "For dietary counselling: last cholesterol?", "For dietary counselling"),
)


@pytest.mark.parametrize(("whose", "question", "told"), TOLD)
def test_the_answer_tells_what_could_matter(whose: str, question: str, told: str, charts: dict[str, Chart]) -> None:
    answer = ask(charts[whose], question).answer
    assert answer.status == "answered"
    assert f"taken as no part of the question: {told!r}" in answer.warnings


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Good morning, may I have the last INR?", "the last INR?"),
        ("Morning glucose?", "Morning glucose?"),
        ("Can I have ibuprofen?", "Can I have ibuprofen?"),
        ("last INR, if you would be so kind", "last INR"),
        ("visits before 2016 inclusive", "visits before 2016 inclusive"),
        ("in the end of 2015", "in the end of 2015"),
        ("thanks", "thanks"),
    ],
)
def test_manners_are_left_out_where_they_are_manners(question: str, kept: str) -> None:
    assert without_manners(question) == kept


def test_a_mean_of_results_is_no_estimate_that_the_chart_does_not_hold(charts: dict[str, Chart]) -> None:
    asked = understand("mean glucose in 2024", charts["m"])
    assert (asked.op, asked.targets[0].label) == ("mean", "Glucose")
    assert understand("mean corpuscular volume", charts["m"]).targets[0].label != "Glucose"


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert all(a.words in text for a in askers(text, lambda _: True))
    assert len(without_manners(text)) <= len(text) + 2 * text.count(" ") + 2
