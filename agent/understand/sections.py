"""The words that tell which part of the chart, or what of the person, is asked about: data, read as the cues are."""

from __future__ import annotations

import re

from agent.understand.patterns import any_of, words
from fhir_tools.types import Kind

__all__ = ["ATTRIBUTES", "CATEGORIES"]

ATTRIBUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("date of birth", any_of(words("dob, d o b, date of birth, birth ?dates?, birthdays?, bday, born, birth"))),
    (
        "deceased",
        any_of(words("deceased, dod, dead, die, died, alive, death, (?<!for a )living, pass(?:ed)? away, expired")),
    ),
    ("gender", any_of(words("gender, sex, male or female, male, female, man or (?:a )?woman"))),
    ("race", any_of(words("race"))),
    ("ethnicity", any_of(words("ethnic*"))),
    ("marital status", any_of(words("marital, married, single, divorced, widowed, spouse"))),
    (
        "address",
        any_of(
            words("address, lives?, city, town, zip, postcode, reside*"),
            r"\bwhere\b(?=.*\b(?:from|live|home)\b|$)",
        ),
    ),
    ("phone", any_of(words("phone, telephone, contact number, cell, mobile"))),
    ("language", any_of(words("language, speaks?"))),
    ("medical record number", any_of(words("mrn, medical record number, record number, hospital number"))),
    (
        "general practitioner",
        any_of(words("pcp, gp, primary care (?:doctor|physician|provider), general practitioner, family doctor")),
    ),
    ("age", any_of(words("how old, age, years old, y o, yo"))),
    ("name", any_of(words("name, surname, called"))),
)
"""What can be asked about the person; the value is the label of the fact (`fhir_tools.facts`)."""

CATEGORIES: tuple[tuple[str, tuple[Kind, ...], re.Pattern[str]], ...] = (
    (
        "family",
        ("family",),
        any_of(
            words(
                "family (?:medical )?(?:history|hx), (?:in|of) (?:the|his|her|their) family, fam(?:ily)? hx, fhx, fh,"
                " ^family(?= m\\d)"
            ),
            words("relatives?, family members?, runs? in the family, familial, hereditary"),
        ),
    ),
    ("social", ("social", "measurement"), any_of(words("social (?:history|hx), shx"))),
    (
        "allergy",
        ("allergy",),
        any_of(
            words(
                "allerg*, sensitive(?! c| troponin), reacts? to, react$, nkda, nka, intoleran*, (?:adverse"
                " )?reactions?,"
                " hypersensitiv*, anaphyla*"
            )
        ),
    ),
    (
        "immunization",
        ("immunization",),
        any_of(words("immuni[sz]ations?, immuni[sz]ed, vaccin*, shots?, jabs?, boosters?, inoculat*")),
    ),
    ("vitals", ("measurement",), any_of(words("vitals?, vital signs?, obs"))),
    (
        "labs",
        ("measurement",),
        any_of(words("labs?, lab (?:results?|work|tests?|values?), laborator*, blood ?work, bloods, chemistr*")),
    ),
    (
        "condition",
        ("condition",),
        any_of(
            words(
                "problems? lists?, problems?, probs?, issues?, conditions?, diagnos*, dx, dxs, dxd, comorbid*, pmh,"
                " pmhx,"
                " medical history, past medical, morbidit*, multimorbidit*, maladies, malady, illness*, diseases?,"
                " disorders?, suffer*, ailments?"
            )
        ),
    ),
    (
        "procedure",
        ("procedure",),
        any_of(words("procedures?, surger*, surgical, operations?, psh, pshx, interventions?")),
    ),
    (
        "imaging",
        ("imaging",),
        any_of(
            words(
                "imaging, imaged, scans?, scanned, radiolog*, radiograph*, pictures, films?, studies, study,"
                " x rays?, xrays?"
            )
        ),
    ),
    (
        "encounter",
        ("encounter",),
        any_of(
            words(
                "encounters?, visits?, visited, appointments?, admissions?, admitted, hospitali[sz]*, inpatient stays?,"
                " stays?, came in, come in, comes? here, been here, last here, been in, checkups?, discharge[ds]?,"
                " (?:came|come|been) to see (?:us|anyone|someone|anybody|me|(?:the|a|his|her) doctor),"
                " how (?:many times|often) (?:did|has|have|does) (?:he|she|they|m\\d|(?:the )?patient)"
                " (?:come|came|turn up|show up|drop in|been in), (?:last|most recently) with us, with us last,"
                " how (?:many times|often) (?:was|were|has|have|did) (?:he|she|they|m\\d|(?:the )?patient)"
                " (?:been |come |came )?(?:here|in(?! t)|over|by(?! m)), attend(?:ed|s|ing|ances?)?, consults?,"
                " consultations?, reviewed, review date, (?:come|came) to us"
            ),
            r"\bwhen (?:was|is|did) (?:he|she|they|m\d|(?:the )?patient) (?:come |came )?"
            r"(?:last |first |most recently )?"
            r"(?:here|in|come|(?:in|at) (?:the )?(?:clinic|hospital|practice|surgery))\b"
            r"(?: last| first| most recently| last time)?$",
            r"\b(?:he|she|they|patient) (?:was|were) last (?:here|in)$",
            r"^last time (?:(?:here|in|at) )?(?:the )?(?:clinic|hospital|practice)\b",
        ),
    ),
    (
        "medication",
        ("medication",),
        any_of(
            words(
                "meds?, medications?, medicines?, medicaments?, pharmacotherap*, pharmacological, pharmaceuticals?,"
                " drugs?, dhx, prescri*, rx, pills?, tablets?, scripts?, pharmacy,"
                " dispens*, therap*, regimen, refill*, dos(?:e|es|age|ing), supposed to be on"
            )
        ),
    ),
    ("document", ("document",), any_of(words("notes?, documents?, documentation, letters?, correspondence"))),
    (
        "report",
        ("report",),
        any_of(
            words("reports?, reported, impressions?, conclusions?, findings?, readout, panel"),
            r"\bwhat (?:did|does|do)\b.*\b(?:show|reveal|find)",
        ),
    ),
    ("careplan", ("careplan",), any_of(words("care ?plans?, plans? of care"))),
    ("goal", ("goal",), any_of(words("goals?, targets?"))),
    ("device", ("device",), any_of(words("devices?, implants?, implanted"))),
    (
        "taking",
        ("medication",),
        any_of(
            words("taking, takes?, taken, given, administ*, ordered"),
            r"\b(?:been|still|now|currently|ever|he|she|they|patient|pt) on (?:an? |any |the )?m\d",
        ),
    ),
    ("performed", ("procedure",), any_of(words("performed, underwent, undergone, operated"))),
    (
        "seen",
        ("encounter",),
        any_of(
            words("seen, saw, come in, came in, last see"),
            words("(?:we|you|i|they|anyone|clinic|doctor) (?:last |first |ever |also )?see"),
            r"\bcome to (?:see )?us\b",
        ),
    ),
    ("order", ("order",), any_of(words("orders, referrals?, service requests?, pending"))),
)
"""Nouns and verbs that say which part of the chart is meant, in order of precedence."""
