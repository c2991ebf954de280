//! What DNS says of domains: who hosts a recipient's mailboxes (RFC 5321 section 5.1), and what is published of ours.
//!
//! `campaign` has domains asked for that are in no table of well-known ones, so that a company at Google or Microsoft is
//! counted, paced and reported as what it is; `serve` and `doctor` check the sending domains. What must always hold: an answer that is not sure is an error, never a
//! provider; each question has an end in time. It knows nothing of databases and sends no mail.

mod preflight;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use postroad_model::{Domain, MailboxProvider};
use std::net::SocketAddr;
use std::time::Duration;

pub use preflight::{Check, Checked, Expected};

/// One try with one server.
const WITHIN: Duration = Duration::from_secs(3);
const TRIES: usize = 2;
/// Answers kept in memory; what was learnt is in the database.
const CACHED: u64 = 1_024;

/// Why nothing is known now. Asking later may help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's servers are not known.
    #[error("cannot read which DNS servers this system asks: {0}; name them in [dns] servers")]
    System(String),
    /// No answer that can be relied upon.
    #[error("cannot look up {name} in DNS: {why}")]
    Lookup {
        /// Whose records.
        name: String,
        /// The resolver's words.
        why: String,
    },
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Those of the system (`/etc/resolv.conf`).
    System,
    /// These.
    These(Vec<SocketAddr>),
}

/// A resolver.
pub struct Dns {
    resolver: TokioResolver,
}

impl Dns {
    /// To be made inside a tokio runtime.
    ///
    /// # Errors
    /// `System`.
    pub fn new(servers: &Servers) -> Result<Self, Error> {
        let system = |e: NetError| Error::System(e.to_string());
        let mut builder = match servers {
            Servers::System => TokioResolver::builder_tokio().map_err(system)?,
            Servers::These(all) => {
                let servers = all.iter().copied().map(server).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        limit(builder.options_mut());
        Ok(Self { resolver: builder.build().map_err(system)? })
    }

    /// Who hosts the mailboxes of a domain, by the best of its MX hosts that is in a table; `Other` where none is, and for a domain that
    /// has none or takes no mail (RFC 7505).
    ///
    /// # Errors
    /// `Lookup` when no server gave a sure answer.
    pub async fn provider(&self, domain: &Domain) -> Result<MailboxProvider, Error> {
        let hosts = self.mail_hosts(domain.as_str()).await?;
        let known = hosts.iter().filter_map(|host| Domain::parse(host).ok());
        Ok(known
            .map(|host| MailboxProvider::of_mx(&host))
            .find(|provider| *provider != MailboxProvider::Other)
            .unwrap_or(MailboxProvider::Other))
    }

    /// The hosts of a domain's MX records, the best first; none where it has none. `.` alone means that it takes no mail.
    async fn mail_hosts(&self, domain: &str) -> Result<Vec<String>, Error> {
        // The dot at the end: no search list, which would answer for another domain.
        let found = match self.resolver.mx_lookup(format!("{domain}.").as_str()).await {
            Ok(found) => found,
            Err(error) => return nothing(domain, &error).map(|()| Vec::new()),
        };
        let mut hosts: Vec<(u16, String)> = (found.answers().iter())
            .filter_map(|record| {
                let RData::MX(mx) = &record.data else { return None };
                Some((mx.preference, mx.exchange.to_ascii()))
            })
            .collect();
        hosts.sort_unstable();
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// The TXT records of a name, each with its character-strings joined; none where it has none.
    async fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let found = match self.resolver.txt_lookup(format!("{name}.").as_str()).await {
            Ok(found) => found,
            Err(error) => return nothing(name, &error).map(|()| Vec::new()),
        };
        let texts = found.answers().iter().filter_map(|record| {
            let RData::TXT(txt) = &record.data else { return None };
            Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
        });
        Ok(texts.collect())
    }
}

/// A sure "there is none", or an error.
fn nothing(name: &str, error: &NetError) -> Result<(), Error> {
    if error.is_nx_domain() || error.is_no_records_found() {
        return Ok(());
    }
    Err(Error::Lookup { name: name.to_owned(), why: error.to_string() })
}

fn server(at: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let connections = connections.map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.into())
}

fn limit(options: &mut ResolverOpts) {
    options.timeout = WITHIN;
    options.attempts = TRIES;
    options.cache_size = CACHED;
}
