-- suppressions_among: which hashes of a batch are suppressed everywhere or on one list
SELECT v.value FROM json_each($1) v WHERE EXISTS (
    SELECT 1 FROM suppressions s WHERE s.address_hash = v.value AND s.scope IN (0, $2))
