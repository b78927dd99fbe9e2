"""What the synthetic discharge summaries of `sample_corpus.py` say: invented patients, illnesses, sentences.

A sentence marks its mentions as `[CODE text@PERIOD#IDENTITY]`: the kind of mention (`sample_corpus.KINDS`),
where it lies on the patient's timeline (`sample_corpus.PERIODS`) and, for things named more than once, a name
that all of its mentions share. A flag before `]` says that the mention is negated or no fact (`sample_corpus.FLAGS`).
Words in braces are filled in for each patient. Tokens are parted by spaces as in the i2b2 release, and as there
quotation marks and apostrophes are entities of six characters.
"""

SURNAMES = ("Testerman", "Samplewright", "Mockridge", "Fauxley", "Demoville", "Specimen", "Standin",
            "Dummett", "Placeholder", "Fictum", "Makebelieve", "Pretendman")
DOCTORS = ("Notreal", "Sampleson", "Exampler", "Invented", "Mockingham", "Synthetico")

# A standing illness and what the patient takes for it at home.
CHRONIC = (("hypertension", "Lisinopril", "10 mg"), ("type 2 diabetes mellitus", "Metformin", "500 mg"),
           ("hypercholesterolemia", "Simvastatin", "20 mg"), ("hypothyroidism", "Levothyroxine", "50 mcg"),
           ("coronary artery disease", "Aspirin", "81 mg"),
           ("gastroesophageal reflux disease", "Omeprazole", "20 mg"),
           ("chronic kidney disease", "Calcitriol", "0.25 mcg"), ("depression", "Sertraline", "50 mg"),
           ("gout", "Allopurinol", "100 mg"), ("osteoarthritis", "Acetaminophen", "650 mg"),
           ("asthma", "Fluticasone", "110 mcg"), ("Crohn&apos;s disease", "Mesalamine", "800 mg"),
           ("benign prostatic enlargement", "Tamsulosin", "0.4 mg"))

OLD_SURGERY = ("cholecystectomy", "an inguinal hernia repair", "a tonsillectomy", "a total knee replacement",
               "a cataract extraction", "a lumbar laminectomy")
NEGATIVES = ("fever", "chest pain", "nausea", "palpitations", "headache", "weight loss", "dysuria", "syncope")

