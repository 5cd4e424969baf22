-- The picture of each patient as last published, with what it is searched by.

CREATE TABLE pictures (
    patient_key text PRIMARY KEY,
    epoch bigint NOT NULL,
    record_offset bigint NOT NULL,
    patient_id text,
    facility text NOT NULL,
    unit text NOT NULL,
    clock timestamptz,
    severity severity,
    words tsvector NOT NULL,
    stored_at timestamptz NOT NULL,
    document json
);
COMMENT ON TABLE pictures IS 'One row a patient. An erased patient leaves the key and the order only, so that no late record brings it back.';
COMMENT ON COLUMN pictures.patient_key IS 'Stands for the patient in addresses, which end in histories and logs.';
COMMENT ON COLUMN pictures.epoch IS 'Only a record of the same or a later owner replaces a picture: a former owner may wake up late.';
COMMENT ON COLUMN pictures.record_offset IS 'Where it stood on medication.patients: the order of the pictures of one owner.';
COMMENT ON COLUMN pictures.severity IS 'Of the gravest open problem; null where there is none.';
COMMENT ON COLUMN pictures.words IS 'The words of the medicines in force: their labels and their ingredients.';
COMMENT ON COLUMN pictures.document IS 'The picture as published, null when it was erased. json and not jsonb: jsonb cannot hold every string of JSON.';
CREATE INDEX pictures_in_order ON pictures (severity, clock DESC) WHERE document IS NOT NULL;
CREATE INDEX pictures_unit ON pictures (unit, severity, clock DESC) WHERE document IS NOT NULL;
CREATE INDEX pictures_words ON pictures USING gin (words);
CREATE INDEX pictures_patient ON pictures (lower(patient_id) text_pattern_ops);
