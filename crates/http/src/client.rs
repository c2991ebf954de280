//! One HTTPS client: our own TLS provider and roots, no redirects, no proxies, bounded answers.
//!
//! Redirects are refused because a request carries credentials; the environment is not read, so proxy variables
//! have no effect.

use crate::Error;
use reqwest::Url;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::sync::Arc;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 65_536;

/// Who may have signed a server's certificate.
#[derive(Clone, Copy, Debug)]
pub enum Roots<'a> {
    /// The authorities that this machine trusts.
    System,
    /// Only those of a PEM file.
    Pem(&'a [u8]),
}

/// The client; cheap to clone, connections are shared.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
}

/// An answer: status code and body, at most 64 KiB.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl HttpClient {
    /// A client that trusts these authorities.
    ///
    /// # Errors
    /// `Error::Client` when there is no usable authority.
    pub fn new(roots: Roots<'_>) -> Result<Self, Error> {
        let failed = |why: &dyn std::fmt::Display| Error::Client(why.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_root_certificates(root_store(roots)?)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .user_agent(concat!("postroad/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| failed(&e))?;
        Ok(Self { client })
    }

    /// Gets what lies at an https address, at most 64 KiB; anything but a success is an error.
    ///
    /// # Errors
    /// `Fetch`, with the reason.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, Error> {
        let url = checked(url)?;
        let failed = |why: String| Error::Fetch { url: bare(&url), why };
        let unreachable = |e: reqwest::Error| failed(causes(&e.without_url()));
        let mut response = self.client.get(url.clone()).send().await.map_err(unreachable)?;
        let status = response.status();
        if !status.is_success() {
            return Err(failed(format!("it answered {}", status.as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(failed(format!("an answer longer than {MAX_BODY} octets")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Posts a form and reads the answer.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let unreachable = |e: reqwest::Error| Error::Unreachable {
            url: bare(url),
            why: causes(&e.without_url()),
        };
        let request = self.client.post(url.clone()).header("accept", "application/json").form(form);
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY {
                let said = format!("an answer longer than {MAX_BODY} octets");
                return Err(Error::Answer { url: bare(url), said });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

/// Checks an address: https, or http on loopback.
pub(crate) fn checked(text: &str) -> Result<Url, Error> {
    let refused = || Error::Address { url: text.chars().take(200).collect() };
    let url = Url::parse(text).map_err(|_| refused())?;
    let host = url.host_str().ok_or_else(refused)?.trim_matches(['[', ']']);
    let loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(refused()),
    }
}

/// The address without its query and user, which may hold secrets.
pub(crate) fn bare(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// An error with its causes: the outermost alone says little ("error sending request").
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn root_store(roots: Roots<'_>) -> Result<rustls::RootCertStore, Error> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                let why = "this machine has no trusted certificates; install ca-certificates";
                return Err(Error::Client(why.into()));
            }
        }
        Roots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|e| {
                    Error::Client(format!("the file of authorities is no PEM: {e}"))
                })?;
                store.add(certificate).map_err(|e| {
                    Error::Client(format!("a certificate in the file of authorities: {e}"))
                })?;
            }
            if store.is_empty() {
                return Err(Error::Client("the file of authorities holds no certificate".into()));
            }
        }
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_may_be_asked() {
        let check = |url: &str, allowed: bool| assert_eq!(checked(url).is_ok(), allowed, "{url}");
        check("https://login.example.com/token", true);
        check("http://127.0.0.1:1/token", true);
        check("http://[::1]:1/token", true);
        check("http://localhost/token", true);
        check("http://login.example.com/token", false);
        check("http://127.0.0.1.example.com/token", false);
        check("ftp://localhost/token", false);
        check("token", false);
    }

    #[test]
    fn an_address_in_an_error_has_neither_user_nor_query() {
        let url = checked("https://user:secret@login.example:8443/token?key=secret").unwrap();
        assert_eq!(bare(&url), "https://login.example:8443/token");
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        assert!(matches!(HttpClient::new(Roots::Pem(b"")), Err(Error::Client(_))));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(HttpClient::new(Roots::Pem(broken)), Err(Error::Client(_))));
    }
}
