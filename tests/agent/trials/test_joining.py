"""What belongs together in a criterion: lists, exceptions, other limits for some, times, sentences → checks."""

from __future__ import annotations

from typing import Any

import pytest

from agent.trials.grammar import compiled, read_check
from agent.trials.types import Statement
from tests.agent.trials.test_grammar import told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Hemoglobin ≥ 11 g/dL (≥ 9 g/dL if thalassemia is present)",
            "any(measurement of=Hemoglobin limits=['>= 11 g/dL'], all(record kind=condition "
            "of=Thalassemia state=active, measurement of=Hemoglobin limits=['>= 9 g/dL']))",
        ),
        (
            "Gout on allopurinol or febuxostat",
            "all(record kind=condition of=Gout, any(record kind=medication of=allopurinol "
            "state=current, record kind=medication of=febuxostat state=current))",
        ),
        (
            "No hemoglobin A1c measured within the last year",
            "not(measurement of=Hemoglobin A1c finding=recorded which=any period={'within': '1 year'})",
        ),
        (
            "TSH normal for at least 3 months",
            "measurement doubts=['for 3 months'] of=TSH finding=normal",
        ),
        (
            "At least 8 weeks since last dose of rituximab",
            "not(record kind=medication of=rituximab period={'within': '8 weeks'})",
        ),
        (
            "At least 2 years since diagnosis of multiple sclerosis",
            "record kind=condition of=Multiple sclerosis period={'before': '2 years'}",
        ),
        (
            "Gout with at least one of the following: tophi, kidney stones, hypertension",
            "all(record kind=condition of=Gout, any(record kind=condition of=tophi, record "
            "kind=condition of=Kidney stones, record kind=condition of=Hypertension))",
        ),
        (
            "Subjects taking warfarin must have an INR of 2.0 to 3.0",
            "any(not(record kind=medication of=warfarin state=current), measurement of=INR limits=['>= 2', '<= 3'])",
        ),
        (
            "Ferritin ≥ 50 ng/mL for women",
            "any(not(sex of=['female']), measurement of=Ferritin limits=['>= 50 ng/mL'])",
        ),
        (
            "HDL < 40 mg/dL in men and < 50 mg/dL in women",
            "any(all(sex of=['male'], measurement of=HDL limits=['< 40 mg/dL']), all(sex "
            "of=['female'], measurement of=HDL limits=['< 50 mg/dL']))",
        ),
        (
            "Men or postmenopausal women with osteoporosis",
            "all(any(sex of=['male'], record kind=condition of=Menopause), record kind=condition of=Osteoporosis)",
        ),
        (
            "Diagnosis of gout. Rheumatology must confirm it.",
            "all(record kind=condition of=Gout, reader why=Rheumatology must confirm it.)",
        ),
        (
            "Platelets ≥ 100 x 10(9)/L and INR ≤ ULN",
            "all(measurement of=Platelets limits=['>= 100 10*9/L'], measurement of=INR limits=['<= 1 ULN'])",
        ),
        (
            "Pregnant adults, 20-40 years of age, at 12 to 20 weeks gestation",
            "all(pregnancy, age limits=['>= 20 years', '<= 40 years'], measurement of=gestation "
            "limits=['>= 12 weeks', '<= 20 weeks'])",
        ),
        (
            "Hospitalisation with a primary diagnosis of asthma within 6 weeks",
            "record doubts=['for asthma'] kind=encounter of=Inpatient stay period={'within': '6 weeks'}",
        ),
        (
            "INR ≤ 1.5 (unless on anticoagulants)",
            "any(measurement of=INR limits=['<= 1.5'], record kind=medication of=anticoagulant state=current)",
        ),
        (
            "Documented ferritin within 6 months",
            "measurement of=Ferritin finding=recorded which=any period={'within': '6 months'}",
        ),
    ],
)
def test_inclusion(text: str, expected: str) -> None:
    assert told(read_check(text, "inclusion")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "AST > 2.5 x ULN (> 4 x ULN in subjects with cirrhosis)",
            "all(measurement of=AST limits=['> 2.5 ULN'], any(not(record kind=condition "
            "of=Cirrhosis), measurement of=AST limits=['> 4 ULN']))",
        ),
        (
            "Ferritin > 300 ng/mL, except in patients with hemochromatosis",
            "all(measurement of=Ferritin limits=['> 300 ng/mL'], not(record kind=condition of=Hemochromatosis))",
        ),
        (
            "Lymphoma other than follicular lymphoma within 2 years",
            "record doubts=['except follicular lymphoma within 2 years'] kind=condition of=Lymphoma "
            "period={'within': '2 years'}",
        ),
        (
            "Use of antidepressants such as sertraline or paroxetine within 3 weeks",
            "record kind=medication of=['antidepressant', 'sertraline', 'paroxetine'] period={'within': '3 weeks'}",
        ),
        (
            "Melanoma, except for resected melanoma in situ",
            "record doubts=['except resected melanoma in situ'] kind=condition of=Melanoma",
        ),
        (
            "Active gout, or history of gout within 2 years, with the exception of pseudogout",
            "any(record kind=condition of=Gout apart=Pseudogout state=active, record kind=condition "
            "of=Gout apart=Pseudogout period={'within': '2 years'})",
        ),
        (
            "Urticaria or history of angioedema within 3 months",
            "any(record kind=condition of=Urticaria, record kind=condition of=Angioedema "
            "period={'within': '3 months'})",
        ),
        (
            "Sulfa allergy or use of sulfonamides within 5 days",
            "any(record kind=allergy of=Sulfa drugs, record kind=medication of=sulfonamide antibiotic"
            " period={'within': '5 days'})",
        ),
        (
            "Hepatic encephalopathy, or variceal bleeding or ascites within 8 weeks",
            "any(record kind=condition of=Hepatic encephalopathy period={'within': '8 weeks'}, record"
            " kind=condition of=variceal bleeding period={'within': '8 weeks'}, record kind=condition"
            " of=Ascites period={'within': '8 weeks'})",
        ),
        (
            "Emergency visit or hospitalization for sickle cell disease within 2 months",
            "any(record doubts=['for sickle cell disease'] kind=encounter of=Emergency department "
            "visit period={'within': '2 months'}, record doubts=['for sickle cell disease'] "
            "kind=encounter of=Inpatient stay period={'within': '2 months'})",
        ),
        (
            "Uncontrolled gout or psoriasis",
            "any(record doubts=['Uncontrolled'] kind=condition of=Gout, record "
            "doubts=['Uncontrolled'] kind=condition of=Psoriasis)",
        ),
        (
            "Psoriasis or eczema requiring methotrexate",
            "any(all(record kind=condition of=Eczema, record kind=medication of=methotrexate "
            "state=current), all(record kind=condition of=Psoriasis, any(record kind=medication "
            "of=methotrexate state=current, reader why=whether what is said of Eczema is asked here "
            "too)))",
        ),
        (
            "Asthma or COPD in the last year and not taking an inhaled corticosteroid",
            "all(any(record kind=condition of=Asthma period={'within': '1 year'}, record "
            "kind=condition of=COPD period={'within': '1 year'}), not(record kind=medication "
            "of=inhaled corticosteroid state=current))",
        ),
        (
            "Positive for hepatitis C antibody or HIV",
            "any(measurement of=Hepatitis C antibody finding=positive, record kind=condition of=HIV)",
        ),
        (
            "Less than 10 days since completion of azithromycin",
            "record kind=medication of=azithromycin period={'within': '10 days'}",
        ),
        (
            "Any two of the following within 3 months: seizure, syncope, fall",
            "at least(record kind=condition of=Seizure disorder period={'within': '3 months'}, record"
            " kind=condition of=Syncope period={'within': '3 months'}, record kind=condition of=fall "
            "period={'within': '3 months'})",
        ),
        (
            "Pregnant women and breastfeeding mothers",
            "any(pregnancy, record kind=condition of=Breastfeeding)",
        ),
        (
            "Melanoma within 5 years. Basal cell carcinomas are allowed.",
            "record kind=condition of=Melanoma apart=Basal cell carcinoma period={'within': '5 years'}",
        ),
        (
            "Contraindication to metoprolol",
            "any(record kind=allergy of=metoprolol, reader why=Contraindication to metoprolol)",
        ),
        (
            "Abnormal findings on echocardiogram",
            "reader why=Abnormal findings on echocardiogram",
        ),
        (
            "Not on a stable dose of levothyroxine for at least 6 weeks",
            "not(record kind=medication of=levothyroxine state=current lasting=6 weeks)",
        ),
        (
            "Persistent asthma",
            "record doubts=['Persistent'] kind=condition of=Asthma",
        ),
        (
            "Migraine (chronic or acute)",
            "record kind=condition of=Migraine",
        ),
        (
            "Known infections (hepatitis B or C)",
            "record kind=condition of=['Hepatitis B', 'Hepatitis C']",
        ),
        (
            "Initiation of insulin within 6 weeks",
            "record doubts=['Initiation'] kind=medication of=insulin period={'within': '6 weeks'}",
        ),
        (
            "SBP/DBP > 170/100 mmHg",
            "any(measurement of=Systolic blood pressure limits=['> 170 mm[Hg]'], measurement "
            "of=Diastolic blood pressure limits=['> 100 mm[Hg]'])",
        ),
        (
            "BP ≥ 170 mmHg systolic or ≥ 105 mmHg diastolic",
            "any(measurement of=Systolic blood pressure limits=['>= 170 mm[Hg]'], measurement "
            "of=Diastolic blood pressure limits=['>= 105 mm[Hg]'])",
        ),
        (
            "minor surgery within 5 days",
            "record doubts=['surgery', 'minor'] kind=procedure of=Procedure period={'within': '5 days'}",
        ),
        (
            "Gout or use of colchicine within 10 days",
            "any(record kind=condition of=Gout period={'within': '10 days'}, all(record "
            "kind=condition of=Gout, reader why=whether the time is asked of this too), record "
            "kind=medication of=colchicine period={'within': '10 days'})",
        ),
        (
            "Severe renal or hepatic impairment",
            "any(record doubts=['Severe'] kind=condition of=Kidney disease, record doubts=['Severe'] "
            "kind=condition of=Liver disease)",
        ),
        (
            "On more than two drugs for gout",
            "record doubts=['more than two'] kind=condition of=Gout",
        ),
        (
            "Systemic steroids (topical steroids allowed)",
            "record doubts=['topical steroids allowed'] kind=medication of=systemic corticosteroid state=current",
        ),
        (
            "Gout (unless on allopurinol)",
            "all(record kind=condition of=Gout, not(record kind=medication of=allopurinol state=current))",
        ),
    ],
)
def test_exclusion(text: str, expected: str) -> None:
    assert told(read_check(text, "exclusion")) == expected


