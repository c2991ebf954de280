-- seed_copy_again: a copy that came back unread goes once more and is looked for as if it were the first; what was found stays
UPDATE seed_copies SET placement = 'pending', accepted_at = NULL, looks = 0, next_look_at = NULL, trouble = NULL, closed_at = NULL
WHERE delivery_id = $1 AND placement IN ('pending', 'missing', 'unknown')
