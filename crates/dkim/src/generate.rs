//! Makes new keys: PKCS#8 in PEM, mode 600, and the DNS record that belongs to it.
//!
//! Randomness is the crypto library's own: the one place where it is not an argument, because a key made from a
//! seed that the program could repeat would be no secret.

use crate::record::check_selector;
use crate::{DnsRecord, Error, KeyAlgorithm, SigningKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use data_encoding::BASE64;
use postroad_model::{Domain, Secret};
use std::{fs, io::Write, path::Path};

/// A new key, not yet on disk.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The private key as PEM text (PKCS#8).
    pub pem: Secret,
    /// What to publish.
    pub record: DnsRecord,
}

/// Makes a key for `selector` of `domain`: RSA has 2048 bits, the size that every DNS provider and verifier takes.
///
/// # Errors
/// [`Error::Selector`], or [`Error::Generate`] when the crypto library refuses.
pub fn generate(
    domain: &Domain,
    selector: &str,
    algorithm: KeyAlgorithm,
) -> Result<GeneratedKey, Error> {
    check_selector(selector)?;
    let failed = |_| Error::Generate(algorithm);
    let pem = match algorithm {
        KeyAlgorithm::Rsa => {
            let key = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            to_pem(key.as_der().map_err(failed)?.as_ref())
        }
        KeyAlgorithm::Ed25519 => {
            let key = Ed25519KeyPair::generate().map_err(failed)?;
            // Version 1 holds no public key; older OpenSSL reads no other.
            to_pem(key.to_pkcs8v1().map_err(failed)?.as_ref())
        }
    };
    let key = SigningKey::from_pem(pem.as_bytes(), "the new key")?;
    let record = DnsRecord::of(domain, selector, &key)?;
    Ok(GeneratedKey { pem: Secret::new(pem), record })
}

impl GeneratedKey {
    /// Writes the private key to a new file that only its owner can read; missing folders are made.
    ///
    /// # Errors
    /// [`Error::Write`]; an existing file is left as it is.
    pub fn write_to(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(self.pem.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }
}

/// RFC 7468 section 3: lines of 64.
fn to_pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_can_be_read_back_and_gives_the_same_record() {
        let domain = Domain::parse("news.example.com").unwrap();
        let check = |algorithm: KeyAlgorithm, strings: usize| {
            let new = generate(&domain, "s1", algorithm).unwrap();
            let key = SigningKey::from_pem(new.pem.expose().as_bytes(), "test").unwrap();
            assert_eq!(DnsRecord::of(&domain, "s1", &key).unwrap(), new.record);
            assert_eq!(new.record.name, "s1._domainkey.news.example.com");
            assert_eq!(new.record.strings().count(), strings, "{}", new.record);
            assert!(!format!("{new:?} {key:?}").contains("PRIVATE"));
        };
        check(KeyAlgorithm::Rsa, 2);
        check(KeyAlgorithm::Ed25519, 1);
    }

    #[test]
    fn an_existing_key_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/s1.pem");
        let domain = Domain::parse("example.com").unwrap();
        let first = generate(&domain, "s1", KeyAlgorithm::Ed25519).unwrap();
        first.write_to(&path).unwrap();
        let second = generate(&domain, "s1", KeyAlgorithm::Ed25519).unwrap();
        assert!(matches!(second.write_to(&path), Err(Error::Write { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), first.pem.expose());
    }

    #[test]
    fn an_rsa_key_in_the_older_pkcs1_form_is_the_same_key() {
        let domain = Domain::parse("example.com").unwrap();
        let new = generate(&domain, "s1", KeyAlgorithm::Rsa).unwrap();
        let body: String = new.pem.expose().lines().filter(|l| !l.starts_with('-')).collect();
        let pkcs8 = BASE64.decode(body.as_bytes()).unwrap();
        // RFC 5208: version, algorithm and the head of the octet string are 26 octets for RSA-2048.
        let old = to_pem(&pkcs8[26..]).replace("PRIVATE KEY", "RSA PRIVATE KEY");
        let key = SigningKey::from_pem(old.as_bytes(), "test").unwrap();
        assert_eq!(DnsRecord::of(&domain, "s1", &key).unwrap(), new.record);
    }
}
