-- name: add
-- Puts one revision of one alert into the outbox of a channel; once, however often it is read.
INSERT INTO deliveries (delivery_id, channel, alert_id, revision, severity, body, stored_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT DO NOTHING;

-- name: told
-- Whether a channel was given anything of an alert.
SELECT EXISTS (SELECT FROM deliveries WHERE channel = $1 AND alert_id = $2);

-- name: take
-- Takes what is due, gravest first, for a lease of $3. A revision waits until the earlier ones of its alert are delivered.
UPDATE deliveries SET due_at = $2::timestamptz + $3::interval, attempts = attempts + 1
WHERE delivery_id IN (
    SELECT delivery_id FROM deliveries AS waiting
    WHERE channel = $1 AND delivered_at IS NULL AND due_at <= $2 AND NOT EXISTS (
        SELECT FROM deliveries AS earlier
        WHERE earlier.channel = waiting.channel AND earlier.alert_id = waiting.alert_id
            AND earlier.delivered_at IS NULL AND earlier.revision < waiting.revision
    )
    ORDER BY severity, due_at
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
RETURNING delivery_id, body, attempts, stored_at;

-- name: delivered
-- The receiver has accepted it.
UPDATE deliveries SET delivered_at = $2, last_outcome = $3 WHERE delivery_id = $1 AND delivered_at IS NULL;

-- name: failed
-- The attempt numbered $4 came to nothing; the next one may be made at $2. An attempt whose lease ran out changes nothing.
UPDATE deliveries SET due_at = $2, last_outcome = $3
WHERE delivery_id = $1 AND attempts = $4 AND delivered_at IS NULL;

-- name: waiting
-- How many deliveries of a channel are not accepted yet.
SELECT count(*) FROM deliveries WHERE channel = $1 AND delivered_at IS NULL;
