"""The words of criteria that are neither a clinical name nor a number: cues, and words that need no meaning.

All are in the normal form of `fhir_tools.codes.words_of`. A word that is in no table here, in no name and in no number
is told as a doubt of the check, never passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["BENIGN", "CUES", "NO_CHART", "PEOPLE", "SMOKING", "STOP", "WHO", "Cue"]

PEOPLE = r"(?:patients?|subjects?|participants?|individuals?|persons?|people|volunteers?|candidates?)"
"""Whom a criterion is about, by a word that says nothing of them."""
WHO = rf"(?:{PEOPLE}|those|anyone|they|wom[ae]n|m[ae]n|females?|males?)"
"""The same, with the words that say a sex."""

Tag = Literal["no", "ever", "active", "resolved", "kind", "with", "or", "and", "apart", "unless", "example", "means"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What a run of words says beside names. `kind` is of the record meant, `then` whether a drug is of now or ever."""

    tag: Tag
    kind: str = ""
    then: Literal["", "ever", "current"] = ""


def _table(*rows: tuple[Cue, str]) -> dict[tuple[str, ...], Cue]:
    return {
        tuple(phrase.split()): cue for cue, phrases in rows for phrase in map(str.strip, phrases.split(",")) if phrase
    }


_NOW = Cue(tag="kind", kind="medication", then="current")
_WAS = Cue(tag="kind", kind="medication", then="ever")

