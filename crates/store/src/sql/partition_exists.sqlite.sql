-- partition_exists: this engine keeps all buckets in one table
SELECT 1 WHERE $1 IS NOT NULL
