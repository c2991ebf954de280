-- rows_resendable: whether a row awaits evidence and may have another copy after that
SELECT COUNT(*) FROM (
    SELECT 1 FROM deliveries
    WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state = 5
        AND copy_no + 1 < $2
    LIMIT 1) r
