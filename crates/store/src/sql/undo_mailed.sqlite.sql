-- undo_mailed: which addresses stand in the audience of some campaign, by deliveries_once
SELECT DISTINCT v.value FROM json_each($1) v CROSS JOIN campaigns k
CROSS JOIN deliveries d ON d.bucket = k.bucket AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0
    AND d.address_hash = v.value
