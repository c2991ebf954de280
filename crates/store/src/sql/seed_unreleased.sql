-- seed_unreleased: seed copies whose turn has come (index seed_copies_campaign)
SELECT bucket, delivery_id FROM seed_copies
WHERE campaign_id = $1 AND rank <= $2 AND released_at IS NULL ORDER BY delivery_id
