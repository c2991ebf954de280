//! Key rings and messages that the tests share.

use postroad_dkim::{DnsRecord, KeyAlgorithm, KeyRing, SigningKey, generate};
use postroad_model::message::RenderedMessage;
use postroad_model::{Domain, EmailAddress, Timestamp};

/// 2026-11-21T22:26:40.123Z.
pub const AT: Timestamp = Timestamp(1_795_300_000_123);

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

/// A ring with new keys for one domain: `(selector, algorithm)` each, inserted in the order given.
pub fn ring(name: &str, keys: &[(&str, KeyAlgorithm)]) -> (KeyRing, Vec<DnsRecord>) {
    let mut ring = KeyRing::default();
    let mut records = Vec::new();
    for (selector, algorithm) in keys {
        let new = generate(&domain(name), selector, *algorithm).unwrap();
        let key = SigningKey::from_pem(new.pem.expose().as_bytes(), "test").unwrap();
        ring.insert(&domain(name), selector, key).unwrap();
        records.push(new.record);
    }
    (ring, records)
}

pub fn message(from: &str, body: &str) -> RenderedMessage {
    let header = format!(
        "Message-ID: <1.abc@news.example.com>\r\n\
         Date: Sat, 21 Nov 2026 22:26:40 +0000\r\n\
         From: =?utf-8?B?TMOqIEFubmE=?= <{from}>\r\n\
         To: Kim  Lan \t<kim@example.net>\r\n\
         Subject: A subject that is\r\n\tfolded   twice\r\n over lines \r\n\
         Reply-To: anna@example.com\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=\"utf-8\"\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\
         List-Id: <newsletter.example.com>\r\n\
         List-Unsubscribe: <https://news.example.com/u/abc>,\r\n <mailto:unsub@news.example.com>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\
         Feedback-ID: 1:news:example\r\n\
         X-Postroad-Ref: abc\r\n\r\n"
    );
    RenderedMessage {
        bytes: [header.as_bytes(), body.as_bytes()].concat(),
        from: EmailAddress::parse(from).unwrap(),
        message_id: "<1.abc@news.example.com>".into(),
        needs_smtputf8: false,
    }
}
