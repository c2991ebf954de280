-- seed_look_write: what a look into the mailbox found of a copy; nothing, where a row that is to go once more was not found
UPDATE seed_copies SET placement = $2, folder = $3, tab = $4, accepted_at = COALESCE(accepted_at, $5),
    arrived_at = COALESCE($6, arrived_at), spf = COALESCE($7, spf), dkim = COALESCE($8, dkim), dmarc = COALESCE($9, dmarc),
    looks = looks + 1, next_look_at = $10, trouble = $11, closed_at = $12
WHERE delivery_id = $1 AND ($2 IN ('inbox', 'promotions', 'spam', 'other') OR EXISTS (SELECT 1 FROM deliveries d
    WHERE d.bucket = seed_copies.bucket AND d.id = seed_copies.delivery_id AND d.state IN (3, 5)))