@pytest.mark.parametrize(
    ("under", "section", "expected"),
    [
        (
            "For participants with gout only:",
            "inclusion",
            "any(not(record kind=condition of=Gout), measurement of=Ferritin limits=['> 50 ng/mL'])",
        ),
        (
            "In patients with gout:",
            "exclusion",
            "all(record kind=condition of=Gout, measurement of=Ferritin limits=['> 50 ng/mL'])",
        ),
        (
            "Patients with gout who have any of the following:",
            "exclusion",
            "all(record kind=condition of=Gout, measurement of=Ferritin limits=['> 50 ng/mL'])",
        ),
        ("Laboratory values:", "exclusion", "measurement of=Ferritin limits=['> 50 ng/mL']"),
    ],
)
def test_a_heading_says_of_whom(under: str, section: Any, expected: str) -> None:
    statement = Statement(number=1, section=section, text="Ferritin > 50 ng/mL", under=under)
    assert told(compiled(statement)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Hepatitis B surface antigen negative for at least 5 months",
        "Breastfeeding or pregnant, and ferritin above 50 ng/mL within 5 months",
        "Blood pressure above 150/90 mmHg within 5 months",
    ],
)
def test_no_time_is_passed_over(text: str) -> None:
    assert "5 months" in told(read_check(text, "exclusion"))
