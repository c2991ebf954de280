-- seed_look_write: what a look into the mailbox found of a copy
UPDATE seed_copies SET placement = $2, folder = $3, tab = $4, accepted_at = COALESCE(accepted_at, $5),
    arrived_at = COALESCE($6, arrived_at), spf = COALESCE($7, spf), dkim = COALESCE($8, dkim), dmarc = COALESCE($9, dmarc),
    looks = looks + 1, next_look_at = $10, trouble = $11, closed_at = $12
WHERE delivery_id = $1
