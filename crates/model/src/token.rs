//! Keyed tokens: how mail that comes back, a click or an unsubscribe finds its delivery.
//!
//! One secret per installation; sub-keys by purpose (HMAC-SHA256 of a label), so that no token serves another
//! purpose. A token carries what is needed to act without the delivery's row, for two years. Text form is lower
//! case base32 without padding: it survives a local part whose case a relay changes.

use crate::{CampaignId, ContactId, DeliveryId, EmailAddress, ListId};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Shortest secret that is accepted, in octets.
pub const MIN_SECRET: usize = 32;
const TAG_LEN: usize = 10;

/// Why a token or a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The secret is too short.
    #[error("the secret key must have at least {MIN_SECRET} octets")]
    ShortSecret,
    /// Not a token of ours, or of another purpose, or changed on its way.
    #[error("the token is not one of ours")]
    Forged,
}

/// The sub-keys of one installation.
#[derive(Clone)]
pub struct TokenKeys {
    envelope: [u8; 32],
    link: [u8; 32],
    reference: [u8; 32],
    address: [u8; 32],
    fingerprint: String,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKeys({})", self.fingerprint)
    }
}

/// What a link in a message may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Unsubscribe from the lists named in the token.
    Unsubscribe,
    /// Show the message in the browser.
    View,
    /// Fetch the image that tells of an open.
    Open,
}

/// Whether a link acts or only shows that it would (tests, seeds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkEffect {
    /// It acts.
    Real,
    /// It changes nothing.
    Test,
}

/// The content of a link token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkToken {
    /// What it may do.
    pub kind: LinkKind,
    /// Whether it does.
    pub effect: LinkEffect,
    /// The campaign.
    pub campaign: CampaignId,
    /// The contact; 0 for an address that is no contact.
    pub contact: ContactId,
    /// The delivery's row.
    pub delivery: DeliveryId,
    /// The campaign's lists.
    pub lists: Vec<ListId>,
}

/// The content of an envelope (VERP) or reference token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryToken {
    /// The delivery's row.
    pub delivery: DeliveryId,
    /// The campaign.
    pub campaign: CampaignId,
    /// Which copy.
    pub copy_no: i64,
}

impl TokenKeys {
    /// Derives the sub-keys.
    ///
    /// # Errors
    /// `ShortSecret`.
    pub fn derive(secret: &[u8]) -> Result<Self, TokenError> {
        if secret.len() < MIN_SECRET {
            return Err(TokenError::ShortSecret);
        }
        let sub = |label: &str| hmac(secret, &[b"postroad/", label.as_bytes()]);
        let fingerprint = HEXLOWER.encode(&sub("fingerprint")[..8]);
        Ok(Self {
            envelope: sub("envelope"),
            link: sub("link"),
            reference: sub("reference"),
            address: sub("address"),
            fingerprint,
        })
    }

    /// Names the secret without telling it; kept in the database so that another key is refused.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The keyed hash by which an address is found in suppressions and deliveries, also after it was erased.
    #[must_use]
    pub fn address_hash(&self, address: &EmailAddress) -> i64 {
        let tag = hmac(&self.address, &[address.key().as_bytes()]);
        i64::from_be_bytes(tag[..8].try_into().expect("eight octets of thirty-two"))
    }

    /// The tag in MAIL FROM.
    #[must_use]
    pub fn envelope(&self, token: &DeliveryToken) -> String {
        seal(&self.envelope, &delivery_body(token))
    }

    /// Reads the tag of a returned MAIL FROM.
    ///
    /// # Errors
    /// `Forged`.
    pub fn read_envelope(&self, text: &str) -> Result<DeliveryToken, TokenError> {
        read_delivery(&open(&self.envelope, text)?)
    }

    /// The value of X-Postroad-Ref.
    #[must_use]
    pub fn reference(&self, token: &DeliveryToken) -> String {
        seal(&self.reference, &delivery_body(token))
    }

    /// Reads X-Postroad-Ref.
    ///
    /// # Errors
    /// `Forged`.
    pub fn read_reference(&self, text: &str) -> Result<DeliveryToken, TokenError> {
        read_delivery(&open(&self.reference, text)?)
    }

    /// The token in a link.
    #[must_use]
    pub fn link(&self, token: &LinkToken) -> String {
        let kind = match token.kind {
            LinkKind::Unsubscribe => 1,
            LinkKind::View => 2,
            LinkKind::Open => 3,
        };
        let effect = match token.effect {
            LinkEffect::Real => 0,
            LinkEffect::Test => 0x10,
        };
        let mut body = vec![kind | effect];
        let numbers = [token.campaign.0, token.contact.0, token.delivery.bucket, token.delivery.id];
        for n in numbers.into_iter().chain(token.lists.iter().map(|l| l.0)) {
            put(&mut body, n);
        }
        seal(&self.link, &body)
    }

