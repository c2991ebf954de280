-- seed_release_row: a seed's row may go from now on
UPDATE deliveries SET not_before = 0 WHERE bucket = $1 AND id = $2 AND state = 0 AND not_before = $3
