-- brake_again: the next stop of a relay that is slowed, after its gap; not when the operator lifted the brake
UPDATE brakes SET until = $3, at = $4 WHERE relay_id = $1 AND provider = $2 AND by_whom = 'placement' AND until <= $5