SCENARIOS = (
    dict(service="medical", diagnosis="community acquired pneumonia",
         clinic="the pulmonary clinic",
         symptoms=("a productive cough", "shortness of breath", "fever", "chills"),
         signs=("crackles at the right base", "increased work of breathing", "dullness to percussion"),
         tests=(("a chest x-ray", "a right lower lobe infiltrate"),
                ("a sputum culture", "gram positive cocci"),
                ("a chest CT", "a small parapneumonic effusion")),
         early=("intravenous fluids", "nebulized Albuterol"),
         course="Levofloxacin",
         procedure=("a diagnostic thoracentesis", "the interventional pulmonary team"),
         complications=("a transient oxygen requirement", "watery diarrhea"),
         late="oral Metronidazole"),
    dict(service="cardiology", diagnosis="decompensated heart failure",
         clinic="the heart failure clinic",
         symptoms=("dyspnea on exertion", "orthopnea", "leg swelling", "weight gain"),
         signs=("an elevated jugular venous pressure", "pitting edema", "bibasilar rales"),
         tests=(("a chest x-ray", "pulmonary vascular congestion"),
                ("an echocardiogram", "a reduced ejection fraction"),
                ("the B-type natriuretic peptide", "marked elevation")),
         early=("intravenous Furosemide", "supplemental oxygen"),
         course="a Furosemide infusion",
         procedure=("a right heart catheterization", "the heart failure team"),
         complications=("hypokalemia", "acute renal insufficiency"),
         late="potassium chloride"),
    dict(service="orthopedic surgery", diagnosis="a left hip fracture",
         clinic="the orthopedic clinic",
         symptoms=("left hip pain", "a mechanical fall", "inability to bear weight", "groin pain"),
         signs=("a shortened left leg", "tenderness over the hip", "ecchymosis"),
         tests=(("a pelvic film", "a displaced femoral neck fracture"),
                ("an electrocardiogram", "sinus tachycardia"),
                ("a postoperative film", "good alignment")),
         early=("intravenous Morphine", "Buck traction"),
         course="Cefazolin",
         procedure=("a left hemiarthroplasty", "the orthopedic team"),
         complications=("acute blood loss anemia", "postoperative delirium"),
         late="two units of packed red cells"),
    dict(service="general surgery", diagnosis="acute appendicitis",
         clinic="the surgical clinic",
         symptoms=("right lower quadrant pain", "nausea", "anorexia", "vomiting"),
         signs=("rebound tenderness", "guarding", "low grade fever"),
         tests=(("an abdominal CT", "a dilated appendix"),
                ("a urinalysis", "trace ketones"),
                ("the final pathology", "suppurative inflammation")),
         early=("intravenous Ondansetron", "lactated Ringer"),
         course="Cefoxitin",
         procedure=("a laparoscopic appendectomy", "the surgical team"),
         complications=("a postoperative ileus", "urinary retention"),
         late="a Foley catheter"),
    dict(service="gastroenterology", diagnosis="a bleeding duodenal ulcer",
         clinic="the gastroenterology clinic",
         symptoms=("melena", "lightheadedness", "fatigue", "epigastric pain"),
         signs=("pallor", "orthostatic hypotension", "epigastric tenderness"),
         tests=(("a nasogastric lavage", "coffee ground material"),
                ("the hematocrit", "a fall of eight points"),
                ("a Helicobacter antigen test", "active infection")),
         early=("two liters of saline", "a blood transfusion"),
         course="a Pantoprazole infusion",
         procedure=("an upper endoscopy with clipping", "the endoscopy team"),
         complications=("a drop in hematocrit", "sinus tachycardia"),
         late="one unit of packed red cells"),
    dict(service="medical", diagnosis="diabetic ketoacidosis",
         clinic="the diabetes clinic",
         symptoms=("polyuria", "excessive thirst", "vomiting", "abdominal pain"),
         signs=("dry mucous membranes", "tachycardia", "deep rapid breathing"),
         tests=(("a serum glucose", "severe hyperglycemia"),
                ("a venous blood gas", "an anion gap acidosis"),
                ("a hemoglobin A1c", "poor control")),
         early=("three liters of saline", "regular insulin"),
         course="an insulin infusion",
         procedure=("a central line placement", "the critical care team"),
         complications=("hypophosphatemia", "hypokalemia"),
         late="potassium phosphate"),
    dict(service="medical", diagnosis="cellulitis of the right leg",
         clinic="the wound clinic",
         symptoms=("right leg redness", "right leg swelling", "fever", "chills"),
         signs=("erythema to the knee", "warmth", "a small ulcer"),
         tests=(("a venous ultrasound", "no deep vein thrombosis"),
                ("blood cultures", "no growth"),
                ("a wound culture", "methicillin sensitive staphylococcus")),
         early=("intravenous Vancomycin", "oral Oxycodone"),
         course="Nafcillin",
         procedure=("an incision and drainage", "the vascular surgery team"),
         complications=("a maculopapular rash", "nausea"),
         late="Diphenhydramine"),
    dict(service="neurology", diagnosis="a left thalamic stroke",
         clinic="the stroke clinic",
         symptoms=("right arm weakness", "slurred speech", "numbness", "unsteady gait"),
         signs=("a right facial droop", "right pronator drift", "dysarthria"),
         tests=(("a head CT", "no hemorrhage"),
                ("a brain MRI", "restricted diffusion"),
                ("a carotid ultrasound", "moderate stenosis")),
         early=("Aspirin 325 mg", "permissive hypertension"),
         course="a heparin infusion",
         procedure=("a swallowing evaluation", "the speech therapy team"),
         complications=("an aspiration event", "a urinary tract infection"),
         late="Ciprofloxacin"),
    dict(service="medical", diagnosis="urosepsis",
         clinic="the urology clinic",
         symptoms=("flank pain", "dysuria", "fever", "confusion"),
         signs=("costovertebral tenderness", "hypotension", "lethargy"),
         tests=(("a urinalysis", "pyuria"),
                ("blood cultures", "gram negative rods"),
                ("a renal ultrasound", "mild hydronephrosis")),
         early=("two liters of saline", "intravenous Gentamicin"),
         course="Ceftriaxone",
         procedure=("a ureteral stent placement", "the urology team"),
         complications=("acute renal insufficiency", "atrial fibrillation"),
         late="Diltiazem"),
    dict(service="cardiology", diagnosis="an acute pulmonary embolism",
         clinic="the anticoagulation clinic",
         symptoms=("pleuritic chest pain", "shortness of breath", "calf swelling", "palpitations"),
         signs=("tachypnea", "a tender right calf", "tachycardia"),
         tests=(("a chest CT", "a segmental filling defect"),
                ("an electrocardiogram", "right heart strain"),
                ("a venous ultrasound", "a popliteal vein thrombosis")),
         early=("supplemental oxygen", "a heparin bolus"),
         course="a heparin infusion",
         procedure=("an inferior vena cava filter placement", "the interventional radiology team"),
         complications=("epistaxis", "hemoptysis"),
         late="nasal packing"),
)

