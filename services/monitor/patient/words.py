"""Words that many states hold, for the compressor of ``stored`` to begin with.

Stored states can be read only with the very words they were written with: a line is never changed. A better list is a new
name, and ``stored`` then tells the two apart by the checksum that zlib writes at the beginning.
"""

from __future__ import annotations

WORDS_1 = (
    b"prescription dispensing returned dispensed cancelled entered_in_error corrected preliminary discontinued resumed held "
    b"changed weighed stated weight height kg cm emergency outpatient facility unit discharged_at admitted_at "
    b"encounter_class inpatient verification confirmed refuted severity moderate severe mild reaction substance text "
    b"ingredients name onset ended resolved inactive active status codings display http://snomed.info/sct SNOMED CT ICD-10 "
    b"system ICD-9-CM code critical-lab drug-drug-interaction :high :low implicated citations history knowledge_version "
    b"tablet capsule solution injection inhaled topical ophthalmic subcutaneous intravenous oral sodium chloride 0.9% "
    b"albumin alkaline phosphatase aspartate aminotransferase (AST) alanine aminotransferase (ALT) lactate dehydrogenase "
    b"creatine kinase vancomycin digoxin phenytoin lithium troponin fibrinogen neutrophils leukocytes white blood cells "
    b"platelet count platelets hemoglobin hematocrit INR(PT) PTT bilirubin, total lactate ionized calcium, total phosphate "
    b"magnesium urea nitrogen creatinine bicarbonate chloride glucose sodium potassium Albumin Alkaline Phosphatase "
    b"Asparate Aminotransferase (AST) Alanine Aminotransferase (ALT) White Blood Cells Platelet Count Hemoglobin Bilirubin, "
    b"Total Calcium, Total Phosphate Magnesium Urea Nitrogen Creatinine Bicarbonate Chloride Glucose Sodium Potassium "
    b"received_at index offset partition topic value high NEB PO/NG SUBCUT DROP CAP TAB UNIT PR IH IM SC IV PO mcg mL mg "
    b"IU/L U/L K/uL m/uL 10*3/uL ug/mL ng/mL mEq/L mmol/L g/dL mg/dL final ordered"
)

WORDS_2 = (
    # names of medicines that hospitals order often, and how orders write forms and ways
    b"acetaminophen docusate sennosides polyethylene glycol bisacodyl ondansetron metoclopramide prochlorperazine "
    b"pantoprazole omeprazole esomeprazole famotidine sucralfate heparin enoxaparin apixaban rivaroxaban dabigatran "
    b"warfarin fondaparinux aspirin clopidogrel ticagrelor prasugrel atorvastatin rosuvastatin simvastatin pravastatin "
    b"ezetimibe fenofibrate gemfibrozil metoprolol carvedilol atenolol bisoprolol propranolol labetalol amlodipine "
    b"nifedipine diltiazem verapamil lisinopril enalapril ramipril losartan valsartan sacubitril furosemide bumetanide "
    b"torsemide hydrochlorothiazide chlorthalidone spironolactone hydralazine isosorbide mononitrate isosorbide dinitrate "
    b"nitroglycerin clonidine digoxin amiodarone sotalol flecainide potassium chloride magnesium sulfate magnesium oxide "
    b"calcium gluconate calcium carbonate sodium bicarbonate sevelamer folic acid thiamine cyanocobalamin cholecalciferol "
    b"ferrous sulfate levothyroxine insulin lispro insulin aspart insulin glargine insulin detemir metformin glipizide "
    b"glimepiride sitagliptin empagliflozin prednisone methylprednisolone dexamethasone hydrocortisone albuterol "
    b"ipratropium tiotropium budesonide montelukast guaifenesin oxycodone hydromorphone morphine fentanyl tramadol "
    b"methadone naloxone ketorolac ibuprofen celecoxib gabapentin pregabalin cyclobenzaprine baclofen tizanidine "
    b"lidocaine lorazepam alprazolam clonazepam midazolam zolpidem melatonin trazodone sertraline escitalopram citalopram "
    b"fluoxetine paroxetine duloxetine venlafaxine mirtazapine bupropion amitriptyline buspirone quetiapine haloperidol "
    b"olanzapine risperidone aripiprazole clozapine lithium levetiracetam phenytoin valproate carbamazepine lamotrigine "
    b"donepezil memantine diphenhydramine hydroxyzine loratadine tamsulosin finasteride oxybutynin allopurinol colchicine "
    b"ceftriaxone cefazolin cefepime piperacillin tazobactam meropenem ampicillin sulbactam vancomycin azithromycin "
    b"levofloxacin ciprofloxacin metronidazole doxycycline sulfamethoxazole trimethoprim linezolid gentamicin clindamycin "
    b"fluconazole acyclovir tacrolimus mycophenolate methotrexate norepinephrine propofol tablet capsule vial syringe bag "
    b"premix patch suspension liquid inhaler nebulizer CAP VIAL SYR AMP BAG PTCH INH SUPP DROP UDCUP TAB PO/NG PR TP IH "
    b"SC SUBCUT IM IV PO UNIT mcg mEq gm mL mg "
) + WORDS_1
