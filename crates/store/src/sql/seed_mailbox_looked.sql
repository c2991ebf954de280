-- seed_mailbox_looked: a mailbox was looked into, or could not be
UPDATE seed_mailboxes SET looked_at = COALESCE($2, looked_at), failed_at = $3, trouble = $4 WHERE name = $1
