-- explain_attempts: every outcome that was no plain acceptance
SELECT a.attempt, r.name AS relay, a.at, a.outcome, a.phase, a.code, a.enhanced, a.reply, a.rule
FROM attempts a LEFT JOIN relays r ON r.id = a.relay_id
WHERE a.bucket = $1 AND a.delivery_id = $2 ORDER BY a.attempt
