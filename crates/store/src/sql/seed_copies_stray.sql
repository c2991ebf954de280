-- seed_copies_stray: closes copies that nobody can find: no relay took them and none will, or their mailbox left every
-- configuration (index seed_copies_open, few)
UPDATE seed_copies SET closed_at = $1, next_look_at = NULL,
    placement = CASE WHEN EXISTS (SELECT 1 FROM deliveries d
            WHERE d.bucket = seed_copies.bucket AND d.id = seed_copies.delivery_id AND d.state IN (3, 5))
        THEN CASE WHEN placement = 'missing' THEN placement ELSE 'unknown' END ELSE 'pending' END,
    trouble = CASE WHEN EXISTS (SELECT 1 FROM deliveries d
            WHERE d.bucket = seed_copies.bucket AND d.id = seed_copies.delivery_id AND d.state IN (3, 5))
        THEN 'the mailbox left the configuration' ELSE trouble END
WHERE closed_at IS NULL AND EXISTS (SELECT 1 FROM deliveries d
    WHERE d.bucket = seed_copies.bucket AND d.id = seed_copies.delivery_id
        AND (d.state IN (4, 6, 7, 8, 9, 10)
            OR d.state IN (3, 5) AND NOT EXISTS (SELECT 1 FROM seed_mailboxes m WHERE m.name = seed_copies.mailbox)))
