//! Private keys: read from PEM (PKCS#1, PKCS#8), checked, and parsed once for all signatures.
//!
//! RSA of 2048 bits and more and Ed25519 (RFC 8301 section 3.2, RFC 8463). A key file that other accounts can read
//! gives a warning (container secrets often are), one that they can change is refused.

use crate::Error;
use aws_lc_rs::{encoding::AsDer, signature::KeyPair as _};
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, Sha256};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use std::{fmt, fs, io::Read, path::Path};

/// Longer files are no keys; also a bound on what a wrong path makes us read.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// RSA with SHA-256: every verifier knows it, so it signs first.
    Rsa,
    /// Ed25519 with SHA-256 (RFC 8463): small and fast, known to some verifiers.
    Ed25519,
}

impl KeyAlgorithm {
    /// The value of `k=` in the DNS record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Rsa, Self::Ed25519].into_iter().find(|a| a.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A private key that was checked and parsed.
pub struct SigningKey {
    pub(crate) inner: DkimKey,
    algorithm: KeyAlgorithm,
    public: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}

impl SigningKey {
    /// Reads a PEM file. The second value is a warning about its rights.
    ///
    /// # Errors
    /// When it cannot be read, may be changed by others, or holds no key that can sign.
    pub fn from_file(path: &Path) -> Result<(Self, Option<String>), Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(failed)?;
        let warning = check_rights(path, &file.metadata().map_err(failed)?)?;
        let mut pem = Vec::new();
        file.take(MAX_KEY_FILE).read_to_end(&mut pem).map_err(failed)?;
        Ok((Self::from_pem(&pem, &path.display().to_string())?, warning))
    }

    /// Reads PEM text; `origin` is what errors call it.
    ///
    /// # Errors
    /// When the text holds no key that can sign.
    pub fn from_pem(pem: &[u8], origin: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::Key { origin: origin.to_owned(), reason };
        let label = pem_label(pem).ok_or_else(|| {
            bad("it is not PEM (a text that starts with -----BEGIN PRIVATE KEY-----)".into())
        })?;
        match label.as_str() {
            "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => {
                return Err(bad(
                    "it is locked with a passphrase; write it without: openssl pkey -in OLD -out NEW".into(),
                ));
            }
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                return Err(
                    bad("it is the public half; name the file with the private key".into()),
                );
            }
            "EC PRIVATE KEY" => return Err(bad(wrong_kind("an EC key"))),
            other => return Err(bad(wrong_kind(other))),
        }
        let der = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|e| bad(format!("its PEM text is damaged ({e}); copy the file again")))?;
        Self::from_der(der).map_err(bad)
    }

    fn from_der(der: PrivateKeyDer<'_>) -> Result<Self, String> {
        if der.secret_der().windows(ED25519_OID.len()).take(OID_WITHIN).any(|w| w == ED25519_OID) {
            let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_der())
                .map_err(|e| format!("its Ed25519 key is damaged ({e}); make a new one"))?;
            let public = key.public_key();
            return Ok(Self { inner: key.into(), algorithm: KeyAlgorithm::Ed25519, public });
        }
        let public = if let PrivateKeyDer::Pkcs1(der) = &der {
            aws_lc_rs::rsa::KeyPair::from_der(der.secret_pkcs1_der())
        } else {
            aws_lc_rs::rsa::KeyPair::from_pkcs8(der.secret_der())
        };
        let public = public.map_err(|e| {
            format!("{e}: DKIM signs with RSA of 2048 to 8192 bits or Ed25519, this is neither")
        })?;
        let public = public
            .public_key()
            .as_der()
            .map_err(|e| format!("its public half cannot be computed ({e}); make a new key"))?;
        let key = RsaKey::<Sha256>::from_key_der(der)
            .map_err(|e| format!("its RSA key is damaged ({e}); make a new one"))?;
        let public = public.as_ref().to_vec();
        Ok(Self { inner: key.into(), algorithm: KeyAlgorithm::Rsa, public })
    }

    /// RSA or Ed25519.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half as `p=` wants it: SubjectPublicKeyInfo for RSA (RFC 6376 section 3.6.1 and its erratum
    /// 3017), the bare 32 octets for Ed25519 (RFC 8463 section 4.2).
    #[must_use]
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }
}

/// id-Ed25519 (RFC 8410 section 3) as DER; it stands in the first octets of a PKCS#8 key.
const ED25519_OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const OID_WITHIN: usize = 24;

fn wrong_kind(what: &str) -> String {
    format!("it holds {what}; DKIM signs with RSA or Ed25519: run postroad dkim generate")
}

fn pem_label(pem: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(pem);
    let label = text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN "))?;
    Some(label.strip_suffix("-----")?.to_owned())
}

#[cfg(unix)]
fn check_rights(path: &Path, meta: &fs::Metadata) -> Result<Option<String>, Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(Error::WritableByOthers { path: path.to_owned(), mode });
    }
    Ok((mode & 0o044 != 0).then(|| {
        format!(
            "the DKIM key {} can be read by other accounts (mode {mode:o}): run chmod 600 on it",
            path.display()
        )
    }))
}

#[cfg(not(unix))]
fn check_rights(_path: &Path, _meta: &fs::Metadata) -> Result<Option<String>, Error> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pem: &str, expected: &str) {
        let error = SigningKey::from_pem(pem.as_bytes(), "keys/s1.pem").unwrap_err().to_string();
        assert!(error.starts_with("keys/s1.pem holds no usable DKIM key"), "{error}");
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_no_signing_key_is_refused_with_its_file_and_what_helps() {
        check("", "not PEM");
        check("\u{0}\u{1}\u{2}", "not PEM");
        check(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            "passphrase",
        );
        check("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "public half");
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "holds CERTIFICATE");
        check("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----", "damaged");
        check("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "neither");
        check("-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----", "neither");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = SigningKey::from_file(Path::new("keys/none.pem")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the DKIM key keys/none.pem"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_warns_and_one_that_others_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s1.pem");
        let domain = postroad_model::Domain::parse("example.com").unwrap();
        crate::generate(&domain, "s1", KeyAlgorithm::Ed25519).unwrap().write_to(&path).unwrap();
        let read_with = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            SigningKey::from_file(&path).map(|(_, warning)| warning.is_some())
        };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!read_with(0o600).unwrap());
        assert!(!read_with(0o400).unwrap());
        assert!(read_with(0o440).unwrap());
        assert!(read_with(0o444).unwrap());
        assert!(matches!(read_with(0o660), Err(Error::WritableByOthers { mode: 0o660, .. })));
    }
}
