-- When a process last named a seed mailbox as one of its configuration: one that nobody names is forgotten.
ALTER TABLE seed_mailboxes ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
