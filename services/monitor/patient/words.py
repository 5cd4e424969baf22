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
