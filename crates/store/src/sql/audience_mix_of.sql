-- audience_mix_of: a frozen audience by mailbox provider
SELECT provider, n FROM audience_mix WHERE campaign_id = $1 ORDER BY provider
