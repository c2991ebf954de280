-- seed_mailboxes_keep: mailboxes that left the configuration are forgotten
DELETE FROM seed_mailboxes WHERE name NOT IN (SELECT jsonb_array_elements_text($1::jsonb))
