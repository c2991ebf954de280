-- seed_mailboxes_due: mailboxes with copies to look for now; one that failed is left alone for $3, also when a new copy
-- was sent to it: accounts are locked for trying (index seed_copies_open)
SELECT DISTINCT s.mailbox FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
LEFT JOIN seed_mailboxes m ON m.name = s.mailbox
WHERE s.closed_at IS NULL AND s.released_at IS NOT NULL AND d.state IN (3, 5)
    AND COALESCE(s.next_look_at, d.updated_at + $2) <= $1
    AND (s.next_look_at IS NOT NULL OR m.failed_at IS NULL OR m.failed_at + $3 <= $1)
