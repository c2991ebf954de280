-- unsubscribe_everything: leave every list of a contact
UPDATE subscriptions SET state = 2, since = $2 WHERE contact_id = $1 AND state <> 2 RETURNING list_id
