-- seed_mailboxes_due: mailboxes with copies to look for now, or to give up (index seed_copies_open)
SELECT DISTINCT s.mailbox FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
WHERE s.closed_at IS NULL AND s.released_at IS NOT NULL AND d.state NOT IN (0, 1, 2)
    AND COALESCE(s.next_look_at, d.updated_at + $2) <= $1
