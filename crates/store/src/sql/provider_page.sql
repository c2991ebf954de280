-- provider_page: contacts in order of their numbers, with who hosts their mailbox as far as is known
SELECT id, address, provider FROM contacts WHERE id > $1 AND address IS NOT NULL ORDER BY id LIMIT $2
