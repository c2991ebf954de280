-- view_row: what the web view of a message needs of its delivery row
SELECT d.campaign_id, d.role, d.contact_id, d.address, d.rank, d.bound_date, d.first_leased_at, d.updated_at, d.bound_relay,
    c.name, c.attributes
FROM deliveries d
LEFT JOIN contacts c ON c.id = d.contact_id
WHERE d.bucket = $1 AND d.id = $2
