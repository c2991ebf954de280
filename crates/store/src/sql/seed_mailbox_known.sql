-- seed_mailbox_known: a mailbox of the configuration, and since when it should be looked into
INSERT INTO seed_mailboxes (name, provider, since) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET provider = excluded.provider
