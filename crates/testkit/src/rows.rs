//! Rows that a test writes by hand, as SQL for both engines: for tests that must not depend on how rows come to be.

/// The partition of [`LEASED_ROWS`].
pub const BUCKET: i64 = 202_611;
/// Their lease's token.
pub const TOKEN: i64 = 77;

/// Three leased rows (1, 2, 3) of the running campaign 1, the lane 9 that holds them under epoch 1, and their counter.
pub const LEASED_ROWS: [&str; 4] = [
    "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, \
     window_open_at, version, updated_at) \
     VALUES (1, 'one', 'regular', 1, 202611, 7, 0, 'running', '{}', '{}', 0, 1, 0)",
    "INSERT INTO lanes (relay_id, scope, node_id, epoch, lease_until, busy_at, pause_count) \
     VALUES (9, 'nine', 1, 1, 1796000060000, 0, 0)",
    "INSERT INTO deliveries (bucket, id, campaign_id, role, slot, contact_id, address, address_hash, provider, \
     pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, \
     lane_relay, epoch, updated_at) \
     SELECT 202611, n, 1, 0, 0, n, 'an@example.vn', n, 0, 1, n, 1, 0, 0, 0, 1, 0, 0, 1, 77, 9, 1, 0 \
     FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) AS numbers",
    "INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES (1, 0, 9, 1, 3)",
];
