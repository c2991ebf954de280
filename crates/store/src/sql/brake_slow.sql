-- brake_slow: a stop by placement becomes the first rest of a slowed relay; once, and not when the operator lifted it
UPDATE brakes SET until = $3, at = $4 WHERE relay_id = $1 AND provider = $2 AND by_whom = 'placement' AND until > $3
