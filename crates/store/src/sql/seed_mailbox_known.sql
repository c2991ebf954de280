-- seed_mailbox_known: a mailbox of a process's configuration, and since when it should be looked into
INSERT INTO seed_mailboxes (name, provider, since, seen_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (name) DO UPDATE SET provider = excluded.provider,
    seen_at = CASE WHEN excluded.seen_at > seed_mailboxes.seen_at THEN excluded.seen_at ELSE seed_mailboxes.seen_at END
