-- name: announce
-- Wakes every notify process when the transaction commits; says that something changed, not what.
SELECT pg_notify($1, '');

-- name: alive
-- Answers when the database does.
SELECT 1;
