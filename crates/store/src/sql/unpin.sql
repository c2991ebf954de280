-- unpin: greylisted rows whose time with their relay is over (index deliveries_pinned)
UPDATE deliveries SET pinned_relay = 0, pinned_until = 0
WHERE state = 0 AND pinned_relay <> 0 AND role = 0 AND pinned_until > 0 AND pinned_until <= $1
