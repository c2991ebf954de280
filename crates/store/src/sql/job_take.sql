-- job_take: a once-only job whose lease is free; each taking has another epoch
INSERT INTO jobs (name, node_id, epoch, lease_until, done_at, note) VALUES ($1, $2, 1, $4, NULL, NULL)
ON CONFLICT (name) DO UPDATE SET node_id = excluded.node_id, epoch = jobs.epoch + 1, lease_until = excluded.lease_until
WHERE jobs.done_at IS NULL AND (jobs.lease_until <= $3 OR jobs.node_id = excluded.node_id)
RETURNING epoch, note
