-- left_out_counts: how many were left out for which reason
SELECT reason, COUNT(*) FROM left_out WHERE campaign_id = $1 GROUP BY reason ORDER BY reason
