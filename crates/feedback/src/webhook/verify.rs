//! Signatures and secrets: ECDSA P-256, RSA with SHA-1 or SHA-256, HMAC-SHA-256, logins. Verifying only.
//!
//! Called before a body is believed. RFC 2104 (HMAC), RFC 7617 (basic), RFC 6750 (bearer), RFC 5480 (the key of a
//! P-256 signature). What must always hold: secrets are compared in constant time; a key that cannot be one is refused
//! when the configuration is read, not when the first event comes.

use super::{Refusal, Request, Shared, TOLERANCE_MS};
use aws_lc_rs::signature;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use postroad_model::{Secret, Timestamp};
use sha2::Sha256;

/// What stands before the 65 octets of a P-256 point in its SubjectPublicKeyInfo.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no P-256 public key; copy the base64 text (it begins with MFkw) that the provider's console shows"
)]
pub struct KeyError;

/// A P-256 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// From base64 or PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bare: String = text
            .lines()
            .filter(|l| !l.starts_with("-----"))
            .flat_map(str::split_whitespace)
            .collect();
        let der = STANDARD.decode(bare).map_err(|_| KeyError)?;
        match der.strip_prefix(&P256_HEAD) {
            Some(point) if point.len() == 65 && point[0] == 4 => Ok(Self(point.to_vec())),
            Some(_) | None => Err(KeyError),
        }
    }

    /// ECDSA with SHA-256, the signature in DER.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

/// Which digest an RSA signature was made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
}

/// RSA PKCS #1 v1.5 with a public key as SubjectPublicKeyInfo.
pub(super) fn rsa(key: &[u8], digest: Digest, message: &[u8], signature: &[u8]) -> bool {
    let algorithm = match digest {
        Digest::Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Digest::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
    };
    signature::UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

/// True when the tag is the HMAC of these parts.
pub(super) fn hmac_is(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(tag).is_ok()
}

/// Compares two secrets in a time that tells nothing about where they differ.
fn same(a: &str, b: &str) -> bool {
    let tag = |text: &str| Hmac::<Sha256>::new_from_slice(text.as_bytes()).ok();
    match (tag(a), tag(b)) {
        (Some(mut a), Some(mut b)) => {
            a.update(b"postroad");
            b.update(b"postroad");
            a.verify(&b.finalize().into_bytes()).is_ok()
        }
        (_, _) => false,
    }
}

/// True when a signed time (Unix seconds as text) is near ours.
pub(super) fn is_fresh(seconds: &str, now: Timestamp) -> bool {
    let told: Option<i64> = seconds.trim().parse().ok();
    told.and_then(|s| s.checked_mul(1000))
        .is_some_and(|ms| now.since_ms(Timestamp(ms)).saturating_abs() <= TOLERANCE_MS)
}

/// A login or token that we gave to the provider.
pub(super) fn shared(request: &Request, shared: &Shared) -> Result<(), Refusal> {
    let authorization = request.header("authorization").unwrap_or_default();
    let (scheme, rest) = authorization.split_once(' ').unwrap_or_default();
    match shared {
        Shared::Basic { username, password } => {
            let given = scheme.eq_ignore_ascii_case("basic").then(|| rest.trim());
            let given = given.and_then(|g| STANDARD.decode(g).ok());
            let given = given.and_then(|g| String::from_utf8(g).ok()).unwrap_or_default();
            let wanted = format!("{username}:{}", password.expose());
            if same(&given, &wanted) {
                return Ok(());
            }
            Err(Refusal::Forged("user name or password is missing or wrong"))
        }
        Shared::Token(token) => {
            let bearer = scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim().to_owned());
            let field = request.header("x-postroad-token").map(str::to_owned);
            let query = request.query.split('&').find_map(|p| p.strip_prefix("token="));
            let query = query.map(unescaped);
            let given = [bearer, field, query].into_iter().flatten();
            // All are compared, so that the time does not tell which way was taken.
            let right = given.fold(false, |right, given| same(&given, token.expose()) | right);
            if right { Ok(()) } else { Err(Refusal::Forged("the token is missing or wrong")) }
        }
    }
}

/// The octets behind percent signs (RFC 3986 section 2.1).
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The key behind `whsec_`, which is base64.
pub(super) fn svix_key(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.expose().trim();
    STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok().filter(|key| !key.is_empty())
}
