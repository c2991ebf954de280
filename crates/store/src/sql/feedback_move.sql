-- feedback_move: evidence moves a row that no lane holds; what was said last stays where the report says nothing
UPDATE deliveries SET state = $3, updated_at = $4, code = COALESCE($5, code), enhanced = COALESCE($6, enhanced),
    reply = COALESCE($7, reply)
WHERE bucket = $1 AND id = $2