CUES = _table(
    (
        Cue(tag="no"),
        "no, not, without, none, neither, absence of, free of, free from, denies, lack of, negative for, no evidence of,"
        "no known, not have, cannot, non, no current, no active, no documented, no diagnosis of,"
        "must not have, must not be, not be, do not have, does not have, has no, have no, had no",
    ),
    (
        Cue(tag="no", then="ever"),
        "never, no history of, no known history of, no prior, no previous, no past, naive to, has not had, have not had, has never, have never, had never, without prior, without previous, without a history of,"
        "without history of, without any history of, without a prior, without any prior, no prior history of, no previous history of",
    ),
    (
        Cue(tag="ever"),
        "history of, prior history of, medical history of, past history of, past medical history of, known history of, previous history of,"
        "documented history of, personal history of, any history of, positive history of, lifetime history of, significant history of, history, prior, previous,"
        "previously, past, ever, ever had, has had, have had, had, formerly, experienced, suffered, suffered from, at any time, at any time in the past, hx of,"
        "status post, recovered from, survivor of, past or present, past or current, current or past, prior or current, current or prior, current or previous, previous or current,"
        "current or history of, history of or current, history or presence of, presence or history of, history or current, history or evidence of, evidence or history of",
    ),
    (
        Cue(tag="active"),
        "active, current, currently, ongoing, existing, pre existing, preexisting, present, presently, concurrent, actively, on the problem list, current diagnosis of, active diagnosis of, at present, at the time of screening",
    ),
    (Cue(tag="resolved"), "resolved, inactive, in remission, no longer active"),
    (
        Cue(tag="kind", kind="condition"),
        "diagnosis of, diagnoses of, diagnosed with, diagnosed as having, diagnosed, diagnosis, documented diagnosis of, confirmed diagnosis of, clinical diagnosis of, established diagnosis of,"
        "known diagnosis of, suffering from, suffer from, suffers from",
    ),
    (
        _NOW,
        "prescription, prescriptions, taking, takes, take, is taking, are taking, on, already on, is on, are on, who are on, using, uses, use of, users of, user of, use, usage of, receiving, receives, receive,"
        "treatment with, therapy with, treated with, being treated with, on treatment with, on therapy with, under treatment with, prescribed, prescribed with, requiring, requires,"
        "require, requiring treatment with, administration of, maintained on, intake of,"
        "concomitant, concomitant use of, concomitant treatment with, concomitant medication with, current use of, currently taking, currently using, currently receiving, currently on, currently treated with, current treatment with,"
        "current therapy with, currently prescribed, regular use of, chronic use of, daily use of, treatment for, active prescription for, active prescription of, prescription for, prescription of, prescriptions for,"
        "ongoing treatment with, ongoing therapy with, ongoing use of, continuous use of, on a stable dose of, on stable doses of, stable dose of, stable doses of, at a stable dose, at stable doses, on a stable dose, on stable doses, on stable, background, managed with, controlled with",
    ),
    (
        Cue(tag="kind", kind="medication"),
        "medication, medications, therapy, treatment, treatments, therapies, drug, drugs, agent, agents",
    ),
    (
        _WAS,
        "received, has received, have received, has taken, have taken, took, used, prior use of, previous use of, past use of, prior treatment with, previous treatment with, prior therapy with,"
        "previous therapy with, prior exposure to, previous exposure to, exposure to, exposed to, previously treated with, previously received, ever taken, ever used, ever received, history of treatment with,"
        "history of use of, history of therapy with, has been treated with, have been treated with, had been treated with, prior receipt of, receipt of, any use of, any prior use of,"
        "treatment history with, previously on, previously taking, was treated with, were treated with",
    ),
    (
        Cue(tag="kind", kind="allergy"),
        "reaction to, reactions to, severe reaction to, allergy to, allergies to, allergic to, allergic reaction to, allergic reactions to, hypersensitivity to, hypersensitivities to, hypersensitive to, intolerance to, intolerance of, intolerant to, intolerant of,"
        "sensitivity to, anaphylaxis to, anaphylactic reaction to, anaphylactic reactions to, adverse reaction to, adverse reactions to, contraindication to, contraindications to,"
        "allergy or hypersensitivity to, allergy or intolerance to, hypersensitivity or allergy to, hypersensitivity or intolerance to, known allergy to, known hypersensitivity to, allergy against, hypersensitivity reaction to, hypersensitivity reactions to",
    ),
    (
        Cue(tag="kind", kind="procedure"),
        "undergone, underwent, undergo, undergoing, has undergone, have undergone, had undergone, history of undergoing, surgery for, surgical, procedure, procedures, s p",
    ),
    (
        Cue(tag="kind", kind="immunization"),
        "vaccinated against, vaccinated with, vaccinated for, vaccination against, vaccination with, vaccination for, immunized against, immunised against, immunization against, immunization with, immunized with,"
        "vaccine against, vaccine for, vaccination, vaccinated, vaccinations, vaccine, vaccines, booster, booster dose, booster dose of, immunization, immunizations, immunized, receipt of a vaccine against, dose of vaccine against",
    ),
    (
        Cue(tag="kind", kind="family"),
        "family history of, family history, familial history of, first degree relative with, first degree relatives with, relative with, relatives with, family member with",
    ),
    (Cue(tag="with"), "with, plus, despite, in spite of, who have, who has, who had, and with, combined with, in combination with, together with, accompanied by, complicated by, in addition to, along with, and who have, provided that, provided, on condition that, as long as, on the condition that"),
    (Cue(tag="or"), "or, and or, nor, as well as any, versus, vs"),
    (Cue(tag="and"), "and, as well as, but, amp"),
    (Cue(tag="apart"), "other than, except, except for, excluding, with the exception of, with exception of, with the exceptions of, apart from, exclusive of, not including, aside from, not counting"),
    (Cue(tag="unless"), "unless"),
    (Cue(tag="example"), "such as, including, including but not limited to, for example, for instance, e g, eg, included but not limited to, like, which include, which includes, includes, include, namely"),
    (
        Cue(tag="means"),
        "defined as, defined by, as defined by, as defined as, i e, ie, that is, as evidenced by, evidenced by, indicated by, as indicated by, as shown by, as demonstrated by, demonstrated by, as measured by, measured by, measured as, estimated as, expressed as, quantified as, as determined by,"
        "determined by, characterized by, meaning, as reflected by, manifested by, confirmed by, as confirmed by, documented by, as documented by, proven by, verified by, established by, as assessed by",
    ),
)  # fmt: skip
"""Runs of words → what they say; the longest run at a place counts."""

