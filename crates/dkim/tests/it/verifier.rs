//! A DKIM verifier in a hundred lines: RFC 6376 section 6.1.3 for relaxed/relaxed, over the crypto library alone.
//! It shares no line with the signer.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use data_encoding::BASE64;
use postroad_dkim::DnsRecord;
use std::collections::HashMap;

/// The tags of a signature field that verified.
pub type Tags = HashMap<String, String>;

/// Verifies every DKIM-Signature field of a message and returns their tags, first field first.
pub fn verify(wire: &[u8], records: &[DnsRecord]) -> Result<Vec<Tags>, String> {
    let text = String::from_utf8(wire.to_vec()).map_err(|e| e.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no body")?;
    let fields = fields(head);
    let signatures = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("DKIM-Signature"));
    signatures.map(|(_, value)| verify_one(value, &fields, body, records)).collect()
}

fn fields(head: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), out.last_mut()) {
            (true, Some((_, value))) => value.push_str(line),
            _ => {
                let (name, value) = line.split_once(':').expect("a header line has a colon");
                out.push((name.into(), value.into()));
            }
        }
    }
    out
}

fn verify_one(
    value: &str,
    fields: &[(String, String)],
    body: &str,
    records: &[DnsRecord],
) -> Result<Tags, String> {
    let tags: Tags = value
        .split(';')
        .filter_map(|t| t.split_once('='))
        .map(|(k, v)| (k.trim().to_owned(), v.split_whitespace().collect()))
        .collect();
    let tag = |name: &str| tags.get(name).cloned().ok_or(format!("no {name}="));
    if tag("c")? != "relaxed/relaxed" {
        return Err("not relaxed/relaxed".into());
    }
    let body_hash = BASE64.encode(digest(&SHA256, relaxed_body(body).as_bytes()).as_ref());
    if tag("bh")? != body_hash {
        return Err("the body hash differs".into());
    }
    let mut left: Vec<&(String, String)> = fields.iter().collect();
    let mut data = String::new();
    for wanted in tag("h")?.split(':') {
        if let Some(at) = left.iter().rposition(|(name, _)| name.eq_ignore_ascii_case(wanted)) {
            let (name, value) = left.remove(at);
            data += &format!("{}:{}\r\n", name.to_ascii_lowercase(), squeeze(value));
        }
    }
    let b_at = value.rfind("b=").expect("a signature field has b=") + 2;
    let unsigned = format!("{};", &value[..b_at]);
    data += &format!("dkim-signature:{}", squeeze(&unsigned));
    let name = format!("{}._domainkey.{}", tag("s")?, tag("d")?);
    let record = records.iter().find(|r| r.name == name).ok_or(format!("no record {name}"))?;
    let signature = BASE64.decode(tag("b")?.as_bytes()).map_err(|e| e.to_string())?;
    check_signature(&tag("a")?, record, data.as_bytes(), &signature)?;
    Ok(tags)
}

fn check_signature(
    algorithm: &str,
    record: &DnsRecord,
    data: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let (_, public) = record.value.split_once("p=").expect("a record has p=");
    let public = BASE64.decode(public.as_bytes()).map_err(|e| e.to_string())?;
    let failed = |_| "the signature does not verify".to_owned();
    match algorithm {
        "rsa-sha256" => {
            // The crypto library takes SubjectPublicKeyInfo as it stands in the record.
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
                .verify(data, signature)
                .map_err(failed)
        }
        // RFC 8463 section 3: Ed25519 signs the SHA-256 hash, not the data.
        "ed25519-sha256" => UnparsedPublicKey::new(&ED25519, public)
            .verify(digest(&SHA256, data).as_ref(), signature)
            .map_err(failed),
        other => Err(format!("unknown algorithm {other}")),
    }
}

/// Section 3.4.2: unfold, runs of blanks to one, none at the ends.
fn squeeze(value: &str) -> String {
    value.split([' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Section 3.4.4.
fn relaxed_body(body: &str) -> String {
    let mut lines: Vec<String> = body
        .split("\r\n")
        .map(|line| {
            let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            let lead = if line.starts_with([' ', '\t']) && !words.is_empty() { " " } else { "" };
            format!("{lead}{}", words.join(" "))
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}
