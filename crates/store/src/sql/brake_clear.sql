-- brake_clear: lift all brakes of a relay
DELETE FROM brakes WHERE relay_id = $1
