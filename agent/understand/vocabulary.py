"""Words that name nothing by themselves: what a question may hold beside its subject, its cues and its times.

All are in the normal form of `fhir_tools.codes.words_of`, in alphabetical order.
"""

from __future__ import annotations

__all__ = ["BENIGN", "FUNCTION_WORDS", "STAYS"]

FUNCTION_WORDS = frozenset(
    """
    a about after again age ago ain albeit all alongside also although am amid amidst among amongst an and any
    anybody anyhow anyone anything april are aren around as at atop august be because been before being beneath
    beside between both boy but by can cannot check could couldn current currently d date day days dear did didn do
    doctor does doesn doing don dr during each either enough even ever every everybody everyone everything female
    few find first for from gentleman get girl give gonna got gotta guy had hadn happen happened happens has hasn
    have haven having he hello help hence her here hereby hers herself hey hi high him himself his hour hours how i
    if in individual inside into is isn it itll its itself july june just kinda know lady last latest least less let
    like ll look lot lots low male man many mar march may me might mine minute minutes month months more most mr mrs
    ms much must my myself need negative neither never nevertheless new no nonetheless normal not now of off ok okay
    old on once one ones oneself only onto or other our ours ourselves out outta over own patient patients per
    person please pls plus pm positive previous prior pt pts pull quite rather re recent recently round s same sat
    see several shall she should show since so some somebody somehow someone something sometime somewhat somewhere
    sorta still such sun t tell than thank thanks that the their theirs them then there thereby therefore therein
    thereof these they theyre this those though three through throughout thru thx til till time to today too toward
    towards two under underneath until up upto us use used uses using ve very via wanna want was wasn we week weeks
    were weren what whatever when whenever where wherever whether which whichever while who whoever whom whomever
    whose why will with within without woman won would ya yeah year years yep yes yet you your youre yourself
    yourselves yup
    """.split()
)
"""Words that alone name nothing in a chart, whatever the lexicon thinks of their letters."""

_CARRIERS = frozenset(
    """
    10th 2nd 3rd 4th 5th 6th 7th 8th 9th archive assay assays attendance attendances books bout bouts caps deliver
    delivered determination determinations distinct eighth entitled fifth fourth informations inj modality ninth
    oint rating ratings sample sampled samples sampling separate session sessions seventh sixth soln specimen
    specimens store stored submit susp tab tabs tenth transcribe
    """.split()
)
"""What a value, an illness or a drug comes in, how it is kept, and forms of drugs that are cut short."""

