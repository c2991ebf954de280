-- Ten campaigns of {n} recipients together, from the one that stands in the database: of a hundred rows one waits for
-- another try and ten are fresh; each campaign has 30 seeds and came back from 14 mailbox providers over 5 relays.
-- Each campaign's counters, tallies and seeds are what /metrics reads; the recipients' rows are what it must not read.
INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, audience, rank_limit,
    start_at, expires_at, window_open_at, window_close_at, version, updated_at)
WITH RECURSIVE s(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM s WHERE i < 10)
SELECT s.i, name || '-' || s.i, kind, pool_id, bucket, seed, created_at, state, state_data, settings, {n} / 10, rank_limit,
    start_at, expires_at, window_open_at, window_close_at, version, updated_at
FROM campaigns, s WHERE id = 1;

INSERT INTO deliveries (bucket, id, campaign_id, role, slot, contact_id, address, address_hash, provider, pool_id, rank,
    state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, updated_at)
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n})
SELECT k.bucket, 1000000 + s.i, 1 + s.i % 10, 0, 0, s.i, 'person' || s.i || '@example.com', s.i, s.i % 14, k.pool_id, s.i,
    CASE WHEN s.i % 100 < 11 THEN 0 ELSE 3 END,
    CASE WHEN s.i % 100 = 0 THEN k.created_at + s.i ELSE 0 END,
    CASE WHEN s.i % 1000 = 0 THEN 1 + s.i / 1000 % 5 ELSE 0 END,
    0, 1, 1, 0, 0, s.i, CASE WHEN s.i % 100 < 11 THEN 0 ELSE 1 + s.i % 5 END, 1, k.created_at
FROM s, campaigns k WHERE k.id = 1;

INSERT INTO deliveries (bucket, id, campaign_id, role, slot, contact_id, address, address_hash, provider, pool_id, rank,
    state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, updated_at)
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 300)
SELECT k.bucket, 900000 + s.i, 1 + s.i % 10, 1, 0, NULL, 'seed' || s.i || '@example.com', s.i, s.i % 14, k.pool_id, s.i,
    3, 0, 0, 0, 1, 1, 0, 0, s.i, 1 + s.i % 5, 1, k.created_at
FROM s, campaigns k WHERE k.id = 1;

INSERT INTO seed_copies (delivery_id, bucket, campaign_id, mailbox, relay_id, provider, rank, attributes, released_at,
    placement, folder, spf, dkim, dmarc, looks)
SELECT id, bucket, campaign_id, 'seed-' || rank % 30, lane_relay, provider, rank, '{}', updated_at,
    CASE WHEN rank % 9 = 0 THEN 'spam' ELSE 'inbox' END, 'INBOX', 'pass', 'pass', 'pass', 1
FROM deliveries WHERE role = 1 AND id > 900000 AND id <= 900300;

DELETE FROM counters;
INSERT INTO counters (campaign_id, role, relay_id, state, n)
SELECT campaign_id, role, lane_relay, state, COUNT(*) FROM deliveries GROUP BY campaign_id, role, lane_relay, state;

INSERT INTO audience_mix (campaign_id, provider, n)
WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 13)
SELECT k.id, s.i, {n} / 140 FROM s, campaigns k WHERE k.id > 1;

INSERT INTO tallies (campaign_id, relay_id, provider, bounce, reason, n, weak)
WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 69)
SELECT k.id, 1 + s.i % 5, s.i / 5, w.bounce, w.reason, 7, 1
FROM s, campaigns k, (
    SELECT 'hard' AS bounce, 'bad_mailbox' AS reason UNION ALL SELECT 'hard', 'bad_domain'
    UNION ALL SELECT 'soft', 'mailbox_full' UNION ALL SELECT 'block', 'reputation_block'
) w;

INSERT INTO open_tallies (campaign_id, provider, kind, n)
WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 13)
SELECT k.id, s.i, o.kind, 7
FROM s, campaigns k, (SELECT 'human' AS kind UNION ALL SELECT 'proxy' UNION ALL SELECT 'prefetch') o;

ANALYZE;
