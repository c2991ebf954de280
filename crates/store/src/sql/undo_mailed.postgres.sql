-- undo_mailed: which addresses stand in the audience of some campaign, by deliveries_once
SELECT DISTINCT d.address_hash FROM campaigns k
JOIN deliveries d ON d.bucket = k.bucket AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0
    AND d.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