SMOKING: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), statuses)
    for pattern, statuses in (
        (r"(?:life-?long\s+)?never[- ]smok(?:ers?|ed|ing)|never\s+(?:a\s+)?smokers?|life-?long\s+non-?smokers?|never\s+(?:used|use)\s+tobacco", ("never",)),
        (r"(?:current(?:ly)?\s+)?(?:non-?\s?smok(?:ers?|ing)|(?:do|does|is|are)\s+not\s+(?:currently\s+)?smok(?:e|ers?|ing))", ("former", "never")),
        (r"(?:current\s+(?:or|and|and/or)\s+(?:former|past|previous|ex)-?\s?smok(?:ers?|ing)|(?:former|past|previous)\s+(?:or|and)\s+current\s+smok(?:ers?|ing)|ever[- ]smok(?:ers?|ed)|history\s+of\s+(?:cigarette\s+|tobacco\s+)?(?:smoking|tobacco\s+use)|(?:has|have)\s+ever\s+smoked|smoking\s+history)", ("current", "former")),
        (r"(?:former|past|previous|ex)[- ]?\s?(?:cigarette\s+|tobacco\s+)?smok(?:ers?|ing)|quit\s+smoking|stopped\s+smoking|former\s+tobacco\s+users?", ("former",)),
        (r"(?:current(?:ly)?\s+|active(?:ly)?\s+|daily\s+|habitual\s+|regular\s+|heavy\s+)*(?:cigarette\s+|tobacco\s+)?(?:smokers?|smoking|smokes?)(?!\s+(?:cessation|status))(?:\s+tobacco|\s+cigarettes)?(?:\s+every\s+day|\s+daily)?"
         r"|(?:current(?:ly)?\s+|active\s+|daily\s+)*(?:tobacco|nicotine|cigarette)\s+(?:use|users?|consumption)|(?:use\s+of|uses?|using)\s+(?:tobacco|cigarettes|nicotine)(?!\s+(?:replacement|patch(?:es)?|gum|lozenges?|therapy|spray|inhaler))(?:\s+products)?", ("current",)),
    )
)  # fmt: skip

NO_CHART = re.compile(
    r"\b(?:demonstrat(?:es?|ed|ing)\s+(?:\w+\s+){0,2}?(?:\w+\s+)?(?:technique|proficiency|competence|adherence|compliance)|consents?|consenting|assent|willing(?:ness)?|unwilling(?:ness)?|agree(?:s|ment|ing)?\s+(?:to|not)|"
    r"unable|planned|elective|(?:able|ability|inability|unable|capable|incapable|capacity)\s+(?:and\s+\w+\s+)?(?:to|of)|"
    r"cooperat\w+|complian(?:ce|t)\s+with|non-?complian\w+|adheren\w+|comply(?:ing)?|likely\s+to|unlikely\s+to|"
    r"in\s+the\s+(?:opinion|judg(?:e)?ment|view)\s+of|(?:investigator|physician|clinician|doctor)(?:'s|s'|s)?\s+(?:opinion|judg(?:e)?ment|discretion|view|assessment|determination)|"
    r"as\s+(?:judged|determined|assessed|deemed)\s+by\s+(?:the\s+)?(?:investigator|physician|study)|(?:opinion|discretion|judg(?:e)?ment)\s+of\s+(?:the\s+)?(?:principal\s+)?(?:investigator|physician|study)|investigator\s+(?:believes|considers|deems)|"
    r"life\s+expectancy|expected\s+(?:to\s+)?(?:survive|survival)|(?:participat\w+|enrol+ed|enrol+ment|taking\s+part|involve\w*)\s+in\s+(?:any\s+|an\s+|a\s+)?(?:other|another|different|concurrent|investigational|clinical|interventional|drug)\s*(?:\w+\s+){0,3}(?:trials?|stud(?:y|ies)|research)|"
    r"(?:another|other)\s+(?:clinical|interventional|investigational|research|drug)\s+(?:\w+\s+)?(?:trials?|stud(?:y|ies))|"
    r"investigational\s+(?:\w+\s+)?(?:drugs?|products?|agents?|devices?|medicinal|medications?|treatments?|therap(?:y|ies))|"
    r"plan(?:s|ning|ned)?\s+(?:to|on|for)|planning\s+(?:an?\s+)?pregnancy|intend(?:s|ing)?\s+to|intention\s+to|wish(?:es|ing)?\s+to|desire\s+to|anticipated|scheduled\s+(?:to|for)|partners?|expects?\s+to|expecting\s+to|expected\s+to|will\s+(?:be|require|undergo)|"
    r"contracepti(?:on|ve)\s+(?:use|method|measures)|(?:effective|adequate|acceptable|reliable|highly\s+effective)\s+(?:methods?\s+of\s+)?(?:contraception|birth\s+control)|use\s+(?:of\s+)?(?:an?\s+)?(?:\w+\s+){0,3}contraception|"
    r"child-?\s?bearing\s+potential|fluent|speaks?\s+english|english[- ]speaking|read(?:s|ing)?\s+and\s+(?:write|understand)\w*|literate|literacy|understand\s+(?:the|and|study|english)|"
    r"access\s+to\s+(?:a\s+)?(?:phone|telephone|smartphone|internet|transport\w*|computer)|owns?\s+a|has\s+a\s+(?:smart)?phone|reside(?:s|nt)?\s+(?:in|within)|lives?\s+(?:within|in|near|at)|liv(?:e|ing)\s+(?:in|within|near)|caregiver|legal(?:ly)?\s+(?:guardian|representative|authorized|incapacitated)|"
    r"sign(?:ed|s|ing)?\s+(?:the\s+|an?\s+)?(?:written\s+)?(?:informed|consent|ICF)|employee|employed\s+by|insurance|affiliated\s+(?:to|with)\s+(?:a\s+)?social)\b",
    re.IGNORECASE,
)  # fmt: skip
"""What no chart holds: a will, an opinion, a plan, a prediction, daily life."""

