-- write_lanes: the writer is alone, no lane can change hands beside it
SELECT count(*) FROM json_each($1)
