-- page_slots: how many recipients were accepted in each stretch of time after a beginning
SELECT (at - $2) / $3 AS slot, count(*) FROM (
    SELECT CASE WHEN state = 3 THEN updated_at ELSE bound_date END AS at FROM deliveries
    WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state IN (3, 10)
) AS taken
WHERE at >= $2 GROUP BY 1 ORDER BY 1
