-- Who published an alert: the epoch of the monitor's owner of the patient's partition, 0 where a record names none.

ALTER TABLE alerts ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN alerts.epoch IS 'Only a record of the same or a later owner replaces an alert: a former owner may wake up late.';
