-- lease_brakes: providers that this relay must not send to now; -1 is all of them
SELECT provider FROM brakes WHERE relay_id IN (0, $1) AND until > $2