_GRAMMAR = """
a about above absolute additional aged ages all already also am an and any appear are as associated at available be because been before being below both but by can
could currently date day days did do does done due during each either enter entered entering entry every exact following for found from further get given has
have having he her here hers him his if in include inclusive individual individuals into is it its just may meet meeting meets might more most must of
on one ones only or other others our out over own per person persons presence presenting prior shall she should since so some such than that the their them then there
these they this those through time times to under until up use used via was were when where whether which while who whom whose will with within would you your
"""
_TRIAL = """
according adult age amount analysis applicable central assessed assessment baseline based beyond candidate candidates case cases checked classified clinic clinical clinically collected confirmed
considered criteria criterion defined determined document documentation documented eligibility eligible enrolled enrollment enrolment
ensure established evaluated evaluation evidence exam examination exclusion excluded extent fasting form greater group had higher human identified inclusion included
indicated ineligible initial informed known laboratory lab labs last lasting latest least less level levels list listed local longer lower mean measure measured measurement measurements
medical medically minimum maximum newest noted number obtained occurring office outpatient participant participants patient patients people performed population prescribed presence
previous problem proven ps randomization randomisation randomized reading readings reason received recipient recipients record recorded records reported require required requirement research respectively
result results screen screened screening serum plasma blood shown signed site standard status studies study subject subjects suitable test tested tests testing trial type types
value values venous verified visit volunteer volunteers week weeks whom within year years old month months recorded chart electronic health ehr emr file established
adults diagnosis diagnosed diagnostic disease diseases disorder disorders condition conditions syndrome kind kinds form forms sort sorts history mellitus illness illnesses problem problems
event events episode episodes therapy treatment medication medications drug drugs agent agents dose doses class elderly score daily regular regularly resting seated sitting supine office calculated estimated intensity sex sexes gender genders member members product products
"""
BENIGN = frozenset((*_GRAMMAR.split(), *_TRIAL.split()))
"""Words that need no meaning of their own in a criterion."""

STOP = frozenset(
    """
    a all also am an and any are as at be been but by can case cases class condition conditions control count course current date day days did disease do does drug due fall for form from group had has have he
    her hit i if in inclusive is it its lab labs last level levels list long low high man may me men more mood most my new no non normal not note notes of old on one or other our out over own patient patients per pt pts rash ra
    reading recent result results same screening see she so some study subject such take test tests than that the then there they this time to trial type under up use visit visits was week weeks were when who will with woman
    women year years you ambulatory history medical medication medications medicine therapy treatment procedure procedures surgery reaction agent agents dose baseline score status blood pressure value values index positive negative diagnosis
    documentation document consent stress injury swelling cut stable support screen exam imaging weight height age sex gender male female date stage class range function tired acute chronic severe mild moderate
    """.split()
) - {"weight", "height", "surgery", "injury", "swelling", "rash", "ra"}
"""Words that alone name nothing in a criterion, whatever the lexicon thinks of their letters."""
