-- audience_session: nothing to set on this engine
SELECT 'off'
