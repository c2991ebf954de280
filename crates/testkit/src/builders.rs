//! Values of model's types with readable defaults: a test names only what it is about.
//!
//! ```
//! use postroad_testkit::builders::{contact, per_day, relay};
//! let relay = postroad_model::relay::Relay { limits: vec![per_day(500)], ..relay("gmail-anna") };
//! assert_eq!(relay.limit_scope(), "relay:gmail-anna");
//! assert_eq!(contact("anna@example.com").address.to_string(), "anna@example.com");
//! ```

use postroad_model::address::Mailbox;
use postroad_model::campaign::{BodyFormat, CampaignSettings, Content, OnUnknown};
use postroad_model::contact::NewContact;
use postroad_model::limit::{Limit, LimitUnit};
use postroad_model::relay::{
    Auth, ConnectionLimits, Endpoint, Habits, Pool, Relay, Senders, SendingDomain, TlsMode,
};
use postroad_model::token::TokenKeys;
use postroad_model::{Domain, EmailAddress};
use std::time::Duration;

/// An address.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

/// A mailbox: `Anna <anna@example.com>` or a bare address.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

/// A domain.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

/// The keys of an installation whose secret is 32 sevens.
///
/// # Panics
/// Never: 32 octets are enough.
#[must_use]
pub fn token_keys() -> TokenKeys {
    TokenKeys::derive(&[7; 32]).expect("32 octets are enough")
}

/// A contact without name and attributes.
#[must_use]
pub fn contact(text: &str) -> NewContact {
    NewContact { address: address(text), name: None, attributes: serde_json::Map::new() }
}

/// `n` contacts `person00001@example.com`, ... with a name and the attribute `number`.
#[must_use]
pub fn contacts(n: u32) -> Vec<NewContact> {
    (1..=n)
        .map(|i| {
            let mut contact = contact(&format!("person{i:05}@example.com"));
            contact.name = Some(format!("Person {i}"));
            contact.attributes.insert("number".into(), i.into());
            contact
        })
        .collect()
}

/// A rolling limit over 24 h, kept by the ledger.
#[must_use]
pub fn per_day(amount: i64) -> Limit {
    Limit::rolling("day", amount, LimitUnit::Recipients, Duration::from_secs(86_400))
}

/// A rolling limit over 1 s, kept by the pacer.
#[must_use]
pub fn per_second(amount: i64) -> Limit {
    Limit::rolling("second", amount, LimitUnit::Messages, Duration::from_secs(1))
}

/// A relay on loopback port 2525: clear text, no login, any sender, no limits, four connections.
#[must_use]
pub fn relay(name: &str) -> Relay {
    Relay {
        name: name.into(),
        profile: "sink".into(),
        endpoint: Endpoint { host: "127.0.0.1".into(), port: 2525, tls: TlsMode::None },
        ca_pem: None,
        auth: Auth::None,
        senders: Senders::Any,
        quota_group: None,
        limits: Vec::new(),
        connections: ConnectionLimits {
            max_connections: 4,
            max_messages_per_connection: None,
            idle: Duration::from_secs(30),
        },
        max_message_bytes: None,
        habits: Habits::default(),
        reply_rules: Vec::new(),
        bulk_allowed: true,
    }
}

/// A pool of relays by their names.
#[must_use]
pub fn pool(name: &str, relays: &[&str]) -> Pool {
    Pool { name: name.into(), relays: relays.iter().map(|&r| r.into()).collect() }
}

/// The sending domain `news.example.com` without keys, with everything that makes a message lawful.
#[must_use]
pub fn sending_domain() -> SendingDomain {
    SendingDomain {
        name: domain("news.example.com"),
        dkim: Vec::new(),
        bounce_domain: Some(domain("b.news.example.com")),
        unsubscribe_mailto: Some("unsub@news.example.com".into()),
        postal_address: Some("1 Example Street, Hanoi".into()),
    }
}

/// A small HTML newsletter that greets by name.
#[must_use]
pub fn content() -> Content {
    Content {
        template_name: "hello".into(),
        subject: "Hello {{default name \"friend\"}}".into(),
        preheader: None,
        format: BodyFormat::Html,
        body: "<p>Hello {{default name \"friend\"}}</p><p><a href=\"{{unsubscribe_url}}\">Unsubscribe</a></p>"
            .into(),
        text: None,
        attachments: Vec::new(),
    }
}

/// Settings of a campaign to the list `all` through the pool `newsletter`, sent as soon as it runs.
#[must_use]
pub fn campaign_settings() -> CampaignSettings {
    CampaignSettings {
        lists: vec!["all".into()],
        exclude: Vec::new(),
        filter: None,
        from: mailbox("Anna <anna@news.example.com>"),
        reply_to: None,
        pool: "newsletter".into(),
        window: None,
        latest_start: None,
        expires_at: None,
        seeds: postroad_model::seed::SeedChoice::default(),
        on_unknown: OnUnknown::Hold,
        track_opens: false,
        canary: None,
        locale: "en".into(),
        zone: "Asia/Ho_Chi_Minh".into(),
        content: content(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_contacts_have_different_addresses() {
        let all = contacts(100);
        let keys: std::collections::BTreeSet<_> = all.iter().map(|c| c.address.key()).collect();
        assert_eq!(keys.len(), 100);
    }
}
