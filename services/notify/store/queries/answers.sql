-- name: add
-- Records an answer; the same answer to the same revision is recorded once.
INSERT INTO answers (feedback_id, alert_id, revision, given_at, document)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (feedback_id) DO NOTHING;

-- name: find
-- An answer as it was recorded.
SELECT document FROM answers WHERE feedback_id = $1;

-- name: of_alert
-- The answers to an alert in their order.
SELECT document FROM answers WHERE alert_id = $1 ORDER BY given_at, feedback_id;

-- name: unsent
-- Answers that the broker does not have yet, held by this transaction; what another one holds is passed by.
SELECT feedback_id, document FROM answers
WHERE sent_at IS NULL
ORDER BY given_at
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- name: sent
-- The broker has acknowledged these answers.
UPDATE answers SET sent_at = $2 WHERE feedback_id = any($1::text[]);

-- name: waiting
-- How many answers the broker does not have yet.
SELECT count(*) FROM answers WHERE sent_at IS NULL;
