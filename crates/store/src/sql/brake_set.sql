-- brake_set: stop a relay for a provider; the later end counts
INSERT INTO brakes (relay_id, provider, until, reason, by_whom, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (relay_id, provider) DO UPDATE SET until = excluded.until, reason = excluded.reason,
    by_whom = excluded.by_whom, at = excluded.at
WHERE brakes.until < excluded.until
