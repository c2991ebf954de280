-- relay_insert: register a relay's name
INSERT INTO relays (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
