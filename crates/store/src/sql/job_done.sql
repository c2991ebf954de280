-- job_done: the job is never taken again
UPDATE jobs SET done_at = $4, lease_until = $4 WHERE name = $1 AND node_id = $2 AND epoch = $3 AND done_at IS NULL
