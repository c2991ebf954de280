-- explain_events: what came back for a row, and what was done to the campaign's rows
SELECT at, kind, data FROM events WHERE delivery_id = $1
UNION ALL
SELECT at, kind, data FROM events
WHERE delivery_id IS NULL AND campaign_id = $2 AND contact_id IS NULL AND kind IN ('retry', 'resend', 'canary', 'resume')
ORDER BY at
