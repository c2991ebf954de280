-- job_hold: progress of a job, only by the holder of its lease
UPDATE jobs SET lease_until = $4, note = COALESCE($5, note)
WHERE name = $1 AND node_id = $2 AND epoch = $3 AND done_at IS NULL
