-- page_unsubscribed: how many people opted out through a campaign's links; each counts once
SELECT count(DISTINCT contact_id) FROM events WHERE campaign_id = $1 AND kind = 'unsubscribe'
