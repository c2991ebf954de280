-- database_time: the server's clock in milliseconds
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
