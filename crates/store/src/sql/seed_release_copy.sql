-- seed_release_copy: the copy's turn came
UPDATE seed_copies SET released_at = $2 WHERE delivery_id = $1 AND released_at IS NULL
