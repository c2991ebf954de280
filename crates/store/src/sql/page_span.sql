-- page_span: when the first and the last recipient of a campaign were accepted; a bounced row keeps the Date of its message
SELECT min(at), max(at) FROM (
    SELECT CASE WHEN state = 3 THEN updated_at ELSE bound_date END AS at FROM deliveries
    WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state IN (3, 10)
) AS taken
