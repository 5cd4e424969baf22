-- name: put
-- Stores pictures, each patient once, and erases those without a document; what a later owner or record brought stays. A row
-- comes back only where something changed.
INSERT INTO pictures (
    patient_key, epoch, record_offset, patient_id, facility, unit, clock, severity, words, document, stored_at
)
SELECT
    patient_key, epoch, record_offset, patient_id, facility, unit, clock, severity::severity,
    array_to_tsvector(string_to_array(words, ' ')), document::json, $11
FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[],
    $10::text[]
) AS found (patient_key, epoch, record_offset, patient_id, facility, unit, clock, severity, words, document)
ON CONFLICT (patient_key) DO UPDATE SET
    epoch = excluded.epoch,
    record_offset = excluded.record_offset,
    patient_id = excluded.patient_id,
    facility = excluded.facility,
    unit = excluded.unit,
    clock = excluded.clock,
    severity = excluded.severity,
    words = excluded.words,
    document = excluded.document,
    stored_at = excluded.stored_at
WHERE (pictures.epoch, pictures.record_offset) < (excluded.epoch, excluded.record_offset)
RETURNING patient_key;

-- name: find
-- The picture of one patient.
SELECT document FROM pictures WHERE patient_key = $1 AND document IS NOT NULL;

-- name: listed
-- Patients of a unit who are on a medicine, each where it is given: the gravest open problem first, then the latest news.
SELECT document FROM pictures
WHERE document IS NOT NULL
    AND ($1::text IS NULL OR unit = $1)
    AND ($2::text IS NULL OR words @@ $2::tsquery)
ORDER BY severity, clock DESC, patient_key
LIMIT $3;

-- name: by_id
-- Patients whose id begins so, in small letters or capitals; $1 is a LIKE pattern.
SELECT document FROM pictures
WHERE document IS NOT NULL AND lower(patient_id) LIKE lower($1)
ORDER BY lower(patient_id), patient_key
LIMIT $2;

-- name: units
-- Every unit that has patients, one step along the index for each.
WITH RECURSIVE units AS (
    (SELECT unit FROM pictures WHERE document IS NOT NULL AND unit > '' ORDER BY unit LIMIT 1)
    UNION ALL
    SELECT (
        SELECT pictures.unit FROM pictures
        WHERE document IS NOT NULL AND pictures.unit > units.unit
        ORDER BY pictures.unit
        LIMIT 1
    )
    FROM units
    WHERE units.unit IS NOT NULL
)
SELECT unit FROM units WHERE unit IS NOT NULL LIMIT $1;
