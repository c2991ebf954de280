-- seed_mailboxes_all: every mailbox that was ever in the configuration
SELECT name, provider, since, looked_at, failed_at, trouble FROM seed_mailboxes ORDER BY name
