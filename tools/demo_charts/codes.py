"""What the demo charts measure and vaccinate with: labels, codes, units and reference ranges.

LOINC (https://loinc.org, © Regenstrief Institute, used under its licence), CVX (CDC) and RxNorm (NLM)
codes. Conditions carry ICD-10-CM. SNOMED CT appears only where FHIR's own bindings ask for it: "no known
allergy", smoking status, pregnancy status.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LABS", "VACCINES", "VITALS", "Test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One kind of measurement. `low` and `high` are its usual reference range, either may be None."""

    label: str
    loinc: str
    unit: str
    ucum: str
    digits: int = 1
    low: float | None = None
    high: float | None = None


def _test(
    label: str, loinc: str, unit: str, ucum: str, digits: int, low: float | None = None, high: float | None = None
) -> Test:
    return Test(label=label, loinc=loinc, unit=unit, ucum=ucum, digits=digits, low=low, high=high)


LABS: dict[str, Test] = {
    "a1c": _test("Hemoglobin A1c", "4548-4", "%", "%", 1, 4.0, 5.6),
    "glucose": _test("Glucose", "2345-7", "mg/dL", "mg/dL", 0, 70, 99),
    "creatinine": _test("Creatinine", "2160-0", "mg/dL", "mg/dL", 2, 0.5, 1.1),
    "egfr": _test("eGFR (CKD-EPI 2021)", "98979-8", "mL/min/1.73 m2", "mL/min/{1.73_m2}", 0, 60, None),
    "bun": _test("Urea nitrogen", "3094-0", "mg/dL", "mg/dL", 0, 7, 20),
    "sodium": _test("Sodium", "2951-2", "mmol/L", "mmol/L", 0, 135, 145),
    "potassium": _test("Potassium", "2823-3", "mmol/L", "mmol/L", 1, 3.5, 5.1),
    "bicarbonate": _test("Carbon dioxide, total", "2028-9", "mmol/L", "mmol/L", 0, 22, 29),
    "uacr": _test("Albumin/Creatinine ratio, urine", "9318-7", "mg/g", "mg/g", 0, None, 30),
    "cholesterol": _test("Cholesterol, total", "2093-3", "mg/dL", "mg/dL", 0, None, 200),
    "hdl": _test("Cholesterol in HDL", "2085-9", "mg/dL", "mg/dL", 0, 40, None),
    "ldl": _test("Cholesterol in LDL, calculated", "13457-7", "mg/dL", "mg/dL", 0, None, 100),
    "triglycerides": _test("Triglycerides", "2571-8", "mg/dL", "mg/dL", 0, None, 150),
    "hemoglobin": _test("Hemoglobin", "718-7", "g/dL", "g/dL", 1, 12.0, 16.0),
    "wbc": _test("Leukocytes", "6690-2", "10*3/uL", "10*3/uL", 1, 4.0, 11.0),
    "platelets": _test("Platelets", "777-3", "10*3/uL", "10*3/uL", 0, 150, 400),
    "ferritin": _test("Ferritin", "2276-4", "ng/mL", "ng/mL", 0, 15, 150),
    "b12": _test("Vitamin B12", "2132-9", "pg/mL", "pg/mL", 0, 200, 900),
    "tsh": _test("Thyrotropin (TSH)", "3016-3", "mIU/L", "m[IU]/L", 2, 0.4, 4.5),
    "free_t4": _test("Thyroxine (T4), free", "3024-7", "ng/dL", "ng/dL", 2, 0.8, 1.8),
    "alt": _test("Alanine aminotransferase (ALT)", "1742-6", "U/L", "U/L", 0, 7, 40),
    "inr": _test("INR", "6301-6", "{INR}", "{INR}", 1, 0.9, 1.1),
    "nt_probnp": _test("NT-proBNP", "33762-6", "pg/mL", "pg/mL", 0, None, 450),
    "psa": _test("Prostate specific antigen (PSA)", "2857-1", "ng/mL", "ng/mL", 2, None, 4.0),
    "troponin": _test("Troponin T, high sensitivity", "67151-1", "ng/L", "ng/L", 0, None, 19),
    "crp": _test("C reactive protein", "1988-5", "mg/L", "mg/L", 1, None, 5.0),
    "procalcitonin": _test("Procalcitonin", "33959-8", "ng/mL", "ng/mL", 2, None, 0.10),
    "d_dimer": _test("D-dimer FEU", "48065-7", "ug/mL", "ug/mL{FEU}", 2, None, 0.50),
    "hcg": _test("Beta-hCG, quantitative", "21198-7", "mIU/mL", "m[IU]/mL", 0, None, 5),
    "ogct": _test("Glucose 1 hour after 50 g glucose", "1504-0", "mg/dL", "mg/dL", 0, None, 140),
    "ige": _test("Immunoglobulin E", "19113-0", "IU/mL", "[IU]/mL", 0, None, 100),
}

VITALS: dict[str, Test] = {
    "height": _test("Body height", "8302-2", "cm", "cm", 0),
    "weight": _test("Body weight", "29463-7", "kg", "kg", 1),
    "bmi": _test("Body mass index", "39156-5", "kg/m2", "kg/m2", 1),
    "pulse": _test("Heart rate", "8867-4", "/min", "/min", 0, 60, 100),
    "breaths": _test("Respiratory rate", "9279-1", "/min", "/min", 0, 12, 20),
    "temperature": _test("Body temperature", "8310-5", "Cel", "Cel", 1, 36.0, 37.9),
    "spo2": _test("Oxygen saturation by pulse oximetry", "59408-5", "%", "%", 0, 94, 100),
    "peak_flow": _test("Peak expiratory flow", "33452-4", "L/min", "L/min", 0),
    "ejection": _test("Left ventricular ejection fraction", "10230-1", "%", "%", 0, 52, 72),
    "phq9": _test("PHQ-9 total score", "44261-6", "{score}", "{score}", 0, 0, 4),
}

VACCINES: dict[str, tuple[str, str]] = {
    "flu": ("150", "Influenza, injectable, quadrivalent, preservative free"),
    "flu3": ("140", "Influenza, seasonal, injectable, preservative free"),
    "covid": ("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose"),
    "covid2023": ("309", "COVID-19, mRNA, LNP-S, PF, tris-sucrose, 30 mcg/0.3 mL"),
    "ppsv23": ("33", "Pneumococcal polysaccharide PPV23"),
    "pcv20": ("216", "Pneumococcal conjugate PCV20"),
    "zoster": ("187", "Zoster recombinant"),
    "tdap": ("115", "Tdap"),
    "td": ("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed"),
    "mmr": ("03", "MMR"),
    "hepb": ("43", "Hep B, adult"),
    "hpv9": ("165", "HPV9"),
    "rsv": ("305", "RSV, bivalent, protein subunit RSVpreF, diluent reconstituted, 0.5 mL, PF"),
}
