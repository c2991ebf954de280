-- job_release: the lease ends now, only by its holder
UPDATE jobs SET lease_until = $4 WHERE name = $1 AND node_id = $2 AND epoch = $3 AND done_at IS NULL
