-- erase_deliveries_find: all audience rows of an address, by deliveries_once
SELECT d.bucket, d.id FROM campaigns k JOIN deliveries d ON d.bucket = k.bucket AND d.campaign_id = k.id
    AND d.role = 0 AND d.slot = 0 AND d.address_hash = $1
WHERE d.state <> 2 ORDER BY d.id
