-- plan_insert: a plan changes no more; a newer one names it as its parent
INSERT INTO plans (campaign_id, parent, created_at, plan)
VALUES ($1, (SELECT MAX(id) FROM plans WHERE campaign_id = $1), $2, $3)
RETURNING id
