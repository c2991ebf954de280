-- lane_reclaim_leased: nothing of these was sent; they go back, or end with their campaign
UPDATE deliveries SET token = 0, not_before = $4, updated_at = $4,
    state = (SELECT CASE WHEN c.state = 'cancelled' THEN 8 WHEN c.expires_at <= $4 THEN 7 ELSE 0 END
             FROM campaigns c WHERE c.id = $1)
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND lane_relay = $2 AND epoch < $3 AND state = 1
RETURNING role, state
