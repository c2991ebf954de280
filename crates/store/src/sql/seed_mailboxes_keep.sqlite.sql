-- seed_mailboxes_keep: mailboxes that left the configuration are forgotten
DELETE FROM seed_mailboxes WHERE name NOT IN (SELECT value FROM json_each($1))
