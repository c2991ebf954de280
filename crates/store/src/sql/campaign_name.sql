-- campaign_name: for labels of metrics
SELECT name FROM campaigns WHERE id = $1