# How the text of a time expression tells its `mod`.
MODS = {"few": "APPROX", "about": "APPROX", "more": "MORE", "early": "START", "late": "END", "mid": "MIDDLE"}

# The groups of a section: how likely a note has it (of the notes of middle length; 1: every note does), and the variants
# of which one is drawn. Events of the history are linked to the admission, those of the course to the discharge.
HISTORY = (
    (1, (
        "The patient is a {age} year old {sex} with [P {chronic_1}@chronic#c1] and [P {chronic_2}@chronic#c2]"
        " who [O presented@ed] with [U {about}{span}@home_span] of [P {symptom_1}@{home_1}#s1] and"
        " [P {symptom_2}@{home_2}#s2] .",
        "{title} {name} is a {age} year old {sex} with a history of [P {chronic_1}@chronic#c1] who"
        " [O was brought@ed] to [C the emergency department@ed] after [U {about}{span}@home_span] of"
        " [P {symptom_1}@{home_1}#s1] and [P {symptom_2}@{home_2}#s2] .",
        "This {age} year old {sex} with [P {chronic_1}@chronic#c1] was in {his} usual state of health until"
        " [D {ago}@home] , when {he} [O noticed@home] [P {symptom_1}@{home_1}#s1] followed by"
        " [P {symptom_2}@{home_2}#s2] .")),
    (0.6, (
        "{He} lives with a daughter and two cats in the town of Exampleton , and walks without a cane .",
        "{He} lives alone on the second floor , is retired from the post office and does not smoke .",
        "The history is from {him} and from the notes of Dr. {doctor} , who has known {him} for many years .")),
    (0.45, (
        "{He} [O underwent@past] [R {surgery}@past] in [D {when}{surgery_year}@past] .",)),
    (0.3, (
        "{His} medications at home are [R {home_drug_1}@home_drugs] {dose_1} [F {frequency_1}@home_drugs] and"
        " [R {home_drug_2}@home_drugs] {dose_2} .",)),
    (0.5, (
        "At home {he} also had [P {symptom_3}@home] and [O took@home] [R over the counter Ibuprofen@home] .",
        "{He} [O called@home] {his} primary care physician , who [O prescribed@home] [R oral Azithromycin@home]"
        " for [P {symptom_3}@home] .",
        "The patient&apos;s family [V reported@ed] [P {symptom_3}@home] on [D {home_date}@home] .",
        "{He} [V described@ed] [P &quot; {symptom_3} &quot;@home] .")),
    (0.5, ("{outcome}",)),
    (0.4, (
        "{He} [V denied@ed] [P {negative_1}@ed!] and [P {negative_2}@ed!] .",
        "There was no [P {negative_1}@home!] and no [P {negative_2}@home!] .")),
    (0.4, (
        "In [C the emergency department@ed] , [T {test_1}@ed] [V showed@ed] [P {finding_1}@ed] .",
        "On arrival [T {test_1}@ed] was [O obtained@ed] and [V revealed@ed] [P {finding_1}@ed] .",
        "[T The examination@ed] [V disclosed@ed] [P {sign_1}@ed] and [P {sign_2}@ed] .")),
    (1, (
        "{He} [O was given@ed] [R {early_1}@ed] and was [O admitted@adm#admission] .",
        "[R {early_1}@ed] was [O given@ed] in triage and {he} was [O admitted@adm#admission] to"
        " [C the {service} service@adm] .",
        "{He} was [O treated@ed] with [R {early_1}@ed] before {he} was [O admitted@adm#admission] .")),
)

