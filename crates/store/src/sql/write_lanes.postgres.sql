-- write_lanes: the lanes cannot change hands before this transaction ends
SELECT relay_id FROM lanes WHERE relay_id IN (SELECT jsonb_array_elements($1::jsonb)::bigint)
ORDER BY relay_id FOR SHARE