_BESIDE = frozenset(
    """
    abnormal abnormalities abnormality above absolute absolutely accessible according accordingly accurately across
    active actual actually add additional adds administered administration admission admissions admitted admitting
    adverse afternoon against aged aid allergen allergens allergic allergies allergy along already alright
    altogether amount amounts anamnesis annually answer answers anybody anyone anything anyway anywhere apart
    apologies apparently appear appeared appears applicable applies apply appointment appointments appreciate approx
    approximately archived archives arithmetic arithmetically around asap ask asked asking asks associated assume
    assuming attend attended attending attends author authored available average averaged averaging avg aware away
    back baseline basically became become becomes began begin beginning begun believe belonging below beyond big
    birth bit bloke board booster born boss bother bothering brief briefly bring bringing brings browse btw buddy
    calculate calculated calendar called came capsule capsules capture captured care carried carries carry carrying
    case cases certainly chance change changed changes changing chap chart charted charting charts chartwise checked
    checking checks cheers chiefly chronological chronologically circa citation citations cite clarification clarify
    cleared clearly clerk clerked client clinic clinical clinically clinician clinicians closest clue cm code codes
    colleague colleagues collect collected columns combined come comes comment compare compared comparison compile
    compiled complete completed completely comprehensive comprehensively compute computed conceivably concerning
    concise condition conditions confirm confirmation confirmed confirms connected contain contained containing
    contains continue continued continues continuing correctly corresponding count counted course cream critical
    curiosity curious curiously cvx daily data datapoint datapoints dataset dated dates dating datum decidedly
    decrease decreased definitely delta department describe describing detail details detect detected detects
    develop developed dia diagnose diagnosed diagnoses diagnosis die dies differ differed difference different dig
    digging dipped directly discharge discharged discontinuation discontinue discontinued discover discovered
    discovery discussing disease diseases disorder display displayed distinctly dl doc doctor doctors document
    documentation documented documents done dose doses draw drawn draws drop dropped drug drugs dug duly duration dx
    dxed earlier earliest easily ed ehr eight electronic else emergency emr encoded encounter encounters end ended
    ends entered entire entirely entries entry enumerate enumerated episode episodes er essentially establish
    established etc evening eventually everything evidence evidently exact exactly exam examination examinations
    exams exceed exhibit exhibited exist existing exists experience experienced explicitly extent extract extracted
    facility fairly fall fallen falling family fancy far fast favor favour feature fell fella fellow fetch field
    fields figure figures file filed final finally finding findings finds finish finished fish five flag flagged
    flowsheet flowsheets folder folders folk folks followed following forgive formerly forward found four frankly
    frequent frequently full fully further fyi gain gained gal gather gathered gave gender generally genuinely
    getting given gives giving gladly go goes going gone gotta gotten grab grand grateful greater greetings grouped
    grown guess guys h handful handy happening happens health hear heard heavy held help helped heres herself higher
    highest himself history hit hold holds honest honestly hope hopefully hoping hospital hospitalisation
    hospitalisations hospitalised hospitalist hospitalization hospitalizations hospitalized hows hunt hx icd icd10
    idea identified identify identity ie im image imaged images imaging immediately immunisation immunisations
    immunization immunizations immunized inactive incidentally include included includes including
    increase increased indeed index indicated indication inevitably info inform information informed inhale inhaler
    inhales inhaling initial initially initiated initiation inject injectable injected injecting injection injects
    inpatient inquire inquiry inserted insertion instance instances instant intend intended interest interested
    issue issues item items iu iv jab jot keep keeps kept key kg kiddo kind kindly kinds knowing knowledge known lab
    laboratory labs lad large lass lasted lastly lately later lb learn learned learnt led length level levels lies
    life lifetime line list listed listing lists literally living locate log logged logs loinc long longer looked
    looking lose lost lot lower lowest luck maam madam made magnitude main mainly maintained make makes making mark
    marked marks mate matter max maximum maybe mean meaning means meant meantime meanwhile measure measured
    measurement measurements med medical medically medication medications medicine medicines meds member members
    memo memory mention mentioned mentioning mentions meq merely mg min mind minimum ml mm mmol moment morning move
    moved moving nadir name names naturally near nearest net newest newly next nicely nine notably note noted notes
    notice noticeable noticed noting number numbers numeric numerical numerically nurse o observe observed obtain
    obtained obviously occasion occasions occur occurred occurrence offhand office official officially often oh ok
    okay oldest onboard ongoing online onset onward onwards open openly operation oral order ordered orders original
    originally outcome outcomes outline outpatient outside outstanding overall overview page pages pair paper papers
    paperwork part participant participants particular particularly parts pass past patch peak peaked penultimate
    percent percentage perfectly perform performed perhaps period personal personally physician physicians picked
    pill pills pinpoint place placed placement plan plans plasma please po point points portal pos possess pr
    practice practitioner preceded preceding precise precisely preferably preferred prescribe prescribed prescribing
    prescription prescriptions presence present presently presumably pretty previously primarily principally print
    printed printout prob problem problems probs procedure procedures promptly pronto properly provide provider
    providers provides publish pull pulled pulling purpose put quantify quantity query question quick quickly quote
    ran range ranges ranked rattle reach reached reaching react read readily reading readings reads reality really
    reason reasons recall recap receive received receives receiving recite reckon record recorded recording
    recordings records refer referring regard regarding regards regimen register registered registry regular
    regularly related relation relative relatives relay remain remains remember remind report reported reports
    resident residents resolve resolved resolves resolving respect respective restate result results retrieve return
    returned reveal revealed revealing review rise risen rising room rose roughly roundup row rows run rundown
    running runs rx rxcui rxnorm said sake say says scale scan scans score scores script scroll search searching sec
    second section sections seeing seem seemed seemingly seems seen separately serum service services set sets seven
    sex share shift shifted shortly shot shots showed showing shown shows sign signs simple simply sincerely single
    sir sit sits sitting six size slightly small snapshot snomed sole solution somebody someone someplace something
    soon sorry sort sorted sorting specific specifically specified specify spell spelled spot spray spreadsheet
    staff stand standing stands start started starting starts stash state states status stay stayed stays stood stop
    stopped stopping strictly studies study stuff subject subjects subsequent substance substances suffer suffered
    suffering suffers sum summarily summarise summarize summary summed supplied supply supposed surely surface
    surfaced surgeries surgery surgical suspension swallow swallowing swallows swiftly sys system ta tablet tablets
    tabulate take taken takes taking talking tall tally team telling ten term terms test tested testing tests
    thankful therapy theres thing things think thinks third thought thus timeline times timestamp timestamps timing
    together told took tool topical total totalled totally totals tracker trajectory treat treated treating
    treatment treats trend trending trends tried truly try trying turn turned turns type typed types ultimately
    undergo undergoes undergone understand understood underwent undoubtedly unit units universal unresolved updated
    upon usefully usual vaccinated vaccination vaccinations vaccine vaccines valid value values varied various vary
    verbatim verify versus very veteran view viewed viewing visit visited visits vs wanted wants way weigh went
    whatever whats whens wheres whole wholly whos wise wish wondered wondering wonders word words work worked works
    worth write writes written wrote yearly young zenith
    """.split()
)

BENIGN = FUNCTION_WORDS | _CARRIERS | _BESIDE
"""Words that need no meaning of their own once an operation and its subject are found."""

STAYS = frozenset(
    """
    admission admissions admitted ambulatory appointment appointments checkup ed emergency encounter encounters er
    hospitalisation hospitalisations hospitalised hospitalization hospitalizations hospitalized inpatient outpatient
    stay stays telehealth visit visits
    """.split()
)
"""Words for an encounter: a subject or the event of a time; never part of another name by themselves."""
