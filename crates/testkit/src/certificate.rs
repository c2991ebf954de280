//! Certificates for tests of TLS: an authority of their own, good and expired leaves.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

/// A certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// A certificate authority that nobody else trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// Never: the parameters are fixed.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no name cannot be a wrong name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority can sign itself"))
    }

    /// Its certificate, for whoever is to trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host name or IP address, good for decades.
    ///
    /// # Panics
    /// When `host` is neither.
    #[must_use]
    pub fn issue(&self, host: &str) -> Leaf {
        self.sign(&mut params(host))
    }

    /// A certificate that expired in 2021.
    ///
    /// # Panics
    /// When `host` is neither a name nor an address.
    #[must_use]
    pub fn issue_expired(&self, host: &str) -> Leaf {
        let mut params = params(host);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&mut params)
    }

    fn sign(&self, params: &mut CertificateParams) -> Leaf {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.0).expect("the authority can sign");
        Leaf { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn params(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()])
        .unwrap_or_else(|e| panic!("{host:?} is no name for a certificate: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_differ_and_are_pem() {
        let authority = Authority::new();
        let (good, expired) = (authority.issue("localhost"), authority.issue_expired("127.0.0.1"));
        assert_ne!(good.certificate_pem, expired.certificate_pem);
        assert!(good.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(good.key_pem.contains("PRIVATE KEY"));
    }
}
