//! TLS towards relays: aws-lc-rs, TLS 1.2 and 1.3, certificates verified.
//!
//! Called by the wiring once for all relays, and once per relay that has an authority of its own. There is no way to
//! switch verification off. It reads no files: the system's roots are given.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_rustls::TlsConnector;

/// A set of authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// Not PEM.
    #[error(
        "cannot read the certificates of the authority: {0}; give a PEM file with BEGIN CERTIFICATE lines"
    )]
    Pem(String),
    /// Nobody would be trusted.
    #[error(
        "no authority to trust: on Debian, install the package ca-certificates, or set `ca_file`"
    )]
    NoRoots,
    /// The library refused it.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// Trusts these authorities.
///
/// # Errors
/// When there are none.
pub fn tls_trusting(roots: RootCertStore) -> Result<TlsConnector, TlsSetupError> {
    if roots.is_empty() {
        return Err(TlsSetupError::NoRoots);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Trusts the authorities of a PEM file, and nobody else.
///
/// # Errors
/// When there is none in it.
pub fn tls_trusting_only(pem: &[u8]) -> Result<TlsConnector, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|error| TlsSetupError::Pem(error.to_string()))?)?;
    }
    if roots.is_empty() {
        return Err(TlsSetupError::Pem("no BEGIN CERTIFICATE line in it".into()));
    }
    tls_trusting(roots)
}
