-- campaign_runs: may rows of this campaign be sent now
SELECT count(*) FROM campaigns WHERE id = $1 AND state = 'running' AND (expires_at IS NULL OR expires_at > $2)
