-- domain_providers_all: mailbox providers by domain where the MX was looked up
SELECT domain, provider FROM domain_providers LIMIT $1
