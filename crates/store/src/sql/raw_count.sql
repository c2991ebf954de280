-- raw_count: how many are kept
SELECT count(*) FROM raw_mails
