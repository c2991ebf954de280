-- feedback_has_event: whether a report was recorded (unique index on dedup)
SELECT count(*) FROM events WHERE dedup = $1
