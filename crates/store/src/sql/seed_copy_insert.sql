-- seed_copy_insert: what the plan says of a seed's copy
INSERT INTO seed_copies (delivery_id, bucket, campaign_id, mailbox, relay_id, provider, rank, name, attributes,
    placement, looks)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', 0)
