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

_CARRIERS = frozenset(
    """
    10th 2nd 3rd 4th 5th 6th 7th 8th 9th archive assay assays attendance attendances books bout bouts caps deliver
    delivered determination determinations distinct eighth entitled fifth fourth informations inj modality ninth oint
    rating ratings sample sampled samples sampling separate session sessions seventh sixth soln specimen specimens store
    stored submit susp tab tabs tenth transcribe
    """.split()
)
"""What a value, an illness or a drug comes in, how it is kept, and forms of drugs that are cut short."""

BENIGN = (
    FUNCTION_WORDS
    | _CARRIERS
    | frozenset(
        """
    abnormal abnormalities abnormality above absolute according across active actual actually add additional adds
    administered administration admission admissions admitted admitting afternoon against aged aid allergen
    allergens allergic allergies allergy along already altogether amount amounts annually answer answers anybody
    anyone anything anyway anywhere apart appear appeared appears applicable applies apply appointment appointments
    appreciate approximately arithmetic around asap ask asked asking asks associated assume assuming attend attended
    attending attends author authored available average averaged averaging avg aware away back baseline basically
    became become becomes began begin beginning begun believe belonging below beyond big birth bit bloke board
    booster born boss brief briefly bring bringing brings btw calculate calculated calendar called came capsule
    capsules capture captured care carried carries carry carrying certainly chance change changed changes changing
    chap chart charted charting charts checked checking checks cheers cleared client clinic clinical clinician
    clinicians closest cm code codes colleague colleagues collect collected combined come comes compare compared
    comparison complete completed compute computed concerning condition conditions confirm confirmation confirmed
    confirms connected contain contained containing contains continue continued continues continuing corresponding
    count counted course cream critical curious cvx daily data dated dates dating decrease decreased definitely
    delta department describe describing detail details detect detected detects develop developed dia diagnose
    diagnosed diagnoses diagnosis die dies differ differed difference different dipped discharge discharged
    discontinuation discontinue discontinued discussing disease diseases disorder display dl doc doctors document
    documentation documented documents done dose doses draw drawn draws drop dropped drug drugs duration dx dxed
    earlier earliest ed ehr eight else emergency emr encounter encounters end ended ends entered entire entries
    entry enumerate enumerated episode episodes er established etc evening eventually everything evidence exact
    exactly exam examination examinations exams exceed exhibit exhibited exist existing exists experience
    experienced extent fall fallen falling family fancy far fast favor favour feature fell fellow fetch figure
    figures file filed final finally finding findings finds finish finished five flag flagged folks followed
    following formerly forward found four frequent frequently full further fyi gain gained gave gender generally
    genuinely getting given gives giving gladly go goes going gone gotten grab grand greater guess guys h handy
    happening happens health hear heard heavy held help helped heres herself higher highest himself history hit hold
    holds home honest honestly hope hoping hospital hospitalisation hospitalisations hospitalised hospitalist
    hospitalization hospitalizations hospitalized hows hx icd icd10 identified identify ie im image imaged images
    imaging immediately immunisation immunisations immunization immunizations immunized inactive include included
    includes including increase increased indeed index indicated indication info information inhale inhaler inhales
    inhaling initial initially initiated initiation inject injectable injected injecting injection injects inpatient
    inserted insertion instance instances intend intended interest interested issue issues item items iu iv jab keep
    keeps kept key kg kind kindly kinds known lab laboratory labs lad large lass lasted lastly lately later lb led
    length level levels lies life lifetime line list listed listing lists living locate log logged logs loinc long
    longer looked looking lose lost lot lower lowest made magnitude main make makes making mark marked marks matter
    max maximum maybe mean meaning means meant meantime measure measured measurement measurements med medical
    medication medications medicine medicines meds member members memory mention mentioned mentioning mentions meq
    mg min mind minimum ml mm mmol moment morning move moved moving nadir name names near nearest net newest newly
    next nine note noted notes notice noticed noting number numbers nurse o obtain obtained obviously occasion
    occasions occur occurred occurrence office often oldest onboard ongoing onset onward onwards open operation oral
    order ordered orders original originally outpatient outside outstanding overall overview pair part parts pass
    past patch peak peaked penultimate percent percentage perform performed perhaps period personal personally
    physician physicians picked pill pills place placed placement plan plans plasma please po point points pos pr
    practice preceded preceding precise precisely preferred prescribe prescribed prescribing prescription
    prescriptions presence present presently previously prob problem problems probs procedure procedures provide
    provider providers provides pull pulled pulling purpose put quantity query question quick quickly quote ran
    range ranges reach reached reaching react read reading readings reads really reason reasons recall receive
    received receives receiving reckon record recorded recording recordings records refer referring regard regarding
    regards regimen register registered regular regularly related relation relative relatives remain remains
    remember remind report reported reports resolve resolved resolves resolving respect respective result results
    retrieve return returned review right rise risen rising room rose roughly run running runs rx rxcui rxnorm said
    sake say says scale scan scans score scores script second seeing seem seemed seems seen serum set sets seven sex
    share shift shifted shot shots showing shown shows sign signs simply single sit sits sitting six size small
    snomed sole solution somebody someone something soon sorry sort specific specifically spell spelled spot spray
    staff stand standing stands start started starting starts state states status stay stayed stays stood stop
    stopped stopping studies study stuff subject subjects subsequent suffer suffered suffering suffers sum summarise
    summarize summary summed supposed surgeries surgery surgical suspension swallow swallowing swallows sys system
    ta tablet tablets take taken takes taking talking tall team telling ten term terms test tested testing tests
    therapy theres thing things think thinks third thought thus times timing together told took tool topical total
    totalled totals trajectory treat treated treating treatment treats trend trending trends tried truly try trying
    turn turned turns type types undergo undergoes undergone understand understood underwent unit units unresolved
    updated upon usual vaccinated vaccination vaccinations vaccine vaccines valid value values varied various vary
    verify versus visit visited visits vs wanted wants way weigh went whatever whats whens wheres whole whos wise
    wish wondering wonders word words work worked works write writes written wrote yearly young zenith
    """.split()
    )
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
