-- The schema as it is after all migrations, to read in one place. A test compares it with them.

CREATE TYPE severity AS ENUM ('critical', 'high', 'moderate', 'info');
COMMENT ON TYPE severity IS 'Gravest first, so that ORDER BY severity is the order in which people look.';

CREATE TABLE alerts (
    alert_id text PRIMARY KEY,
    revision bigint NOT NULL,
    patient_id text NOT NULL,
    severity severity NOT NULL,
    rank double precision NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'resolved', 'withdrawn')),
    acknowledged boolean NOT NULL,
    asks_since bigint NOT NULL,
    true_since timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    document json NOT NULL,
    epoch bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN alerts.epoch IS 'Only a record of the same or a later owner replaces an alert: a former owner may wake up late.';
COMMENT ON COLUMN alerts.asks_since IS 'An answer to an earlier revision no longer counts: since then it got worse.';
COMMENT ON COLUMN alerts.document IS 'The alert as published. json and not jsonb: jsonb cannot hold every string of JSON.';
CREATE INDEX alerts_in_order ON alerts (severity, rank DESC, true_since) WHERE status = 'open';
CREATE INDEX alerts_ended ON alerts (stored_at DESC) WHERE status <> 'open';
CREATE INDEX alerts_patient ON alerts (patient_id);

CREATE TABLE answers (
    feedback_id text PRIMARY KEY,
    alert_id text NOT NULL REFERENCES alerts,
    revision bigint NOT NULL,
    given_at timestamptz NOT NULL,
    document json NOT NULL,
    sent_at timestamptz
);
COMMENT ON COLUMN answers.sent_at IS 'When the broker had acknowledged it on medication.feedback; until then it waits.';
CREATE INDEX answers_alert ON answers (alert_id, revision);
CREATE INDEX answers_waiting ON answers (given_at) WHERE sent_at IS NULL;

CREATE TABLE deliveries (
    delivery_id text PRIMARY KEY,
    channel text NOT NULL,
    alert_id text NOT NULL REFERENCES alerts,
    revision bigint NOT NULL,
    severity severity NOT NULL,
    body text NOT NULL,
    stored_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_outcome text NOT NULL DEFAULT '',
    delivered_at timestamptz,
    UNIQUE (channel, alert_id, revision)
);
COMMENT ON COLUMN deliveries.due_at IS 'From when it may be taken: at once, after a pause, or when the lease of a worker has run out.';
COMMENT ON COLUMN deliveries.last_outcome IS 'What the last attempt came to, as a status or the kind of error; no clinical content.';
CREATE INDEX deliveries_waiting ON deliveries (channel, due_at) WHERE delivered_at IS NULL;

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

CREATE TABLE offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE offsets IS 'Written in the transaction that stores what was read; Kafka''s own committed offsets are not used.';

CREATE VIEW alert_lists AS
SELECT
    alert_id, severity, rank, true_since, stored_at, asks_since, status, document,
    CASE
        WHEN status <> 'open' THEN 'ended'
        WHEN acknowledged THEN 'acknowledged'
        WHEN EXISTS (
            SELECT FROM answers WHERE answers.alert_id = alerts.alert_id AND answers.revision >= alerts.asks_since
        ) THEN 'acknowledged'
        ELSE 'open'
    END AS list
FROM alerts;
COMMENT ON VIEW alert_lists IS 'The list an alert stands in. An answer counts at once, before the monitor has confirmed it.';
