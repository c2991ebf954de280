//! lettre's pool sends the newsletter: `cargo run --release -p postroad-bench --example lettre_peer -- ORDERS.json`
//!
//! A peer of the benchmarks (docs/guide/speed.md). An example and not part of the program that measures, so that
//! lettre and what it brings along are development dependencies only. Prints `{"n": .., "seconds": .., "version": ..}`.

use base64::Engine as _;
use lettre::message::dkim::{DkimConfig, DkimSigningAlgorithm, DkimSigningKey};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Orders {
    host: String,
    port: u16,
    n: usize,
    connections: u32,
    from: String,
    subject: String,
    html: String,
    text: String,
    domain: String,
    selector: String,
    key_file: Option<String>,
    people: Vec<BTreeMap<String, String>>,
}

#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// lettre reads PKCS#1 only: what a key of 2,048 bits holds behind the 26 octets that PKCS#8 puts before it.
fn signing(orders: &Orders) -> Result<Option<DkimConfig>, Failure> {
    let Some(path) = &orders.key_file else { return Ok(None) };
    let pem = std::fs::read_to_string(path)?;
    let text: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let engine = base64::engine::general_purpose::STANDARD;
    let der = engine.decode(text)?;
    let inner = der.get(26..).filter(|d| d.starts_with(&[0x30, 0x82]));
    let inner = engine.encode(inner.ok_or("the key is no PKCS#8 key of 2,048 bits")?);
    // RFC 7468 section 2: lines of 64 characters, and lettre insists on them.
    let mut pem = "-----BEGIN RSA PRIVATE KEY-----\n".to_owned();
    for line in inner.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line)?);
        pem.push('\n');
    }
    pem.push_str("-----END RSA PRIVATE KEY-----\n");
    let key = DkimSigningKey::new(&pem, DkimSigningAlgorithm::Rsa)?;
    Ok(Some(DkimConfig::default_config(orders.selector.clone(), orders.domain.clone(), key)))
}

fn fill(template: &str, person: &BTreeMap<String, String>) -> String {
    let mut text = template.to_owned();
    for (name, value) in person {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

fn compose(orders: &Orders, signing: Option<&DkimConfig>, i: usize) -> Result<Message, Failure> {
    let person = &orders.people[i % orders.people.len()];
    let of = |name: &str| person.get(name).cloned().unwrap_or_default();
    let to = Mailbox::new(Some(of("name")), of("address").parse()?);
    let body =
        MultiPart::alternative_plain_html(fill(&orders.text, person), fill(&orders.html, person));
    let mut message = Message::builder()
        .from(orders.from.parse()?)
        .to(to)
        .subject(fill(&orders.subject, person))
        .message_id(None)
        .header(ListUnsubscribe(format!("<{}>", of("unsubscribe_url"))))
        .header(OneClick)
        .multipart(body)?;
    if let Some(config) = signing {
        message.sign(config);
    }
    Ok(message)
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
async fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("the file with the orders is missing")?;
    let orders: Arc<Orders> = Arc::new(serde_json::from_reader(std::fs::File::open(path)?)?);
    let signing = Arc::new(signing(&orders)?);
    let pool = PoolConfig::new().max_size(orders.connections);
    let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&orders.host)
        .port(orders.port)
        .pool_config(pool)
        .build();
    let began = std::time::Instant::now();
    let shares = orders.connections as usize;
    let senders: Vec<_> = (0..shares)
        .map(|share| {
            let (orders, signing, relay) = (orders.clone(), signing.clone(), relay.clone());
            tokio::spawn(async move {
                for i in (share..orders.n).step_by(shares) {
                    relay.send(compose(&orders, (*signing).as_ref(), i)?).await?;
                }
                Ok::<(), Failure>(())
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    let figures = serde_json::json!({
        "n": orders.n, "seconds": began.elapsed().as_secs_f64(), "version": "0.11",
    });
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}
