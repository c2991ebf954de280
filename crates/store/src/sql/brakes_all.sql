-- brakes_all: the brakes in force
SELECT relay_id, provider, until, reason, by_whom FROM brakes WHERE until > $1 ORDER BY relay_id, provider
