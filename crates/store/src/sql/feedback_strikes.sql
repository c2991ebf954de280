-- feedback_strikes: what counts against an address since the last sign of life (index events_address)
SELECT COALESCE(campaign_id, 0), at FROM events
WHERE address_hash = $1 AND at > $2 AND kind IN ('bounce', 'complaint') AND reason = $3
    AND at > COALESCE((SELECT max(e.at) FROM events e
        WHERE e.address_hash = $1 AND e.kind IN ('delivered', 'opened', 'clicked')), 0)
ORDER BY at DESC LIMIT 200
