-- explain_contact: the contact of an address, and why a campaign left it out
SELECT c.id, c.created_at, c.erased_at,
    (SELECT reason FROM left_out l WHERE l.campaign_id = $1 AND l.contact_id = c.id) AS left_out
FROM contacts c WHERE c.address_hash = $2
