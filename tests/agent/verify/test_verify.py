"""The adversarial suite: each false claim beside its true twin."""

from __future__ import annotations

import pytest

from tests.agent.verify.charts import absent, drugs, labs, notes, person, problems, visits

ALL = {
    "labs": labs,
    "problems": problems,
    "drugs": drugs,
    "person": person,
    "visits": visits,
    "absent": absent,
    "notes": notes,
}

TRUE = [
    ("labs", "Hemoglobin A1c was 6.9 % on 2019-03-02."),
    ("labs", "Hemoglobin A1c was 6.9% on March 2, 2019."),
    ("labs", "The A1c on 3/2/2019 was 6.9 percent."),
    ("labs", "HbA1c: 7.1 % (1 Sep 2018)"),
    ("labs", "On 2018-09-01 the hemoglobin A1c was 7.1 %."),
    ("labs", "A1c was 8.2 in 2015."),
    ("labs", "The latest hemoglobin A1c is 6.9 %."),
    ("labs", "The most recent A1c was 6.9 % (2019-03-02), the previous 7.1 % (2018-09-01)."),
    ("labs", "The first recorded A1c was 6.1 % on 2009-05-02."),
    ("labs", "The highest hemoglobin A1c was 8.2 % on 2015-04-11."),
    ("labs", "A1c was 8.2 % on 2015-04-11, the highest on record."),
    ("labs", "The lowest A1c ever recorded was 6.1 %."),
    ("labs", "A1c ranged from 6.1 % to 8.2 %."),
    ("labs", "6 hemoglobin A1c results are recorded, 2009-05-02 to 2019-03-02."),
    ("labs", "There were 2 A1c results in 2018."),
    ("labs", "Two A1c results were recorded in 2018."),
    ("labs", "A1c results by year: 2017: 1, 2018: 2, 2019: 1."),
    ("labs", "Mean hemoglobin A1c is 7.233 % (6 results)."),
    ("labs", "The average A1c was 7.23 %."),
    ("labs", "Hemoglobin A1c changed by +0.8 % from 6.1 % on 2009-05-02 to 6.9 % on 2019-03-02."),
    ("labs", "Hemoglobin A1c increased by 0.8 % between the first and the latest result."),
    ("labs", "A1c fell from 7.1 % on 2018-09-01 to 6.9 % on 2019-03-02."),
    ("labs", "The latest A1c, 6.9 %, is lower than the previous result."),
    ("labs", "No. The latest A1c, 6.9 % on 2019-03-02, is not higher than the one before it, 7.1 % on 2018-09-01."),
    ("labs", "Glucose was 183.2 mg/dL on 2015-04-11."),
    ("labs", "Glucose was 183.17308 mg/dL on 2015-04-11."),
    ("labs", "Blood pressure was 152/92 mm[Hg] on 1995-12-23."),
    ("labs", "The latest BP was 152/92 mmHg."),
    ("labs", "Systolic blood pressure was 152 and diastolic blood pressure 92 mmHg on 1995-12-23."),
    ("labs", "The last carcinoembryonic antigen was <0.5 ng/mL (2019-01-05)."),
    ("labs", "CEA was less than 0.5 ng/mL."),
    ("problems", "Asthma is active since 2001-02-03."),
    ("problems", "Asthma was first recorded on 2001-02-03."),
    ("problems", "Acute bronchitis is recorded as resolved (2012-01-10)."),
    ("problems", "Acute bronchitis resolved on 2012-01-24."),
    ("problems", "Body mass index 30+ - obesity was diagnosed in May 2014."),
    ("problems", "Yes: Asthma is recorded since 2001-02-03, active."),
    ("problems", "Pulmonary embolism is recorded as refuted (2015-01-01)."),
    ("problems", "No: Pulmonary embolism is recorded as refuted (2015-01-01)."),
    ("problems", "The patient does not have a pulmonary embolism."),
    ("problems", "Active conditions: Asthma, Hypertension, Body mass index 30+ - obesity."),
    ("problems", "Active conditions include asthma and hypertension."),
    ("problems", "There are 3 active conditions."),
    ("problems", "The mother had ovarian cancer."),
    ("problems", "Family history: Ovarian cancer (mother), onset 45 years."),
    (
        "drugs",
        "Yes: 24 HR metoprolol succinate 100 MG Extended Release Oral Tablet is listed active, "
        "last ordered 2019-03-02.",
    ),
    ("drugs", "The patient is currently taking metoprolol."),
    ("drugs", "Metoprolol was first ordered on 2017-05-01."),
    ("drugs", "Metoprolol was started on 2017-05-01."),
    ("drugs", "Metoprolol was prescribed for Hypertension."),
    ("drugs", "The reason for metoprolol is hypertension."),
    ("drugs", "No: azathioprine 50 MG Oral Tablet is listed as stopped, last ordered 2016-08-09."),
    ("drugs", "Azathioprine is no longer taken."),
    ("drugs", "The patient is not taking azathioprine."),
    ("drugs", "No known allergy is recorded."),
    ("drugs", "No known allergies."),
    ("person", "The patient was born on 1950-03-04."),
    ("person", "Date of birth: 1950-03-04."),
    ("person", "The patient is 69 years old."),
    (
        "person",
        "The patient was 63 years old when Non-small cell carcinoma of lung, TNM stage 1 was first recorded "
        "(2013-10-05).",
    ),
    ("visits", "The last encounter was on 2019-06-06."),
    ("visits", "The patient was last seen on 2019-06-06 (Follow-up visit)."),
    ("visits", "The planned visit on 2019-12-01 was cancelled."),
    ("visits", "The last admission was from 2018-11-03 to 2018-11-08."),
    ("visits", "The last admission lasted 5 days."),
    ("absent", "Epilepsy is not documented."),
    ("absent", "No: no record of epilepsy was found."),
    ("notes", 'The note says "shortness of breath on exertion".'),
    ("notes", 'The patient denies "chest pain".'),
    ("notes", 'The note mentions possible "sarcoidosis".'),
    ("notes", 'The mother had "colon cancer".'),
    ("notes", "The patient reports shortness of breath."),
    ("notes", "The patient denies chest pain."),
]

