-- canary_begin: seeds and this part of the audience go first; before the campaign starts, and once
UPDATE campaigns SET rank_limit = $2, updated_at = $3, version = version + 1
WHERE id = $1 AND state = 'scheduled' AND rank_limit IS NULL
