-- look_up: what rows are now
SELECT d.bucket, d.id, d.state, d.token FROM jsonb_each($1) v JOIN deliveries d ON d.id = v.value->>'i'
