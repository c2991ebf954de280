-- meta_get: one value of the table of single facts
SELECT value FROM meta WHERE key = $1
