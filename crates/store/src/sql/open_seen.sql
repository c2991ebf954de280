-- open_seen: which kinds of an open are recorded of a row (unique index on dedup)
SELECT dedup FROM events WHERE dedup IN ($1, $2, $3)
