-- counters_of: a campaign's counters
SELECT role, relay_id, state, n FROM counters WHERE campaign_id = $1
