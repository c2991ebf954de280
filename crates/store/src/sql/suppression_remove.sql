-- suppression_remove: the operator's word that the address may be mailed again
DELETE FROM suppressions WHERE address_hash = $1 AND scope = $2
