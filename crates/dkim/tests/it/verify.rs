//! Every signature verifies; every change that matters breaks it; only an aligned key signs.

use crate::messages::{AT, domain, message, ring};
use crate::verifier::verify;
use postroad_dkim::{Coverage, Error, KeyAlgorithm, KeyRing, SigningKey};
use postroad_model::relay::{DkimKeyRef, SendingDomain};
use proptest::prelude::*;
use std::sync::LazyLock;

const DUAL: [(&str, KeyAlgorithm); 2] = [("e1", KeyAlgorithm::Ed25519), ("r1", KeyAlgorithm::Rsa)];

#[test]
fn both_signatures_verify_rsa_first_and_the_message_stays_as_it_was() {
    let (ring, records) = ring("news.example.com", &DUAL);
    let rendered = message("anna@news.example.com", "Hello  =C3=AA \t\r\n\r\nbye\r\n\r\n");
    let signed = ring.sign(rendered.clone(), Coverage::Full, AT).unwrap();
    assert_eq!(signed.message, rendered);
    assert_eq!(signed.signed_by, [domain("news.example.com")]);
    let wire = [&signed.signature_fields[..], &signed.message.bytes].concat();
    let tags = verify(&wire, &records).unwrap();
    let algorithms: Vec<&str> = tags.iter().map(|t| t["a"].as_str()).collect();
    assert_eq!(algorithms, ["rsa-sha256", "ed25519-sha256"]);
    for tags in tags {
        assert_eq!(tags["t"], "1795300000");
        assert_eq!(
            tags["h"],
            "From:From:To:Subject:Date:Message-ID:Reply-To:MIME-Version:Content-Type:\
             Content-Transfer-Encoding:List-Id:List-Unsubscribe:List-Unsubscribe-Post:Feedback-ID"
        );
    }
    for line in signed.signature_fields.split(|b| *b == b'\n') {
        assert!(line.len() <= 998, "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn any_change_of_what_is_covered_breaks_the_signature() {
    let (ring, records) = ring("example.com", &[("s1", KeyAlgorithm::Rsa)]);
    let signed = ring.sign(message("a@example.com", "Hello\r\n"), Coverage::Full, AT).unwrap();
    let wire = [&signed.signature_fields[..], &signed.message.bytes].concat();
    let wire = String::from_utf8(wire).unwrap();
    let check = |from: &str, to: &str, still_good: bool| {
        assert!(wire.contains(from), "{from}");
        let changed = wire.replacen(from, to, 1);
        assert_eq!(verify(changed.as_bytes(), &records).is_ok(), still_good, "{from:?} -> {to:?}");
    };
    check("Hello", "Hallo", false);
    check("One-Click", "Two-Click", false);
    check("/u/abc", "/u/abd", false);
    check("Feedback-ID: 1", "Feedback-ID: 2", false);
    check("Subject: A", "Subject: B", false);
    check("X-Postroad-Ref", "From: evil@example.org\r\nX-Postroad-Ref", false);
    check("X-Postroad-Ref: abc", "X-Postroad-Ref: abd", true);
    check("folded   twice", "folded twice", true);
    check("Hello\r\n", "Hello  \r\n\r\n", true);
}

#[test]
fn a_body_that_ends_in_lines_of_blanks_is_hashed_as_the_rfc_says() {
    let (ring, records) = ring("example.com", &[("s1", KeyAlgorithm::Ed25519)]);
    for body in ["a\r\n \r\n", "a\r\n\t\r\n \r\n\r\n", " \r\n", "", "\r\n", "a \t", " a\r\n\r\n\tb"]
    {
        let signed = ring.sign(message("a@example.com", body), Coverage::Full, AT).unwrap();
        let wire = [&signed.signature_fields[..], &signed.message.bytes].concat();
        assert!(verify(&wire, &records).is_ok(), "{body:?}");
    }
}

#[test]
fn only_an_aligned_key_signs_the_exact_domain_before_the_longest_parent() {
    let mut all = KeyRing::default();
    for name in ["example.com", "news.example.com", "example.org"] {
        let (_, records) = ring(name, &[]);
        assert!(records.is_empty());
        let new = postroad_dkim::generate(&domain(name), "s1", KeyAlgorithm::Ed25519).unwrap();
        let key = SigningKey::from_pem(new.pem.expose().as_bytes(), "test").unwrap();
        all.insert(&domain(name), "s1", key).unwrap();
    }
    let check = |from: &str, expected: Option<&str>| {
        let signer = all.signer_for(&domain(from));
        assert_eq!(signer.map(|s| s.domain().clone()), expected.map(domain), "{from}");
    };
    check("example.com", Some("example.com"));
    check("news.example.com", Some("news.example.com"));
    check("a.news.example.com", Some("news.example.com"));
    check("shop.example.com", Some("example.com"));
    check("badexample.com", None);
    check("gmail.com", None);
    let unsigned = all.sign(message("anna@gmail.com", "x\r\n"), Coverage::Full, AT).unwrap();
    assert!(unsigned.signature_fields.is_empty() && unsigned.signed_by.is_empty());
}

#[test]
fn a_ring_is_loaded_from_key_files_and_names_the_one_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s1.pem");
    let new = postroad_dkim::generate(&domain("example.com"), "s1", KeyAlgorithm::Rsa).unwrap();
    new.write_to(&file).unwrap();
    let sending = |selectors: &[&str], key_file: &std::path::Path| SendingDomain {
        name: domain("example.com"),
        dkim: selectors
            .iter()
            .map(|s| DkimKeyRef { selector: (*s).into(), key_file: key_file.into() })
            .collect(),
        bounce_domain: None,
        unsubscribe_mailto: None,
        postal_address: None,
    };
    let (ring, warnings) = KeyRing::load(&[sending(&["s1"], &file)]).unwrap();
    assert_eq!((ring.records(&domain("example.com")), warnings), (vec![new.record], vec![]));
    let twice = KeyRing::load(&[sending(&["s1", "S1"], &file)]);
    assert!(matches!(twice, Err(Error::DuplicateSelector { .. })));
    let missing = KeyRing::load(&[sending(&["s1"], &dir.path().join("s2.pem"))]).unwrap_err();
    assert!(missing.to_string().contains("s2.pem"), "{missing}");
}

proptest! {
    #[test]
    fn every_body_and_subject_verifies(
        body in "([a-zA-Z =.\t]{0,20}(\r\n)?){0,8}",
        subject in "[ -~]{0,40}(\r\n[ \t][!-~][ -~\t]{0,20}){0,3}",
    ) {
        static RING: LazyLock<(KeyRing, Vec<postroad_dkim::DnsRecord>)> =
            LazyLock::new(|| ring("example.com", &[("s1", KeyAlgorithm::Ed25519)]));
        let (ring, records) = &*RING;
        let mut rendered = message("a@example.com", &body);
        let head = format!("Subject:{subject}\r\nFrom: a@example.com\r\n\r\n{body}");
        rendered.bytes = head.into_bytes();
        let signed = ring.sign(rendered, Coverage::Full, AT).unwrap();
        let wire = [&signed.signature_fields[..], &signed.message.bytes].concat();
        prop_assert_eq!(verify(&wire, records).map(|t| t.len()), Ok(1));
    }
}
