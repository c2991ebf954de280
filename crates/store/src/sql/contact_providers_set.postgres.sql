-- contact_providers_set: who hosts the mailboxes of some contacts
UPDATE contacts SET provider = v.p FROM jsonb_to_recordset($1::jsonb) AS v(i bigint, p bigint) WHERE contacts.id = v.i
