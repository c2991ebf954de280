-- plan_latest: a campaign's newest plan
SELECT id, parent, created_at, plan FROM plans WHERE campaign_id = $1 ORDER BY id DESC LIMIT 1
