-- database_time: SQLite has no server and so no time of its own
SELECT NULL
