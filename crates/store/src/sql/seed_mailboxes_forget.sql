-- seed_mailboxes_forget: mailboxes that no process has named since a time
DELETE FROM seed_mailboxes WHERE seen_at <= $1
