//! Amazon SNS over HTTPS: envelopes that Amazon signed, and the subscription's confirmation.
//!
//! Below `ses`. The envelope of Amazon's documentation ("Verifying the signatures of Amazon SNS messages"), signature
//! versions 1 (SHA-1) and 2 (SHA-256). What must always hold: certificates are fetched and subscriptions confirmed at
//! `https://sns.REGION.amazonaws.com` (or `.com.cn`) alone, and only for topics of the configuration. Amazon repeats a
//! message for hours with the same time stamp, so a replay is not told by its time: the same event of the same copy counts once, however often it comes.

use super::verify::{Digest, rsa};
use super::{Fetch, Refusal, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Certificates that were fetched; Amazon changes its own once a year.
const CERTIFICATES_MAX: usize = 32;

/// The public keys behind certificates, by their address.
#[derive(Debug, Default)]
pub(super) struct Certificates(Mutex<HashMap<String, Vec<u8>>>);

/// What an envelope told.
#[derive(Debug)]
pub(super) enum Told {
    /// The topic now sends to us (or did not need to be asked).
    Subscribed,
    /// A message.
    Message { id: String, text: String },
}

pub(super) async fn read(
    request: &Request,
    topics: &[String],
    certificates: &Certificates,
    fetch: &Fetch,
) -> Result<Told, Refusal> {
    let envelope: Value = super::parsed(request)?;
    let field = |key: &str| envelope[key].as_str().unwrap_or_default();
    let kind = field("Type");
    if !topics.iter().any(|topic| topic == field("TopicArn")) {
        return Err(Refusal::Forged("the topic is not one of `topics` in this hook"));
    }
    let signed = canonical(&envelope, kind).ok_or_else(|| malformed("Type"))?;
    let digest = match field("SignatureVersion") {
        "1" => Digest::Sha1,
        "2" => Digest::Sha256,
        _ => return Err(malformed("SignatureVersion")),
    };
    let signature =
        STANDARD.decode(field("Signature")).map_err(|_| Refusal::Forged("no signature"))?;
    let address = match field("SigningCertURL") {
        "" => field("SigningCertUrl"),
        address => address,
    };
    let path = amazon(address).ok_or(Refusal::Forged("the certificate is not at Amazon's"))?;
    if !path.ends_with(".pem") {
        return Err(Refusal::Forged("the certificate's address is none"));
    }
    let key = certificates.key(address, fetch).await?;
    if !rsa(&key, digest, signed.as_bytes(), &signature) {
        return Err(Refusal::Forged("the signature is not Amazon's"));
    }
    if kind == "SubscriptionConfirmation" {
        let url = field("SubscribeURL");
        amazon(url).ok_or(Refusal::Forged("the confirmation is not asked for by Amazon"))?;
        fetch(url.to_owned()).await.map_err(Refusal::Later)?;
        tracing::info!(topic = field("TopicArn"), "the subscription to the topic is confirmed");
    }
    if kind == "UnsubscribeConfirmation" {
        tracing::warn!(
            topic = field("TopicArn"),
            "the topic no longer sends to us: subscribe it again"
        );
    }
    if kind == "Notification" {
        return Ok(Told::Message { id: field("MessageId").into(), text: field("Message").into() });
    }
    Ok(Told::Subscribed)
}

fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(format!("{what} of the envelope is not known"))
}

/// What is signed: names and values of certain fields, each on a line, in the order of the alphabet.
fn canonical(envelope: &Value, kind: &str) -> Option<String> {
    let fields: &[&str] = match kind {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return None,
    };
    let mut text = String::new();
    for name in fields {
        if let Some(value) = envelope[*name].as_str() {
            text.push_str(name);
            text.push('\n');
            text.push_str(value);
            text.push('\n');
        }
    }
    Some(text)
}

/// The path of an https address at an SNS host; `None` for every other one.
pub(super) fn amazon(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/')?;
    let region = host.strip_prefix("sns.")?;
    let region = region
        .strip_suffix(".amazonaws.com")
        .or_else(|| region.strip_suffix(".amazonaws.com.cn"))?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let clean = address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    (!region.is_empty() && region.bytes().all(plain) && clean).then_some(path)
}

impl Certificates {
    async fn key(&self, address: &str, fetch: &Fetch) -> Result<Vec<u8>, Refusal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let pem = fetch(address.to_owned()).await.map_err(Refusal::Later)?;
        let key = public_key(&pem).ok_or(Refusal::Forged("the certificate is none"))?;
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= CERTIFICATES_MAX {
            keys.clear();
        }
        keys.insert(address.to_owned(), key.clone());
        Ok(key)
    }
}

/// The SubjectPublicKeyInfo of the first certificate of a PEM text (RFC 7468, RFC 5280 section 4.1.2.7).
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let parsed = webpki::EndEntityCert::try_from(&certificate).ok()?;
    Some(parsed.subject_public_key_info().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_notification_hosts_are_asked() {
        let check = |address: &str, right: bool| {
            assert_eq!(amazon(address).is_some(), right, "{address}");
        };
        check("https://sns.eu-west-1.amazonaws.com/x.pem", true);
        check("https://sns.cn-north-1.amazonaws.com.cn/x.pem", true);
        check("http://sns.eu-west-1.amazonaws.com/x.pem", false);
        check("https://sns.eu-west-1.amazonaws.com.evil.test/x.pem", false);
        check("https://evil.test/sns.eu-west-1.amazonaws.com/x.pem", false);
        check("https://sns.evil.test/x.pem", false);
        check("https://sns.eu-west-1.amazonaws.com@evil.test/x.pem", false);
        check("https://sns.a@b.amazonaws.com/x.pem", false);
        check("https://sns.a.b.amazonaws.com/x.pem", false);
        check("https://sns..amazonaws.com/x.pem", false);
        check("https://s3.eu-west-1.amazonaws.com/x.pem", false);
        check("https://sns.eu-west-1.amazonaws.com:8443/x.pem", false);
        check("https://sns.eu-west-1.amazonaws.com", false);
        check("https://sns.eu-west-1.amazonaws.com/a b.pem", false);
        check("https://sns.eu-west-1.amazonaws.com/\\evil.pem", false);
    }
}
