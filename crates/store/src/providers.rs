//! Who hosts the mailboxes of contacts, as it was looked up.
//!
//! Called by the job of `campaign` that asks DNS, and by imports. An audience takes the provider of each contact when it
//! is frozen; later look-ups change nothing of it. It asks nobody itself.

use crate::backend::{Named, read, tx};
use crate::contacts::json;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::{ContactId, MailboxProvider, Timestamp};
use serde::Serialize;
use std::collections::HashMap;

sql! {
    both DOMAIN_PROVIDERS_ALL = "domain_providers_all";
    both PROVIDER_PAGE = "provider_page";
    each DOMAIN_PROVIDERS_OF = "domain_providers_of";
    each DOMAIN_PROVIDERS_PUT = "domain_providers_put";
    each CONTACT_PROVIDERS_SET = "contact_providers_set";
}

/// Looked-up domains that an import holds in memory.
const DOMAINS_MAX: i64 = 100_000;

/// A contact with who hosts its mailbox, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedContact {
    /// Its number.
    pub id: ContactId,
    /// Its address.
    pub address: String,
    /// Who hosts it.
    pub provider: MailboxProvider,
}

#[derive(Serialize)]
struct DomainLine<'a> {
    d: &'a str,
    p: i64,
}

#[derive(Serialize)]
struct ContactLine {
    i: i64,
    p: i64,
}

impl Store {
    /// Mailbox providers by domain, where the MX was looked up; at most 100,000 of them.
    ///
    /// # Errors
    /// `Statement`. A code that is not ours (a newer program's) is left out.
    pub async fn domain_providers(&self) -> Result<HashMap<String, MailboxProvider>> {
        let rows: Vec<(String, i64)> = read!(self, |c, e| {
            sqlx::query_as(DOMAIN_PROVIDERS_ALL.of(e))
                .bind(DOMAINS_MAX)
                .fetch_all(&mut *c)
                .await
                .named(&DOMAIN_PROVIDERS_ALL)
        })?;
        let known = |(domain, code)| MailboxProvider::from_code(code).map(|p| (domain, p));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// What was looked up of these domains, and when.
    ///
    /// # Errors
    /// `Statement`. A code that is not ours (a newer program's) is left out.
    pub async fn domain_providers_of(
        &self,
        domains: &[&str],
    ) -> Result<HashMap<String, (MailboxProvider, Timestamp)>> {
        let domains = json("domains", domains)?;
        let rows: Vec<(String, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(DOMAIN_PROVIDERS_OF.of(e))
                .bind(&domains)
                .fetch_all(&mut *c)
                .await
                .named(&DOMAIN_PROVIDERS_OF)
        })?;
        let known = |(domain, code, at)| {
            MailboxProvider::from_code(code).map(|provider| (domain, (provider, Timestamp(at))))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Contacts with an address, in order of their numbers, after a given one.
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn hosted_contacts(
        &self,
        after: ContactId,
        limit: i64,
    ) -> Result<Vec<HostedContact>> {
        let rows: Vec<(i64, String, i64)> = read!(self, |c, e| {
            sqlx::query_as(PROVIDER_PAGE.of(e))
                .bind(after.0)
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&PROVIDER_PAGE)
        })?;
        rows.into_iter()
            .map(|(id, address, code)| {
                let provider = MailboxProvider::from_code(code).ok_or(Error::Inconsistent {
                    table: "contacts",
                    column: "provider",
                    id: id.to_string(),
                })?;
                Ok(HostedContact { id: ContactId(id), address, provider })
            })
            .collect()
    }

    /// Keeps what look-ups found, and gives it to these contacts, in one transaction.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn save_providers(
        &self,
        domains: &[(&str, MailboxProvider)],
        contacts: &[(ContactId, MailboxProvider)],
        now: Timestamp,
    ) -> Result<()> {
        let domains: Vec<_> =
            domains.iter().map(|(d, provider)| DomainLine { d, p: provider.code() }).collect();
        let contacts: Vec<_> = (contacts.iter())
            .map(|(id, provider)| ContactLine { i: id.0, p: provider.code() })
            .collect();
        let (domains, contacts) = (json("domains", &domains)?, json("contacts", &contacts)?);
        tx!(self, |c, e| {
            sqlx::query(DOMAIN_PROVIDERS_PUT.of(e))
                .bind(&domains)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&DOMAIN_PROVIDERS_PUT)?;
            sqlx::query(CONTACT_PROVIDERS_SET.of(e))
                .bind(&contacts)
                .execute(&mut *c)
                .await
                .named(&CONTACT_PROVIDERS_SET)
                .map(drop)
        })
    }
}