    /// Reads the token of a link.
    ///
    /// # Errors
    /// `Forged`.
    pub fn read_link(&self, text: &str) -> Result<LinkToken, TokenError> {
        let body = open(&self.link, text)?;
        let (first, mut rest) = body.split_first().ok_or(TokenError::Forged)?;
        let kind = match first & 0x0F {
            1 => LinkKind::Unsubscribe,
            2 => LinkKind::View,
            3 => LinkKind::Open,
            _ => return Err(TokenError::Forged),
        };
        let effect = if first & 0x10 == 0 { LinkEffect::Real } else { LinkEffect::Test };
        let mut next = || take(&mut rest);
        let (campaign, contact) = (CampaignId(next()?), ContactId(next()?));
        let delivery = DeliveryId { bucket: next()?, id: next()? };
        let mut lists = Vec::new();
        while !rest.is_empty() {
            lists.push(ListId(take(&mut rest)?));
        }
        Ok(LinkToken { kind, effect, campaign, contact, delivery, lists })
    }
}

fn delivery_body(token: &DeliveryToken) -> Vec<u8> {
    let mut body = Vec::with_capacity(16);
    for n in [token.delivery.bucket, token.delivery.id, token.campaign.0, token.copy_no] {
        put(&mut body, n);
    }
    body
}

fn read_delivery(mut body: &[u8]) -> Result<DeliveryToken, TokenError> {
    let mut next = || take(&mut body);
    let delivery = DeliveryId { bucket: next()?, id: next()? };
    let (campaign, copy_no) = (CampaignId(next()?), next()?);
    if !body.is_empty() {
        return Err(TokenError::Forged);
    }
    Ok(DeliveryToken { delivery, campaign, copy_no })
}

/// LEB128 of the number's bits.
fn put(out: &mut Vec<u8>, n: i64) {
    let mut n = n.cast_unsigned();
    while n >= 0x80 {
        out.push((n & 0x7F) as u8 | 0x80);
        n >>= 7;
    }
    out.push((n & 0x7F) as u8);
}

fn take(input: &mut &[u8]) -> Result<i64, TokenError> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first().ok_or(TokenError::Forged)?;
        *input = rest;
        n |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(n.cast_signed());
        }
    }
    Err(TokenError::Forged)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn seal(key: &[u8; 32], body: &[u8]) -> String {
    let mut bytes = body.to_vec();
    bytes.extend_from_slice(&hmac(key, &[body])[..TAG_LEN]);
    let mut text = BASE32_NOPAD.encode(&bytes);
    text.make_ascii_lowercase();
    text
}

fn open(key: &[u8; 32], text: &str) -> Result<Vec<u8>, TokenError> {
    if text.len() > 400 {
        return Err(TokenError::Forged);
    }
    let mut bytes = BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| TokenError::Forged)?;
    let at = bytes.len().checked_sub(TAG_LEN).ok_or(TokenError::Forged)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&bytes[..at]);
    mac.verify_truncated_left(&bytes[at..]).map_err(|_| TokenError::Forged)?;
    bytes.truncate(at);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> TokenKeys {
        TokenKeys::derive(&[7; 32]).unwrap()
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(TokenKeys::derive(b"short").err(), Some(TokenError::ShortSecret));
    }

    #[test]
    fn a_token_of_one_purpose_or_key_serves_no_other() {
        let token = DeliveryToken {
            delivery: DeliveryId { bucket: 202_611, id: 77 },
            campaign: CampaignId(3),
            copy_no: 0,
        };
        let text = keys().envelope(&token);
        assert_eq!(keys().read_envelope(&text.to_uppercase()), Ok(token));
        assert_eq!(keys().read_reference(&text), Err(TokenError::Forged));
        let other = TokenKeys::derive(&[8; 32]).unwrap();
        assert_eq!(other.read_envelope(&text), Err(TokenError::Forged));
        assert!(text.len() <= 40, "fits a local part: {}", text.len());
    }

    #[test]
    fn the_hash_of_an_address_ignores_case() {
        let hash = |t| keys().address_hash(&EmailAddress::parse(t).unwrap());
        assert_eq!(hash("Anna@Example.com"), hash("anna@example.com"));
        assert_ne!(hash("anna@example.com"), hash("bob@example.com"));
    }

    proptest! {
        #[test]
        fn links_lead_back_and_no_text_panics(c in any::<i64>(), p in any::<i64>(), id in any::<i64>(),
            lists in proptest::collection::vec(any::<i64>(), 0..5), noise in ".{0,80}") {
            let token = LinkToken {
                kind: LinkKind::Unsubscribe, effect: LinkEffect::Real, campaign: CampaignId(c), contact: ContactId(p),
                delivery: DeliveryId { bucket: 1, id }, lists: lists.into_iter().map(ListId).collect(),
            };
            prop_assert_eq!(keys().read_link(&keys().link(&token)), Ok(token));
            let _ = keys().read_link(&noise);
        }
    }
}