# What became of the first symptom by the time of admission decides between BEFORE and BEFORE_OVERLAP.
OUTCOMES = {
    "home": ("[P The initial complaint@home#s1] had [O resolved@home_late] by"
             " [D the morning of admission@home_late] .",
             "By [D the next day@home_late] [P the initial complaint@home#s1] was [O gone@home_late] ."),
    "home_open": ("[P This symptom@home_open#s1] was still present when {he} [O arrived@ed] .",
                  "On [O arrival@ed] [P this symptom@home_open#s1] had not changed ."),
}

COURSE = (
    (1, (
        "On [D hospital day two@day1] , [R {course}@course_1_3#course] was [O started@day1] for"
        " [P {diagnosis}@illness#dx] .",
        "{He} was [O begun@day1] on [R {course}@course_1_3#course] for presumed [P {diagnosis}@illness#dx] .",
        "[O Consultation@day1] with [C {team}@day1] led to [U {course_days} days@course_1_3#course] of"
        " [R {course}@course_1_3#course] for [P {diagnosis}@illness#dx] .")),
    (0.5, (
        "Over [U the first 24 hours@day1_span] {he} [O required@day1] [R {early_2}@day1] and"
        " [P agitation@day1] [O improved@day1] .",
        "During [O the intensive care unit stay@day1_span] {he} [O was monitored@day1] and [O placed@day1] on"
        " [R {early_2}@day1] .")),
    (0.4, (
        "[T {Test_2}@day2] on [D {day2}@day2] [V demonstrated@day2] [P {finding_2}@day2] .",
        "[T {Test_2}@{when_2}] was [O performed@{when_2}] and [V confirmed@{when_2}] [P {finding_2}@{when_2}] .")),
    (0.5, (
        "On [D {day2}@day2] {he} [O underwent@day2] [R {procedure}@day2#procedure] by [C {team}@day2] .",
        "{He} was [O taken@day2] for [R {procedure}@day2#procedure] on [D {day2}@day2] .\n"
        "[R The procedure@day2#procedure] was [O tolerated@day2] well and {he} [O returned@day2_late] to"
        " [C the floor@day2_late] .",
        "{He} was [O taken@day2] for [R {procedure}@day2#procedure] .\n"
        "There were no [P complications@day2!] of [R the procedure@day2#procedure] and {he} was"
        " [O transferred@day2_late] to [C the ward@day2_late] .")),
    (0.6, (
        "Dr. {doctor} agreed with the plan , and the family was told of it .",
        "{He} was up to date with {his} shots , ate well and was in good spirits .",
        "All questions of {his} family were answered by Dr. {doctor} and the team .")),
    (0.4, (
        "On [D {day3}@day3] {he} [O developed@day3] [P {complication}@day3] , which was"
        " [O managed@day3_late] with [R {late}@day3_late] .",
        "The course was [O complicated@day3] by [P {complication}@day3] on [D {day3}@day3] , and"
        " [R {late}@day3_late] was [O ordered@day3_late] .")),
    (0.3, (
        "[R {Course}@course_1_3#course] was [O stopped@day3] at that point .",
        "[R {Course}@course_1_3#course] was [O discontinued@day3] .")),
    (0.3, (
        "Over [U the following {rest} days@late_span] {he} [O worked@late] with [R physical therapy@late] and"
        " [O ambulated@late] .",
        "During [U the final {rest} days@late_span] {his} [O diet was advanced@late] and"
        " [R oral medications@late] were [O tolerated@late] .")),
    (0.3, (
        "[T {Test_3}@{when_3}] [V documented@{when_3}] [P {finding_3}@{when_3}] .",
        "[T {Test_3}@{when_3}] was [O repeated@{when_3}] and [V documented@{when_3}] [P {finding_3}@{when_3}] .")),
    (0.3, ("{lasting}",)),
    (0.2, (
        "[O The hospital stay@stay#stay] lasted [U {stay} days@stay#stay] .",
        "In all [U {stay} days@stay#stay] were spent in hospital , and [O the hospitalization@stay#stay] was"
        " otherwise uneventful .")),
    (1, (
        "{He} was [O discharged@dis#discharge] to home .",
        "[O Transfer@late] to a rehabilitation center was [O arranged@late] , and {he} [O left@dis#discharge] .",
        "{He} was [O discharged@dis#discharge] to home on [R {leave_drug_1}@day3_late] {dose_1}"
        " [F {frequency_1}@day3_late] .",
        "{He} was [O discharged@dis#discharge] home and will [O follow up@after+] in [C {clinic}@after] in"
        " [D {weeks} weeks@after] .",
        "{He} was [O discharged@dis#discharge] to a rehabilitation center and should [O return@after~] for"
        " [P worsening {symptom_1_short}@after?] .")),
)

