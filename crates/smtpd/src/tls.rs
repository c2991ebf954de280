//! Certificate and key in PEM become rustls' server settings (aws-lc-rs, TLS 1.2 and 1.3).
//!
//! Called by whoever builds [`crate::ServerSettings`]. It makes no certificates and checks no dates: a
//! test may well want to show an expired one.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::error::Error;

/// Reads a certificate chain and its key.
///
/// # Errors
/// If either is not PEM, or if they do not belong together.
pub fn tls_from_pem(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, Error> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Pem { what: "certificate", reason: error.to_string() })?;
    if chain.is_empty() {
        let reason = "no BEGIN CERTIFICATE line in it".to_owned();
        return Err(Error::Pem { what: "certificate", reason });
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| Error::Pem { what: "private key", reason: error.to_string() })?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(Error::Tls)?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_pem_is_named() {
        let error = tls_from_pem(b"junk", b"junk").unwrap_err().to_string();
        assert!(error.contains("certificate") && error.contains("BEGIN"), "{error}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let one = rcgen::generate_simple_self_signed(["one.test".to_owned()]).unwrap();
        let two = rcgen::generate_simple_self_signed(["two.test".to_owned()]).unwrap();
        let pem = |c: &rcgen::CertifiedKey<rcgen::KeyPair>| c.cert.pem().into_bytes();
        let key = two.signing_key.serialize_pem();
        assert!(tls_from_pem(&pem(&two), key.as_bytes()).is_ok());
        let error = tls_from_pem(&pem(&one), key.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{error}");
    }
}
