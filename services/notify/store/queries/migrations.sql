-- name: lock
-- One process migrates at a time; the others wait here.
SELECT pg_advisory_lock($1);

-- name: unlock
-- Lets the next process migrate.
SELECT pg_advisory_unlock($1);

-- name: prepare
-- Where it is kept what was applied.
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
-- What was applied, with the digest of the file as it then was.
SELECT name, sha256 FROM migrations ORDER BY name;

-- name: add
-- A migration was applied.
INSERT INTO migrations (name, sha256) VALUES ($1, $2);
