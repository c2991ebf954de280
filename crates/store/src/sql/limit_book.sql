-- limit_book: what is counted now
UPDATE limits SET book = $2 WHERE id = $1