# Told only when the second symptom did last into the stay.
LASTING = ("By [D {late_day}@late] [P the presenting symptom@home_lasting#s2] had [O cleared@late] .",
           "[P The presenting symptom@home_lasting#s2] finally [O subsided@late] on [D {late_day}@late] .")
BRIEF = ("{He} was [O feeling well@late] on [D {late_day}@late] .",
         "[D {late_day}@late] was [O uneventful@late] .")

# The headings of the two hospitals' notes; the second writes its dates year first.
HEADINGS = {
    "capitals": (("HISTORY OF PRESENT ILLNESS :",), ("HOSPITAL COURSE :", "HOSPITAL COURSE BY SYSTEM :")),
    "mixed": (("History of Present Illness :",), ("Brief Hospital Course :",)),
}

# Sentences that show a habit of the corpus (sample_habits.HABITS) and the section they end.
SPECIAL = {
    "ampersand": ("course", "{He} was [O seen@day1] by [C the L&D team@day1] and [V noted@day1] to be [P A&Ox3@day1] .\n"
                            "[T H & H@day2] was [O followed@day2] ."),
    "quotation": ("course", "{He} [V complained@day3] of [P &quot; pins and needles &quot;@day3] ."),
    "list": ("course", "Plan :\n1 .\n[O Continue@day3_late+] [R Heparin@day3_late] 5000 units subq .\n"
                       "[F q.d .@day3_late] and\n2 .\n[O ambulate@day3_late+] ."),
    "broken mention": ("history", "There was also [P pain on\ndeep inspiration@home] ."),
    "parts of a year": ("history", "{He} had been [O seen@past] in [D early {surgery_year}@past] and [D mid {surgery_year}@past] ,"
                                   " and was [O well@past] by [D late {surgery_year}@past] ."),
    "fraction": ("course", "[R 1\u20442 tablet of Metoprolol@day3_late] was [O given@day3_late] ."),
    "hypothetical": ("course", "[R A second antibiotic@after^] would be [O added@after^] for [P any fever@after^] ."),
    "clock": ("course", "At [D 2:30 p.m.@day2_late] on [D {day2}@day2] [T blood pressure@day2_late] was {pressure} ,"
                        " and by [D midnight@day2_late] {he} [O felt better@day2_late] ."),
    "frequencies": ("course", "{He} [O took@day3_late] [R {late}@day3_late] [F q1h@day3_late] , then [F q8h@day3_late] ,"
                              " [F b.i.d.@day3_late] and [F p.r.n.@day3_late] for [U five seconds@day3_late] at a time ,"
                              " and later for [U two months@late] ."),
}
