-- name: put
-- Stores a higher revision, or the same one of a later owner, never one of a former owner; a row comes back only when it was
-- stored.
INSERT INTO alerts (
    alert_id, revision, patient_id, severity, rank, status, acknowledged, asks_since, true_since, stored_at, document,
    epoch
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (alert_id) DO UPDATE SET
    revision = excluded.revision,
    patient_id = excluded.patient_id,
    severity = excluded.severity,
    rank = excluded.rank,
    status = excluded.status,
    acknowledged = excluded.acknowledged,
    asks_since = excluded.asks_since,
    true_since = excluded.true_since,
    stored_at = excluded.stored_at,
    document = excluded.document,
    epoch = excluded.epoch
WHERE alerts.epoch <= excluded.epoch AND (alerts.revision, alerts.epoch) < (excluded.revision, excluded.epoch)
RETURNING alert_id;

-- name: find
-- One alert with the list that it stands in.
SELECT document, list, asks_since FROM alert_lists WHERE alert_id = $1;

-- name: lock
-- Holds one alert against change until the transaction ends.
SELECT FROM alerts WHERE alert_id = $1 FOR UPDATE;

-- name: open
-- What asks for an answer, gravest first, then the longest waiting; info where $2 says so.
SELECT document, list, asks_since FROM alert_lists
WHERE status = 'open' AND list = 'open' AND ($2 OR severity <> 'info')
ORDER BY severity, rank DESC, true_since, alert_id
LIMIT $1;

-- name: acknowledged
-- What is still true and was answered, gravest first; info where $2 says so.
SELECT document, list, asks_since FROM alert_lists
WHERE status = 'open' AND list = 'acknowledged' AND ($2 OR severity <> 'info')
ORDER BY severity, rank DESC, true_since, alert_id
LIMIT $1;

-- name: ended
-- What is no longer true or never was, the newest first; info where $2 says so.
SELECT document, list, asks_since FROM alert_lists
WHERE status <> 'open' AND ($2 OR severity <> 'info')
ORDER BY stored_at DESC, alert_id
LIMIT $1;

-- name: counts
-- How many alerts that are true stand in each list, by severity.
SELECT list, severity, count(*) AS alerts FROM alert_lists WHERE status = 'open' GROUP BY list, severity;
