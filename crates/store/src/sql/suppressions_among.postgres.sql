-- suppressions_among: which hashes of a batch are suppressed everywhere or on one list
SELECT DISTINCT s.address_hash FROM suppressions s
WHERE s.scope IN (0, $2) AND s.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
