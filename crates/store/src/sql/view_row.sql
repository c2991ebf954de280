-- view_row: what the web view of a message needs of its delivery row
SELECT d.campaign_id, d.role, d.contact_id, d.address, d.rank, d.bound_date, d.first_leased_at, d.updated_at, d.bound_relay,
    COALESCE(s.name, c.name) AS name, c.attributes, s.attributes AS own
FROM deliveries d
LEFT JOIN contacts c ON c.id = d.contact_id
LEFT JOIN seed_copies s ON d.role = 1 AND s.delivery_id = d.id
WHERE d.bucket = $1 AND d.id = $2
