-- seed_mailboxes_all: every mailbox that a process has named lately
SELECT name, provider, since, looked_at, failed_at, trouble FROM seed_mailboxes ORDER BY name
