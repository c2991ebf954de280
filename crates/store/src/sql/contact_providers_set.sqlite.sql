-- contact_providers_set: who hosts the mailboxes of some contacts
UPDATE contacts SET provider = v.p FROM (SELECT value->>'i' AS i, value->>'p' AS p FROM json_each($1)) v
WHERE contacts.id = v.i
