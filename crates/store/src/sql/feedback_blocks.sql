-- feedback_blocks: blocks of a row that are recorded, found as surely as this one (events_delivery)
SELECT count(*) FROM events WHERE delivery_id = $2 AND bucket = $1 AND bounce = 'block' AND proven = $3
