-- brake_place: stop a relay for a provider by its seeds' word; a brake that stands is left alone
INSERT INTO brakes (relay_id, provider, until, reason, by_whom, at) VALUES ($1, $2, $3, $4, 'placement', $5)
ON CONFLICT (relay_id, provider) DO UPDATE SET until = excluded.until, reason = excluded.reason,
    by_whom = excluded.by_whom, at = excluded.at
WHERE brakes.until <= excluded.at
