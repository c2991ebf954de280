//! Logins and authorities of relays and mailboxes, as delivery wants them: passwords as they are, tokens fetched when due.
//!
//! One token source per relay that logs in with XOAUTH2. A failure is told in words without secrets; it pauses the lane.

use anyhow::{Context as _, Result};
use postroad_delivery::Login;
use postroad_delivery::dial::{Credentials, tls_trusting, tls_trusting_only};
use postroad_http::{HttpClient, Roots, TokenSource};
use postroad_model::Clock;
use postroad_model::relay::{Auth, Relay, TlsMode};
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Where the tokens of all relays come from.
struct Tokens {
    sources: HashMap<String, TokenSource>,
    clock: Arc<dyn Clock>,
}

/// Fetches the credentials of the relays given.
pub fn login(relays: &[Relay], clock: Arc<dyn Clock>) -> Result<Login> {
    let mut sources = HashMap::new();
    let mut client: Option<HttpClient> = None;
    for relay in relays {
        if matches!(relay.auth, Auth::None | Auth::Password { .. }) {
            continue;
        }
        let client = match &mut client {
            Some(client) => client,
            none => none.insert(HttpClient::new(Roots::System)?),
        };
        let source = TokenSource::new(&relay.auth, client)
            .with_context(|| format!("relay {}", relay.name))?;
        sources.insert(relay.name.clone(), source);
    }
    let tokens = Arc::new(Tokens { sources, clock });
    Ok(Arc::new(move |relay: Arc<Relay>| {
        let tokens = Arc::clone(&tokens);
        Box::pin(async move { tokens.credentials(&relay).await })
    }))
}

impl Tokens {
    async fn credentials(&self, relay: &Relay) -> Result<Credentials, String> {
        match &relay.auth {
            Auth::None => Ok(Credentials::None),
            Auth::Password { username, password } => {
                Ok(Credentials::Password { username: username.clone(), password: password.clone() })
            }
            Auth::OAuth { username, .. } | Auth::TokenCommand { username, .. } => {
                let Some(source) = self.sources.get(&relay.name) else {
                    return Err("its login changed; restart to use it".into());
                };
                let token =
                    source.token(self.clock.now()).await.map_err(|error| error.to_string())?;
                Ok(Credentials::Bearer { username: username.clone(), token })
            }
        }
    }
}

/// The authorities that relays' certificates are checked against.
#[derive(Default)]
pub struct Authorities {
    system: Option<TlsConnector>,
}

impl Authorities {
    /// The connector for a relay; the system's authorities are read when the first relay needs them.
    pub fn of(&mut self, relay: &Relay) -> Result<TlsConnector> {
        let what = format!("relay {}", relay.name);
        self.for_peer(&what, relay.ca_pem.as_deref(), relay.endpoint.tls)
    }

    /// The connector for a server: its own authority alone, where it has one.
    pub fn for_peer(
        &mut self,
        what: &str,
        ca_pem: Option<&[u8]>,
        tls: TlsMode,
    ) -> Result<TlsConnector> {
        if let Some(pem) = ca_pem {
            return tls_trusting_only(pem).with_context(|| format!("ca_file of {what}"));
        }
        if tls == TlsMode::None {
            return trusting_nobody();
        }
        if let Some(system) = &self.system {
            return Ok(system.clone());
        }
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "an authority of this machine cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        let connector = tls_trusting(roots)?;
        self.system = Some(connector.clone());
        Ok(connector)
    }
}

/// For a relay that is spoken to in clear: there is no certificate to check.
fn trusting_nobody() -> Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