FALSE = [
    # right concept, wrong number, unit, date, sign
    ("labs", "Hemoglobin A1c was 6.8 % on 2019-03-02.", "number"),
    ("labs", "The latest A1c was 7 %.", "number"),
    ("labs", "Glucose was 183.3 mg/dL on 2015-04-11.", "number"),
    ("labs", "Hemoglobin A1c was 6.9 mmol/mol on 2019-03-02.", "unit"),
    ("labs", "Glucose was 126 mmol/L on 2019-03-02.", "unit"),
    ("labs", "Glucose was 126 g/dL.", "unit number"),
    ("labs", "Hemoglobin A1c was 6.9 % on 2019-03-03.", "date"),
    ("labs", "Hemoglobin A1c was 6.9 % in April 2019.", "date"),
    ("labs", "A1c was 8.2 % in 2016.", "date"),
    ("labs", "On 2018-09-01 the A1c was 6.9 %, and on 2019-03-02 it was 7.1 %.", "date"),
    ("labs", "A1c was 7.1 % on 2019-03-02 and 6.9 % on 2018-09-01.", "date"),
    ("labs", "CEA was 0.5 ng/mL.", "number"),
    ("labs", "CEA was >0.5 ng/mL.", "number"),
    ("labs", "Hemoglobin A1c was <6.9 % on 2019-03-02.", "number"),
    ("labs", "Hemoglobin A1c was -6.9 % on 2019-03-02.", "number computation"),
    ("labs", "Hemoglobin A1c was 6.9 % 3 years ago.", "date number"),
    ("labs", "Hemoglobin A1c was 6.9 % last year.", "date"),
    ("labs", "Hemoglobin A1c was 6.9 % on 2019-03-02 at 14:30.", "date number"),
    ("labs", "Blood pressure was 92/152 mmHg on 1995-12-23.", "number"),
    ("labs", "Systolic blood pressure was 92 on 1995-12-23.", "number"),
    ("labs", "Blood pressure was 152/85 mmHg.", "number"),
    # another concept, another card's number
    ("labs", "Creatinine was 6.9 % on 2019-03-02.", "concept"),
    ("labs", "Glucose was 6.9 mg/dL on 2019-03-02.", "number"),
    ("labs", "Hemoglobin was 6.9 % on 2019-03-02.", "concept unsupported"),
    ("labs", "Hemoglobin A1c was 126 on 2019-03-02.", "number"),
    ("labs", "Hemoglobin A1c was 7.4 % on 2017-02-03.", "unsupported"),  # true, but the card does not show it
    # qualifiers
    ("labs", "The latest A1c was 7.1 %.", "qualifier"),
    ("labs", "The current A1c is 8.2 %.", "qualifier"),
    ("labs", "The first A1c was 8.2 %.", "qualifier"),
    ("labs", "The highest A1c was 7.7 %.", "qualifier"),
    ("labs", "A1c was 7.7 % on 2018-03-05, the highest on record.", "qualifier"),
    ("labs", "The lowest A1c was 6.9 %.", "qualifier"),
    ("labs", "The previous A1c was 7.7 %.", "qualifier"),
    ("labs", "A1c ranged from 6.9 % to 8.2 %.", "qualifier"),
    ("labs", "The average A1c was 6.9 %.", "number computation"),
    ("labs", "The only A1c was 6.9 %.", "qualifier"),
    ("labs", "All A1c results were 6.9 %.", "qualifier"),
    ("labs", "A1c has been 6.9 % since 2018-09-01.", "date qualifier"),
    # counts
    ("labs", "5 A1c results are recorded.", "number"),
    ("labs", "There were 3 A1c results in 2018.", "number computation"),
    ("labs", "6 A1c results are recorded, 2009-05-02 to 2018-09-01.", "number computation"),
    ("labs", "6 A1c results are recorded, 2001-01-01 to 2019-03-02.", "computation"),
    ("labs", "A1c results by year: 2017: 2, 2018: 2.", "number computation"),
    ("problems", "There are 4 active conditions.", "number computation"),
    # direction
    ("labs", "A1c rose from 7.1 % on 2018-09-01 to 6.9 % on 2019-03-02.", "direction"),
    ("labs", "The latest A1c, 6.9 %, is higher than the previous result.", "direction"),
    (
        "labs",
        "The latest A1c, 6.9 % on 2019-03-02, is higher than the one before it, 7.1 % on 2018-09-01.",
        "direction",
    ),
    ("labs", "A1c decreased by 0.8 % between the first and the latest result.", "computation number"),
    ("labs", "Hemoglobin A1c changed by -0.8 % from 6.1 % on 2009-05-02 to 6.9 % on 2019-03-02.", "computation number"),
    ("labs", "Hemoglobin A1c changed by +0.8 % from 7.1 % on 2018-09-01 to 6.9 % on 2019-03-02.", "computation number"),
    ("labs", "No change: A1c was 7.1 % on 2018-09-01 and 6.9 % on 2019-03-02.", "direction"),
    ("labs", "A1c is unchanged at 6.9 %.", "direction"),
    ("labs", "Yes. The latest A1c, 6.9 % on 2019-03-02, is not higher than the one before it, 7.1 %.", "negation"),
    # status
    ("problems", "Asthma is resolved.", "status"),
    ("problems", "Acute bronchitis is active.", "status"),
    ("problems", "Asthma is not active.", "status"),
    ("problems", "Acute bronchitis resolved on 2012-01-10.", "date"),
    ("problems", "Asthma is recorded as refuted.", "status"),
    ("problems", "Pulmonary embolism was diagnosed on 2015-01-01.", "status"),
    ("problems", "Yes: Pulmonary embolism is recorded (2015-01-01).", "status"),
    ("drugs", "The patient is currently taking azathioprine.", "status"),
    ("drugs", "Azathioprine is active.", "status"),
    ("drugs", "Metoprolol was stopped on 2017-05-01.", "date status"),
    ("drugs", "The patient is not taking metoprolol.", "status"),
    ("drugs", "Metoprolol is no longer taken.", "status"),
    ("drugs", "Metoprolol was started on 2019-03-02.", "qualifier"),
    ("drugs", "The patient is on metoprolol since 2019-03-02.", "qualifier"),
    ("drugs", "Metoprolol was last ordered 2017-05-01.", "qualifier"),
    ("visits", "The last encounter was on 2019-12-01.", "status"),
    ("visits", "The last encounter was on 2018-11-03.", "qualifier"),
    ("visits", "The last admission was on 2019-06-06.", "date qualifier concept"),
    ("visits", "The last admission lasted 6 days.", "number concept"),
    # negation
    ("problems", "There is no record of asthma.", "negation"),
    ("problems", "The patient has never had hypertension.", "negation"),
    ("problems", "The patient denies asthma.", "negation"),
    ("problems", "No: Asthma is active.", "negation"),
    ("labs", "The A1c was not 6.9 %.", "negation"),
    ("absent", "The patient has no epilepsy.", "negation"),
    ("absent", "No known epilepsy is recorded.", "negation"),
    ("absent", "Epilepsy is documented.", "concept"),
    ("absent", "Migraine is not documented.", "negation concept"),
    # patient
    ("problems", "The patient had ovarian cancer.", "patient"),
    ("problems", "The father had ovarian cancer.", "patient"),
    ("problems", "The mother had asthma.", "patient"),
    ("problems", "Yes: Ovarian cancer is recorded.", "patient"),
    ("problems", "The mother had ovarian cancer at age 55.", "number"),
    # lists
    ("problems", "Active conditions: Asthma, Hypertension.", "qualifier"),
    ("problems", "The only active condition is asthma.", "qualifier"),
    ("problems", "All active conditions: asthma and hypertension.", "qualifier"),
    ("problems", "Active conditions: Asthma, Hypertension, Acute bronchitis, Body mass index 30+ - obesity.", "status"),
    # cause and indication
    ("drugs", "Metoprolol was prescribed for Asthma.", "cause"),
    ("drugs", "Metoprolol was prescribed because of chest pain.", "cause"),
    ("drugs", "Azathioprine was ordered due to asthma.", "cause"),
    ("drugs", "Hypertension was caused by metoprolol.", "cause"),
    ("labs", "Hemoglobin A1c was 6.9 % due to metformin.", "cause"),
    # person
    ("person", "The patient was born on 1950-03-05.", "date"),
    ("person", "The patient is 70 years old.", "number"),
    ("person", "The patient is 63 years old.", "number"),
    (
        "person",
        "The patient was 69 years old when Non-small cell carcinoma of lung, TNM stage 1 was first recorded.",
        "number",
    ),
    ("person", "The patient is male.", "concept unsupported"),
    # nothing to check, words that nothing holds
    ("labs", "Continue current therapy.", "empty"),
    ("labs", "The patient is doing well.", "empty"),
    ("labs", "Stable.", "empty"),
    ("labs", "", "empty"),
    ("labs", "Hemoglobin A1c was 6.9 % on 2019-03-02, indicating excellent control.", "unsupported empty cause"),
    ("labs", "Hemoglobin A1c was 6.9 % on 2019-03-02; consider adding insulin.", "unsupported empty"),
    ("labs", "The A1c of 6.9 % is high.", "unsupported"),
    # quotes
    ("notes", 'The note says "crushing chest pain".', "quote"),
    ("notes", 'The patient has "chest pain".', "quote"),
    ("notes", 'The note shows "pneumothorax".', "quote"),
    ("notes", 'The patient has "sarcoidosis".', "quote"),
    ("notes", 'The patient has "colon cancer".', "quote"),
    ("notes", 'The patient denies "shortness of breath on exertion".', "quote"),
    ("notes", "The patient has chest pain.", "quote"),
    ("notes", "The patient has sarcoidosis.", "quote"),
    ("notes", "The patient has colon cancer.", "quote"),
    ("notes", "The patient has a pneumothorax.", "quote"),
    ("notes", "The patient has leukemia.", "concept unsupported empty"),
]


@pytest.mark.parametrize(("chart", "text"), TRUE)
def test_a_true_claim_is_held_and_attributed(chart: str, text: str) -> None:
    found = ALL[chart]().verify(text)
    assert found.removed == ()
    assert found.claims[0].marks
    assert len(found.supports) == 1


@pytest.mark.parametrize(("chart", "text", "kinds"), FALSE)
def test_a_false_claim_is_removed(chart: str, text: str, kinds: str) -> None:
    assert ALL[chart]().kind(text) in kinds.split()


@pytest.mark.parametrize(("chart", "text", "kinds"), FALSE)
def test_citing_everything_does_not_help(chart: str, text: str, kinds: str) -> None:
    made = ALL[chart]()
    everything = tuple(m.id for c in made.cards for m in c.marks)
    assert made.kind(text, *everything)
