"""Statements in the wording of protocols → checks."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trials.checks import All, Any_, AtLeast, Not, walk
from agent.trials.grammar import compiled, read_check
from agent.trials.reading import compile_trial, read_text
from agent.trials.types import Statement


def told(check: Any) -> str:
    """A check in few words."""
    match check:
        case Not():
            return f"not({told(check.of)})"
        case All() | Any_() | AtLeast():
            return f"{check.type}({', '.join(map(told, check.of))})"
    data = check.model_dump(mode="json", exclude_defaults=True)
    data.pop("type", None)
    return " ".join([check.type, *(f"{k}={v}" for k, v in data.items())])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Age 18 to 75 years, inclusive", "age limits=['>= 18 years', '<= 75 years']"),
        ("Subjects must be between 30 and 79 years of age at screening", "age limits=['>= 30 years', '<= 79 years']"),
        ("Age: 45-85 years", "age limits=['>= 45 years', '<= 85 years']"),
        ("Patients over the age of 55", "age limits=['> 55 years']"),
        ("Ages 18 to 65", "age limits=['>= 18 years', '<= 65 years']"),
        ("Must have reached 18 years of age", "age limits=['>= 18 years']"),
        ("Elderly patients (65 years and older)", "age limits=['>= 65 years']"),
        ("Between the ages of 30 and 65", "age limits=['>= 30 years', '<= 65 years']"),
        (
            "Patients must be 18 years or older at the time of signing the informed consent",
            "age limits=['>= 18 years']",
        ),
        ("Women aged 50-70 years", "all(sex of=['female'], age limits=['>= 50 years', '<= 70 years'])"),
        ("Men and women ≥ 18 years of age", "age limits=['>= 18 years']"),
        ("Diagnosis of diabetes mellitus", "record kind=condition of=Diabetes"),
        (
            "Type 2 diabetes mellitus (T2DM) with HbA1c ≥ 7.0% and ≤ 10.5% within 6 months",
            "all(record kind=condition of=Type 2 diabetes, measurement of=Hemoglobin A1c limits=['>= 7 %', '<= 10.5 %'] "
            "period={'within': '6 months'})",
        ),
        (
            "No history of stroke or heart failure",
            "not(any(record kind=condition of=Stroke, record kind=condition of=Heart failure))",
        ),
        (
            "Treated with metformin for at least 3 months",
            "record kind=medication of=metformin state=current lasting=3 months",
        ),
        (
            "BMI ≥ 30 kg/m2, or ≥ 27 kg/m2 with hypertension",
            "any(measurement of=BMI limits=['>= 30 kg/m2'], all(measurement of=BMI limits=['>= 27 kg/m2'], record kind=condition "
            "of=Hypertension))",
        ),
        ("Never smoker", "smoking of=['never']"),
        ("Men or non-pregnant women aged 18 years or older", "all(age limits=['>= 18 years'], not(pregnancy))"),
        (
            "Hyperlipidemia not treated with a statin",
            "all(record kind=condition of=Hyperlipidemia, not(record kind=medication of=statin state=current))",
        ),
        ("DXA T-score ≤ -2.5", "measurement of=Bone density T-score limits=['<= -2.5']"),
        ("Metformin ≥ 1500 mg/day", "record doubts=['≥ 1500 mg/day'] kind=medication of=metformin state=current"),
        ("Written informed consent obtained", "no chart ask=Written informed consent obtained"),
        ("Obesity, defined as BMI ≥ 30 kg/m2", "measurement of=BMI limits=['>= 30 kg/m2']"),
        ("Age ≥ 30 and ≤ 70 years at the time of screening", "age limits=['>= 30 years', '<= 70 years']"),
        ("At least 50 years of age on the day of the first dose", "age limits=['>= 50 years']"),
        ("Female (45 to 60 years)", "all(sex of=['female'], age limits=['>= 45 years', '<= 60 years'])"),
        ("No prior treatment with methotrexate", "not(record kind=medication of=methotrexate)"),
        ("Never treated with methotrexate", "not(record kind=medication of=methotrexate)"),
        ("Free of cancer for at least 5 years", "not(record kind=condition of=Cancer period={'within': '5 years'})"),
        (
            "Not on insulin for at least 3 months",
            "not(record kind=medication of=insulin period={'within': '3 months'})",
        ),
        (
            "Non-ischemic cardiomyopathy proven by biopsy",
            "record doubts=['Non-ischemic', 'biopsy'] kind=condition of=Cardiomyopathy",
        ),
        ("Heart failure (NYHA class II-IV)", "record doubts=['NYHA class II-IV'] kind=condition of=Heart failure"),
        ("Weight > 50 kg (110 lb)", "measurement of=Body weight limits=['> 50 kg']"),
        (
            "Taking a beta blocker unless contraindicated",
            "any(record kind=medication of=beta blocker state=current, reader why=unless contraindicated)",
        ),
        (
            "If taking a statin, LDL cholesterol < 100 mg/dL",
            "any(not(record kind=medication of=statin state=current), measurement of=LDL limits=['< 100 mg/dL'])",
        ),
        (
            "For patients with diabetes, HbA1c < 9 %",
            "any(not(record kind=condition of=Diabetes), measurement of=Hemoglobin A1c limits=['< 9 %'])",
        ),
        (
            "Women of childbearing potential must use contraception",
            "any(not(sex of=['female']), no chart ask=of childbearing potential must use contraception)",
        ),
        (
            "Gout or asthma, but not both",
            "all(any(record kind=condition of=Gout, record kind=condition of=Asthma), not(all(record kind=condition of=Gout, "
            "record kind=condition of=Asthma)))",
        ),
        (
            "At least two of the following conditions: gout, asthma or stroke within 1 year",
            "at least(record kind=condition of=Gout period={'within': '1 year'}, record kind=condition of=Asthma period={'within': "
            "'1 year'}, record kind=condition of=Stroke period={'within': '1 year'})",
        ),
        (
            "Hypertension, provided that potassium is below 5 mmol/L",
            "all(record kind=condition of=Hypertension, measurement of=Potassium limits=['< 5 mmol/L'])",
        ),
        (
            "For diabetic patients, HbA1c < 9 %",
            "any(not(record kind=condition of=Diabetes), measurement of=Hemoglobin A1c limits=['< 9 %'])",
        ),
        ("Adult patients (18+)", "age limits=['>= 18 years']"),
        ("Women (50+)", "all(sex of=['female'], age limits=['>= 50 years'])"),
        ("Pain score of at least 4 on a 0-10 numeric rating scale", "measurement of=Pain score limits=['>= 4']"),
        (
            "Unless taking a statin, total cholesterol < 300 mg/dL",
            "any(record kind=medication of=statin state=current, measurement of=Cholesterol limits=['< 300 mg/dL'])",
        ),
        ("Ambulatory", "record kind=condition of=Ambulatory"),
        (
            "Received at least two doses of a COVID-19 vaccine",
            "record kind=immunization of=COVID-19 vaccine least=2",
        ),
        (
            "No more than one hospitalization in the past year",
            "not(record kind=encounter of=Inpatient stay period={'within': '1 year'} least=2)",
        ),
    ],
)
def test_inclusion(text: str, expected: str) -> None:
    assert told(read_check(text, "inclusion")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Currently taking insulin", "record kind=medication of=insulin state=current"),
        ("Prior treatment with cisplatin", "record kind=medication of=cisplatin"),
        ("Active tuberculosis", "record kind=condition of=Tuberculosis state=active"),
        ("LDL cholesterol > 100 mg/dL on the latest lipid panel", "measurement of=LDL limits=['> 100 mg/dL']"),
        ("ALT or AST > 3 x ULN", "any(measurement of=ALT limits=['> 3 ULN'], measurement of=AST limits=['> 3 ULN'])"),
        (
            "Type 1 or type 2 diabetes",
            "any(record kind=condition of=Type 1 diabetes, record kind=condition of=Type 2 diabetes)",
        ),
        ("Hepatitis B or C", "any(record kind=condition of=Hepatitis B, record kind=condition of=Hepatitis C)"),
        (
            "Uncontrolled hypertension (systolic BP > 160 mmHg)",
            "measurement of=Systolic blood pressure limits=['> 160 mm[Hg]']",
        ),
        (
            "Any malignancy within 5 years other than basal cell carcinoma",
            "record kind=condition of=Cancer apart=Basal cell carcinoma period={'within': '5 years'}",
        ),
        ("Anticoagulants (e.g., warfarin)", "record kind=medication of=['anticoagulant', 'warfarin'] state=current"),
        ("Known allergy to penicillin", "record kind=allergy of=penicillin"),
        ("Family history of breast cancer", "record kind=family of=Breast cancer"),
        (
            "Hospitalized within the last 6 months",
            "record kind=encounter of=Inpatient stay period={'within': '6 months'}",
        ),
        ("Severe asthma", "record doubts=['Severe'] kind=condition of=Asthma"),
        (
            "Hypertension unless well controlled",
            "all(record kind=condition of=Hypertension, not(reader why=unless well controlled))",
        ),
        (
            "Chronic kidney disease stage 3 or higher",
            "record kind=condition of=['CKD stage 3', 'CKD stage 4', 'CKD stage 5']",
        ),
        (
            "Stroke, TIA, and heart failure",
            "any(record kind=condition of=Stroke, record kind=condition of=Transient ischemic attack, record kind=condition "
            "of=Heart failure)",
        ),
        ("Pregnant or breastfeeding women", "any(pregnancy, record kind=condition of=Breastfeeding)"),
        (
            "Hemoglobin less than 10 g/dL in women or less than 11 g/dL in men",
            "any(all(sex of=['female'], measurement of=Hemoglobin limits=['< 10 g/dL']), all(sex of=['male'], measurement "
            "of=Hemoglobin limits=['< 11 g/dL']))",
        ),
        (
            "Current drug or alcohol abuse",
            "any(record kind=condition of=drug abuse state=active, record kind=condition of=Alcohol use disorder state=active)",
        ),
        (
            "Cancer (except for basal cell carcinoma of the skin)",
            "record kind=condition of=Cancer apart=Basal cell carcinoma",
        ),
        ("Ectopic (tubal) pregnancy", "record kind=condition of=Ectopic pregnancy"),
        ("Whipple disease", "record kind=condition of=Whipple"),
        (
            "Sodium outside 130-150 mmol/L",
            "any(measurement of=Sodium limits=['< 130'], measurement of=Sodium limits=['> 150 mmol/L'])",
        ),
        (
            "Diabetes unless HbA1c < 7 %",
            "all(record kind=condition of=Diabetes, not(measurement of=Hemoglobin A1c limits=['< 7 %']))",
        ),
        (
            "Prediabetes (but not diabetes)",
            "all(record kind=condition of=Prediabetes, not(record kind=condition of=Diabetes))",
        ),
        ("Subjects are excluded if they have gout", "record kind=condition of=Gout"),
        ("Gout (acute or chronic, whatever the joint)", "record kind=condition of=Gout"),
        ("Hip replacement (total or partial)", "record kind=procedure of=Hip replacement"),
        (
            "Blood pressure above 150/90 mmHg (systolic > 150 mmHg or diastolic > 90 mmHg)",
            "any(measurement of=Systolic blood pressure limits=['> 150 mm[Hg]'], "
            "measurement of=Diastolic blood pressure limits=['> 90 mm[Hg]'])",
        ),
        (
            "Treated with insulin or with metformin",
            "any(record kind=medication of=insulin state=current, record kind=medication of=metformin state=current)",
        ),
        (
            "Gout, or stroke within 3 months",
            "any(record kind=condition of=Gout period={'within': '3 months'}, all(record kind=condition of=Gout, "
            "reader why=whether the time is asked of this too), "
            "record kind=condition of=Stroke period={'within': '3 months'})",
        ),
        ("Patients with gout will be excluded", "record kind=condition of=Gout"),
        ("Patients are not eligible for the study if they have gout", "record kind=condition of=Gout"),
        ("Pregnant women are ineligible", "pregnancy"),
        (
            "Oral contraceptives, if sexually active",
            "all(reader why=sexually active, record kind=medication of=contraceptive state=current)",
        ),
        (
            "Vascular disease (stroke, TIA or peripheral artery disease)",
            "record kind=condition of=['Stroke', 'Transient ischemic attack', 'Peripheral artery disease']",
        ),
        (
            "Treatment with any of the following: rifampin, ketoconazole or warfarin",
            "any(record kind=medication of=rifampin state=current, record kind=medication of=ketoconazole state=current, record "
            "kind=medication of=warfarin state=current)",
        ),
        (
            "Hemoglobin < 11 g/dL (females) or < 12 g/dL (males)",
            "any(all(sex of=['female'], measurement of=Hemoglobin limits=['< 11 g/dL']), all(sex of=['male'], measurement "
            "of=Hemoglobin limits=['< 12 g/dL']))",
        ),
        ("Stage 4 or 5 chronic kidney disease", "record kind=condition of=['CKD stage 4', 'CKD stage 5']"),
        ("Epilepsy requiring medication", "record doubts=['requiring', 'medication'] kind=condition of=Epilepsy"),
        (
            "Major surgery within 4 weeks",
            "record doubts=['surgery', 'Major'] kind=procedure of=Procedure period={'within': '4 weeks'}",
        ),
        ("Prior coronary artery bypass surgery", "record kind=procedure of=CABG"),
        (
            "Smoking within the past year",
            "any(smoking of=['current'], all(smoking of=['former'], reader why=whether somebody smoked within 1 year))",
        ),
        ("Using nicotine gum", "record kind=medication of=nicotine state=current"),
        (
            "More than two exacerbations of COPD within 12 months",
            "record kind=condition of=COPD exacerbation period={'within': '12 months'} least=3",
        ),
        ("Multiple sclerosis", "record kind=condition of=Multiple sclerosis"),
        (
            "Gout, or more than two episodes of sinusitis in the past year",
            "any(record kind=condition of=Gout, record kind=condition of=Sinusitis period={'within': '1 year'} least=3)",
        ),
        ("Unstable angina", "record kind=condition of=Unstable angina"),
        (
            "Within 6 months of screening: gout, stroke or PCI",
            "any(record kind=condition of=Gout period={'within': '6 months'}, record kind=condition of=Stroke period={'within': "
            "'6 months'}, record kind=procedure of=PCI period={'within': '6 months'})",
        ),
        (
            "Allergy to: latex, penicillin or eggs",
            "any(record kind=allergy of=Latex, record kind=allergy of=penicillin, record kind=allergy of=Egg)",
        ),
        (
            "Poor liver function: AST/ALT > 3 x ULN",
            "any(measurement of=AST limits=['> 3 ULN'], measurement of=ALT limits=['> 3 ULN'])",
        ),
        ("Hepatitis (B or C)", "record doubts=['B or C'] kind=condition of=Hepatitis"),
        (
            "Pregnant women and women of childbearing potential without contraception",
            "any(pregnancy, all(sex of=['female'], not(record doubts=['childbearing potential'] kind=medication of=contraceptive "
            "state=current), no chart ask=women of childbearing potential without contraception))",
        ),
        (
            "Wheezing with use of a short-acting bronchodilator (albuterol, ipratropium)",
            "all(record kind=condition of=Wheezing, record kind=medication of=['albuterol', 'ipratropium'] state=current)",
        ),
    ],
)
def test_exclusion(text: str, expected: str) -> None:
    assert told(read_check(text, "exclusion")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Age above or equal to 21 years", "age limits=['>= 21 years']"),
        ("Gout diagnosed more than or equal to 90 days before screening",
         "record kind=condition of=Gout period={'before': '90 days'}"),
        ("Gout: Participants with a history of gout", "record kind=condition of=Gout"),
        ("Gout: Participants with serum creatinine > 2 mg/dL",
         "all(measurement of=Creatinine limits=['> 2 mg/dL'], reader why=Gout)"),
        ("Any disease other than hypertension", "reader why=Any disease other than hypertension"),
        ("Women who are pregnant or plan to become pregnant",
         "all(sex of=['female'], any(pregnancy, no chart ask=plan to become pregnant))"),
        ("Known thyroid trouble such as uncontrolled hyperthyroidism",
         "record doubts=['uncontrolled'] kind=condition of=['thyroid trouble', 'Hyperthyroidism']"),
        ("Fever (body temperature > 38.5 °C) within 7 days before vaccination",
         "measurement of=Body temperature limits=['> 38.5 Cel'] period={'within': '7 days'}"),
        ("Joint rebuilding (knee replacement or hip replacement) within 1 year",
         "record kind=procedure of=['Knee replacement', 'Hip replacement'] period={'within': '1 year'}"),
        ("Any vaccination within 14 days before randomization",
         "record kind=immunization of=vaccine period={'within': '14 days'}"),
        ("Live vaccine within 6 weeks before enrollment",
         "record doubts=['Live'] kind=immunization of=vaccine period={'within': '6 weeks'}"),
        ("Abnormal chest CT", "reader why=Abnormal chest CT"),
        ("ASA class IV-V", "reader why=ASA class … IV-V"),
        ("Recent pneumonia (within 30 days)", "record kind=condition of=Pneumonia period={'within': '30 days'}"),
        ("Recent pneumonia", "record doubts=['Recent'] kind=condition of=Pneumonia"),
        ("Severe kidney failure measured as eGFR below 20 mL/min/1.73 m2",
         "measurement of=eGFR limits=['< 20 mL/min/{1.73_m2}']"),
        ("Preexisting gout", "record kind=condition of=Gout state=active"),
        ("Any previous use of warfarin", "record kind=medication of=warfarin"),
        ("Gout (with or without tophi) for at least 2 years", "record kind=condition of=Gout period={'before': '2 years'}"),
        ("Myocardial revascularisation within 1 year",
         "record kind=procedure of=Coronary revascularization period={'within': '1 year'}"),
        ("Hospitalization for pneumonia within 1 year",
         "record doubts=['for pneumonia'] kind=encounter of=Inpatient stay period={'within': '1 year'}"),
        ("LVEF below 35% by transthoracic echocardiogram within 1 year",
         "measurement of=Ejection fraction limits=['< 35 %'] period={'within': '1 year'}"),
        ("Transaminases (ALT or AST) > 5 times ULN",
         "any(measurement of=ALT limits=['> 5 ULN'], measurement of=AST limits=['> 5 ULN'])"),
        ("Newly diagnosed gout (within 6 months)", "record kind=condition of=Gout period={'within': '6 months'}"),
        ("Gout or planned knee replacement",
         "any(record kind=condition of=Gout, no chart ask=planned knee replacement)"),
        ("Age of at least 45 years", "age limits=['>= 45 years']"),
        ("Severe, refractory or recurrent gout", "record doubts=['Severe refractory recurrent'] kind=condition of=Gout"),
        ("Anti-IL5 therapy (mepolizumab)", "record kind=medication of=mepolizumab state=current"),
        ("Potassium < 3 mmol/L at final screening", "measurement of=Potassium limits=['< 3 mmol/L']"),
        ("Gout, or women who intend to become pregnant",
         "any(record kind=condition of=Gout, "
         "all(sex of=['female'], no chart ask=women who intend to become pregnant))"),
        ("Older than 50 years and have gout or asthma",
         "all(age limits=['> 50 years'], any(record kind=condition of=Gout, record kind=condition of=Asthma))"),
        ("Older than 50 years and have gout, or asthma",
         "any(all(age limits=['> 50 years'], record kind=condition of=Gout), record kind=condition of=Asthma)"),
    ],
)  # fmt: skip
def test_turns_of_phrase(text: str, expected: str) -> None:
    assert told(read_check(text, "exclusion")) == expected


def test_a_time_behind_a_list_is_of_all_of_it() -> None:
    check = read_check("Stroke or myocardial infarction within 6 months", "exclusion")
    assert [str(leaf.period) for leaf in walk(check)] == ["within 6 months", "within 6 months"]


def test_parts_get_no_words_of_the_heading_but_its_time() -> None:
    statement = Statement(
        number=1,
        section="exclusion",
        text="Gout",
        start=0,
        end=4,
        under="Not eligible if any of these is true:",
        parts=(),
        needed=0,
    )
    assert told(compiled(statement)) == "record kind=condition of=Gout"


def test_parts_get_what_the_heading_says() -> None:
    statement = Statement(
        number=1, section="inclusion", text="…", under="History of at least two of the following within 1 year:",
        parts=("Stroke", "Gout", "Asthma"), needed=2,
    )  # fmt: skip
    check = compiled(statement)
    assert (check.type, check.number) == ("at least", 2)
    assert {str(leaf.period) for leaf in walk(check)} == {"within 1 year"}


@given(
    st.lists(
        st.sampled_from(
            "no history of stroke or and , ( ) ≥ 5 % within 6 months unless except for e.g. type 2 diabetes : women age 18 "
            "taking aspirin ALT > 3 x ULN stage 4 other than positive not smoker".split(" ")
        ),
        max_size=14,
    )
)
def test_any_words_make_a_check(words: list[str]) -> None:
    assert list(walk(read_check(" ".join(words) or "x", "exclusion")))


@given(st.text(min_size=1, max_size=80))
def test_any_text_makes_a_check(text: str) -> None:
    assert list(walk(read_check(text, "inclusion")))


def _steps(text: str) -> int:
    """How many functions are called to compile a protocol."""
    calls = 0

    def count(_: Any, event: str, __: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        assert compile_trial(read_text(text, "x"))
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        ("", "* Stroke within 6 months\n"),
        ("", "Stroke; "),
        ("", "stroke and "),
        ("", "gout\n"),
        ("One of the following:\n", "* gout\n"),
        ("* Stroke: a\n", "and gout\n"),
        ("stroke " * 2_000 + "history of:\n", "* gout\n"),
        ("", "* If on a statin, LDL below 100 mg/dL\n"),
        ("", "* Gout, unless stroke (two or more episodes, and no asthma)\n"),
        ("", "* Two of the following: gout, stroke or asthma within 6 months\n"),
        ("", "* Women who are pregnant must use contraception\n"),
        ("", "Patients will be excluded if:\n* BMI outside 18-30\n"),
        ("None of the following:\n", "* gout\n"),
        ("Patients must not have any of the following:\n", "* gout\n"),
    ],
)
def test_twice_the_text_is_twice_the_work(head: str, repeated: str) -> None:
    _steps("* Asthma or stroke within 6 months")  # what is read once a process
    once, twice = (_steps(head + repeated * (n // len(repeated))) for n in (3_000, 6_000))
    assert twice < 2.3 * once


@pytest.mark.parametrize(
    "text",
    [
        "within 6 months " * 120,
        "within 6 months (" + "a" * 1_900 + ") x",
        "> (" + "a" * 1_900 + ") x",
        "aged (" + "a" * 1_900 + ") x",
        "ALT 5 (" + "1 and " * 300 + ") x",
        "gout (" + " 1 -" * 450 + ") x",
        "gout (foo " + "1" * 1_900 + ") x",
        "< 5 x " * 300,
        "ALT < 5 and " + "< 6 and " * 200 + "< 7",
        "Patients with " + "they will not " * 15_000 + ":",
        "outside " * 200,
        "on a 0-10 " + "numeric " * 200,
        "one of the following: " + "(a, " * 400,
        "if " * 600,
        "women " * 300 + "contraception",
        "1" * 195_000,
        "\n".join(["1" * 1_900] * 100),
        "Inclusion Criteria" + " " * 195_000 + "x\n* gout",
        "One of the following:\n* a" + "\n" * 195_000 + "b",
    ],
    ids=lambda text: text[:12],
)
def test_no_text_is_read_again_and_again(text: str) -> None:
    """A pattern that tries every way to part a run of blanks or digits would not come to an end with these."""
    assert compile_trial(read_text(text, "x"))


@pytest.mark.parametrize("joint", [" or ", " and ", ", "])
@pytest.mark.parametrize("number", [40, 41, 90])
def test_a_list_may_be_longer_than_a_check(joint: str, number: int) -> None:
    names = [f"Name{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(number)]
    parts = [leaf.of[0].name for leaf in walk(read_check(joint.join(names), "exclusion"))]
    assert parts == names
    for needed in (0, 1):
        listed = Statement(number=1, section="exclusion", text="…", parts=tuple(names), needed=needed)
        assert [leaf.of[0].name for leaf in walk(compiled(listed))] == names
    some = Statement(number=1, section="exclusion", text="…", parts=tuple(names), needed=2)
    assert compiled(some).type == ("at least" if number == 40 else "reader")
    line = ", ".join(names)
    assert [leaf.of[0].name for leaf in walk(read_check(f"Any of the following: {line}", "inclusion"))] == names
    assert read_check(f"Two of the following: {line}", "inclusion").type == ("at least" if number == 40 else "reader")


def test_more_comparisons_than_a_check_may_have_need_a_reader() -> None:
    for text in ("ALT " + "< 5 " * 9, "ALT" + " < 5 and" * 9 + " < 6"):
        assert [leaf.type for leaf in walk(read_check(text, "inclusion"))] == ["reader"]


def test_what_is_too_long_for_a_criterion_needs_a_reader() -> None:
    long = "stroke and " * 190
    statement = Statement(number=1, section="exclusion", text="Gout", under=f"{long} history of:")
    assert [check.type for check in (read_check(long, "exclusion"), compiled(statement))] == ["reader", "reader"]
    assert read_check(long[:1_900], "exclusion").type != "reader"
