-- name: put
-- The next offset to read of a partition.
INSERT INTO offsets (topic, partition, next_offset) VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset;

-- name: of_topic
-- The next offset of each partition that was read.
SELECT partition, next_offset FROM offsets WHERE topic = $1;
