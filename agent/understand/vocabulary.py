"""Words that name nothing by themselves: what a question may hold beside its subject, its cues and its times.

All are in the normal form of `fhir_tools.codes.words_of`, in alphabetical order.
"""

from __future__ import annotations

__all__ = ["BENIGN", "FUNCTION_WORDS", "STAYS"]

FUNCTION_WORDS = frozenset(
    """
    a about after again age ago all also am among an and another any april are aren as at august be because been
    before being between both boy by can check could current currently d date day days did didn do doctor does doesn
    don dr during each either ever every female few find first for from gentleman get girl give got guy had hadn
    happen happened happens has hasn have haven having he hello help her here hers hey hi high him his hour hours
    how i if in individual into is isn it its july june just know lady last latest least less let like ll look lot
    low male man many mar march may me might minute minutes month months more most mr mrs ms much must my need
    negative neither never new no normal not now of off ok okay old on once one ones only onto or other our out over
    own patient patients per person please pls pm positive previous prior pt pts pull re recent recently s same sat
    see shall she should show since so some still such sun t tell than thank thanks that the their theirs them then
    there these they this those three thx till time to today too two under until up us use used uses using ve very
    via want was wasn we week weeks were weren what when where whether which while who whom whose why will with
    within without woman won would year years yes yet you your
    """.split()
)
"""Words that alone name nothing in a chart, whatever the lexicon thinks of their letters."""

BENIGN = FUNCTION_WORDS | frozenset(
    """
    abnormal abnormalities abnormality above absolute according across active actual actually add additional adds
    administered administration admission admissions admitted admitting against aged allergen allergens allergic
    allergies allergy along altogether amount amounts annually answer anybody anyone anything anywhere apart appear
    appeared appears appointment appointments approximately arithmetic around associated attend attended attending
    attends author authored available average averaged averaging avg aware away back baseline became become becomes
    began begin beginning begun belonging below beyond big birth board booster born brief briefly bring brings
    calculate calculated calendar called came capsule capsules capture captured care carried carries carry carrying
    certainly change changed changes changing chart charted charting charts checked checking checks cleared client
    clinic clinical clinician clinicians closest cm code codes collect collected combined come comes compare
    compared comparison complete completed compute computed concerning condition conditions confirm confirmation
    confirmed confirms connected contain contained containing contains continue continued continues continuing
    corresponding count counted course cream critical curious cvx daily data dated dates dating decrease decreased
    definitely delta department describe describing detail details detect detected detects develop developed dia
    diagnose diagnosed diagnoses diagnosis die dies differ differed difference different dipped discharge discharged
    discontinuation discontinue discontinued discussing disease diseases disorder display dl doctors document
    documentation documented documents done dose doses draw drawn draws drop dropped drug drugs duration dx dxed
    earlier earliest ed ehr eight else emergency emr encounter encounters end ended ends entered entire entries
    entry enumerate enumerated episode episodes er etc everything evidence exact exactly exam examination
    examinations exams exceed exhibit exhibited exist existing exists experience experienced extent fall fallen
    falling family far feature fell fetch figure figures file filed final finally finding findings finish finished
    five flag flagged followed following formerly forward found four frequent frequently full further gain gained
    gave gender genuinely getting given giving go goes going gone gotten grand greater h happening health heavy held
    helped heres herself higher highest himself history hit hold holds home hospital hospitalisation
    hospitalisations hospitalised hospitalist hospitalization hospitalizations hospitalized hows hx icd icd10
    identified identify ie im image imaged images imaging immediately immunisation immunisations immunization
    immunizations immunized inactive include included includes including increase increased index indicated
    indication info information inhaler initial initially initiated initiation injectable injection inpatient
    inserted insertion instance instances intend intended interested issue issues item items iu iv jab key kg kind
    kindly kinds known lab laboratory labs large lasted lately later lb led length level levels lies life lifetime
    list listed listing lists living locate log logged logs loinc long longer looked looking lose lost lot lower
    lowest made magnitude main make mark marked marks max maximum mean meaning means meant meantime measure measured
    measurement measurements med medical medication medications medicine medicines meds member members mention
    mentioned mentioning mentions meq mg min minimum ml mm mmol moment move moved moving nadir name names near
    nearest net newest newly next nine note noted notes noting number numbers nurse o obtain obtained occasion
    occasions occur occurred occurrence office often oldest onboard ongoing onset onward onwards open operation oral
    order ordered orders original originally outpatient outside outstanding overall overview pair pass past patch
    peak peaked penultimate percent percentage perform performed period personal personally physician physicians
    picked pill pills place placed placement plan plans plasma po point points pr preceding precise precisely
    preferred prescribe prescribed prescribing prescription prescriptions presence present presently previously prob
    problem problems probs procedure procedures provide provider providers provides pulled purpose put question
    quick quickly quote ran range ranges reach reached reaching read reading readings reads really reason reasons
    receive received receives receiving record recorded recording recordings records refer referring regard
    regarding regards regimen register registered regular regularly related relation relative relatives remain
    remains remember remind report reported reports resolve resolved resolves resolving respect respective result
    results retrieve return returned review right rise risen rising room rose roughly run running runs rx rxcui
    rxnorm said say says scale scan scans score scores script second seen serum set sets seven sex share shift
    shifted shot shots showing shown shows sign signs simply single sit sits sitting six size small snomed sole
    solution somebody someone something sort specific specifically spell spelled spray staff stand standing stands
    start started starting starts state states status stay stayed stays stood stop stopped stopping studies study
    subject subjects subsequent suffer suffered suffering suffers sum summarise summarize summary summed supposed
    surgeries surgery surgical suspension sys system tablet tablets take taken takes taking talking tall team
    telling ten term terms test tested testing tests therapy theres third thus times timing together told took tool
    topical total totalled totals trajectory treat treated treating treatment treats trend trending trends truly
    type types undergo undergoes undergone underwent unit units unresolved updated upon usual vaccinated vaccination
    vaccinations vaccine vaccines valid value values varied various vary verify versus visit visited visits vs weigh
    went whats whens wheres whole whos wondering word words work worked works write writes written wrote yearly
    zenith
    """.split()
)
"""Words that need no meaning of their own once an operation and its subject are found."""

STAYS = frozenset(
    """
    admission admissions admitted ambulatory appointment appointments checkup ed emergency encounter encounters er
    hospitalisation hospitalisations hospitalised hospitalization hospitalizations hospitalized inpatient outpatient
    stay stays telehealth visit visits
    """.split()
)
"""Words for an encounter: a subject or the event of a time; never part of another name by themselves."""
