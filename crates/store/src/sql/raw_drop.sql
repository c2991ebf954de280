-- raw_drop: a person has looked at it
DELETE FROM raw_mails WHERE id = $1
