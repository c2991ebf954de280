-- partition_exists: whether a bucket's partition is attached; the lock keeps two nodes from making it at once
SELECT COUNT(*) FROM (SELECT pg_advisory_xact_lock(727274)) l
LEFT JOIN pg_inherits i ON i.inhparent = 'deliveries'::regclass AND i.inhrelid = to_regclass($1)
WHERE i.inhrelid IS NOT NULL
