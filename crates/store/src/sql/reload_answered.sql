-- reload_answered: a node's last word on its configuration (unique index on dedup)
SELECT at, data FROM events WHERE dedup = $1
