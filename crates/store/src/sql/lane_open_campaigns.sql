-- lane_open_campaigns: campaigns of which this lane holds rows, by the counters
SELECT DISTINCT campaign_id FROM counters WHERE relay_id = $1 AND state IN (1, 2) AND n > 0
