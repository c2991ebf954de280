-- audience_bucket: the partition of a campaign's rows, fixed before its first row
UPDATE campaigns SET bucket = $2 WHERE id = $1
