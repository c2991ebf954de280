-- lease_next: when a waiting row of this relay or of any pool is due next
SELECT min(t) FROM (
    SELECT min(not_before) AS t FROM deliveries
        WHERE state = 0 AND pinned_relay <> 0 AND pinned_relay = $1 AND not_before > $2
    UNION ALL
    SELECT min(not_before) FROM deliveries
        WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 AND not_before > $2
) next_due
