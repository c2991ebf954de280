//! `[[seed]]` and `[placement]`: the mailboxes of our own that get each campaign, and how long their copies are awaited.
//!
//! A seed is a mailbox that is read over IMAP like those of `[[mailbox]]`, and an address that campaigns are sent to. What is
//! always refused: a relay's own account as a seed, because what an account sends itself is judged by nobody; two seeds that
//! share an address, because a copy could not be told from the other.

use crate::mail_profile::{mail_profile, of_provider};
use crate::mailbox::{
    AfterReading, Mailbox, MailboxProtocol, find_profile, read_auth, read_endpoint,
};
use crate::problem::suggest;
use crate::relay::read_ca;
use crate::section::{At, Section};
use postroad_model::relay::{Auth, Relay, Senders};
use postroad_model::seed::{MoreAddresses, Seed as Planned};
use postroad_model::{EmailAddress, MailboxProvider};
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::DeValue;

const ALIASES_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 100;

/// One seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// What campaigns need of it.
    pub planned: Planned,
    /// How its mailbox is opened; the name is the seed's.
    pub mailbox: Mailbox,
}

/// `[placement]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacementSettings {
    /// A copy that was not found after this is missing.
    pub missing_after: Duration,
    /// A missing copy is looked for until this is over.
    pub revise_until: Duration,
    /// The inbox rate that is wanted, 0 to 1, where the operator wrote it: campaigns without a canary are braked below it.
    pub min_inbox: Option<f64>,
    /// Mailboxes that a node opens at once.
    pub mailboxes_at_once: u32,
}

impl Default for PlacementSettings {
    fn default() -> Self {
        Self {
            missing_after: Duration::from_secs(4 * 3_600),
            revise_until: Duration::from_secs(24 * 3_600),
            min_inbox: None,
            mailboxes_at_once: 8,
        }
    }
}

impl PlacementSettings {
    const MIN_INBOX: f64 = 0.8;

    /// The inbox rate that is wanted, written or not: a line on the dashboards, and what alerts compare with.
    #[must_use]
    pub fn wanted_inbox(&self) -> f64 {
        self.min_inbox.unwrap_or(Self::MIN_INBOX)
    }
}

/// Reads `[placement]`.
pub(crate) fn placement(root: &Section<'_>) -> PlacementSettings {
    let mut settings = PlacementSettings::default();
    let Some(section) = root.table("placement", "placement") else { return settings };
    let day = Duration::from_secs(86_400);
    if let Some(after) = section.duration("missing_after", Duration::from_secs(60)..=7 * day) {
        settings.missing_after = after.value;
    }
    if let Some(until) = section.duration("revise_until", Duration::from_secs(60)..=14 * day) {
        settings.revise_until = until.value;
    }
    if let Some(rate) = section.float("min_inbox", 0.0..=1.0) {
        settings.min_inbox = Some(rate);
    }
    if let Some(n) = section.integer("mailboxes_at_once", 1..=100) {
        settings.mailboxes_at_once = u32::try_from(n.value).unwrap_or(1);
    }
    if settings.revise_until < settings.missing_after {
        let place = section.place("revise_until");
        section.error(place, "revise_until", "is shorter than missing_after");
    }
    section.finish();
    settings
}

/// Reads all `[[seed]]` tables.
pub(crate) fn seeds(root: &Section<'_>, relays: &[Relay]) -> Vec<Seed> {
    let accounts = accounts(relays);
    let mut list: Vec<Seed> = Vec::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for mut section in root.tables("seed", "seed") {
        let given = section.name("name").map(|n| n.value);
        if let Some(name) = &given {
            section.named(name);
        }
        let address = address(&section, "address");
        if address.is_none() && !section.has("address") {
            section.missing("address", "where campaigns send the seed's copies");
        }
        let spelt = address.as_ref().map(|a| a.value.to_string());
        let name = given.or(spelt).unwrap_or_default();
        if !name.is_empty() {
            section.named(&name);
        }
        if !name.is_empty() && list.iter().any(|s| s.planned.name == name) {
            let place = section.place("name");
            section.error(place, "name", format!("a second seed named {name:?}"));
        }
        if let Some(seed) = read_one(&section, name.clone(), address, &accounts) {
            for (key, address) in addresses(&seed.planned) {
                if let Some(other) = taken.insert(address.key(), name.clone()) {
                    let message = format!("{address} is an address of the seed {other:?} too");
                    section.error(section.place(key), key, message);
                }
            }
            list.push(seed);
        }
        section.finish();
    }
    list
}

fn addresses(seed: &Planned) -> Vec<(&'static str, &EmailAddress)> {
    let mut all = vec![("address", &seed.address)];
    if let MoreAddresses::Aliases(aliases) = &seed.more {
        all.extend(aliases.iter().map(|a| ("aliases", a)));
    }
    all
}

/// The account behind an address: without a tag, and at Gmail without dots, which mean nothing there, and by one name.
fn account(address: &EmailAddress) -> String {
    let key = address.key();
    let Some((local, domain)) = key.split_once('@') else { return key };
    let local = local.split('+').next().unwrap_or_default();
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        _ => format!("{local}@{domain}"),
    }
}

/// What relays log in or send as, by account, with the relay's name.
fn accounts(relays: &[Relay]) -> BTreeMap<String, String> {
    let mut accounts = BTreeMap::new();
    for relay in relays {
        let username = match &relay.auth {
            Auth::None => None,
            Auth::Password { username, .. }
            | Auth::OAuth { username, .. }
            | Auth::TokenCommand { username, .. } => EmailAddress::parse(username).ok(),
        };
        let from = match &relay.senders {
            Senders::Itself(mailbox) => Some(mailbox.address.clone()),
            Senders::Domains(_) | Senders::Any => None,
        };
        for address in [username, from].into_iter().flatten() {
            accounts.insert(account(&address), relay.name.clone());
        }
    }
    accounts
}

fn read_one(
    section: &Section<'_>,
    name: String,
    address: Option<At<EmailAddress>>,
    accounts: &BTreeMap<String, String>,
) -> Option<Seed> {
    let guessed = address.as_ref().map(|a| MailboxProvider::of_domain(a.value.domain()));
    let provider = read_provider(section, guessed.unwrap_or(MailboxProvider::Other));
    let usual = of_provider(provider.unwrap_or(MailboxProvider::Other));
    // A mailbox that only stands for a provider is on a server of its own.
    let usual = if section.has("host") { "generic" } else { usual };
    let known = find_profile(section, usual);
    let profile = known.or_else(|| mail_profile("generic"))?;
    let endpoint = read_endpoint(section, profile, MailboxProtocol::Imap);
    let username = address.as_ref().map(|a| a.value.to_string());
    let auth = read_auth(section, profile, &endpoint, username);
    let mailbox = Mailbox {
        name: name.clone(),
        protocol: MailboxProtocol::Imap,
        endpoint,
        ca_pem: read_ca(section),
        folder: "INBOX".into(),
        bounces: AfterReading::Leave,
        others: AfterReading::Leave,
        poll: Duration::from_secs(60),
        look_back: Duration::ZERO,
        max_message_bytes: 0,
        login_advice: profile.login_advice,
        auth,
    };
    let more = read_more(section);
    let person = section.word("person").map(|p| p.value);
    let attributes = read_attributes(section);
    let address = address?;
    let planned =
        Planned { name, address: address.value, provider: provider?, more, person, attributes };
    own_account(section, &planned, &mailbox, accounts);
    let whole = known.is_some() && !planned.name.is_empty() && mailbox.auth != Auth::None;
    whole.then_some(Seed { planned, mailbox })
}

/// Refuses a relay's own account.
fn own_account(
    section: &Section<'_>,
    seed: &Planned,
    mailbox: &Mailbox,
    accounts: &BTreeMap<String, String>,
) {
    let login = match &mailbox.auth {
        Auth::None => None,
        Auth::Password { username, .. }
        | Auth::OAuth { username, .. }
        | Auth::TokenCommand { username, .. } => EmailAddress::parse(username).ok(),
    };
    let login = login.iter().map(|l| ("username", l));
    for (key, address) in addresses(seed).into_iter().chain(login) {
        if let Some(relay) = accounts.get(&account(address)) {
            let message = format!(
                "{address} is the account of the relay {relay:?}; what an account sends itself says nothing about \
                 others: use a mailbox that sends nothing"
            );
            section.error(section.place(key), key, message);
            return;
        }
    }
}

fn read_provider(section: &Section<'_>, usual: MailboxProvider) -> Option<MailboxProvider> {
    let Some(word) = section.word("provider") else {
        return (!section.has("provider")).then_some(usual);
    };
    let found = MailboxProvider::from_name(&word.value);
    if found.is_none() {
        let near = suggest(&word.value, MailboxProvider::ALL.iter().map(|p| p.as_str()));
        section.error(word.at, "provider", format!("{:?} is not known{near}", word.value));
    }
    found
}

fn read_more(section: &Section<'_>) -> MoreAddresses {
    let plus = section.boolean("plus").unwrap_or_default();
    let Some(list) = section.strings("aliases") else {
        return if plus { MoreAddresses::Plus } else { MoreAddresses::None };
    };
    if plus {
        section.error(section.place("plus"), "plus", "give one of plus and aliases, not both");
    }
    if list.len() > ALIASES_MAX {
        let message = format!("holds more than {ALIASES_MAX} addresses");
        section.error(section.place("aliases"), "aliases", message);
    }
    let mut aliases = Vec::new();
    for text in list.into_iter().take(ALIASES_MAX) {
        match EmailAddress::parse(&text.value) {
            Ok(address) => aliases.push(address),
            Err(error) => {
                section.error(text.at, "aliases", format!("{:?}: {error}", text.value));
            }
        }
    }
    MoreAddresses::Aliases(aliases)
}

fn address(section: &Section<'_>, key: &'static str) -> Option<At<EmailAddress>> {
    let text = section.word(key)?;
    match EmailAddress::parse(&text.value) {
        Ok(value) => Some(At { value, at: text.at }),
        Err(error) => {
            section.error(text.at, key, format!("{:?}: {error}", text.value));
            None
        }
    }
}

/// What templates see: texts, numbers, true and false.
fn read_attributes(section: &Section<'_>) -> serde_json::Map<String, serde_json::Value> {
    let mut attributes = serde_json::Map::new();
    let Some(value) = section.value("attributes") else { return attributes };
    let Some(table) = value.get_ref().as_table() else {
        let wanted = "must be a table, { city = \"Hue\" }";
        section.error(value.span().start, "attributes", wanted);
        return attributes;
    };
    for (name, value) in table.iter().take(ATTRIBUTES_MAX) {
        let number = |text: &str| serde_json::from_str(&text.replace('_', "")).ok();
        let read = match value.get_ref() {
            DeValue::String(text) => Some(serde_json::Value::from(text.as_ref())),
            DeValue::Boolean(flag) => Some(serde_json::Value::from(*flag)),
            DeValue::Integer(n) => number(n.as_str()),
            DeValue::Float(n) => number(n.as_str()),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        match read {
            Some(read) => {
                attributes.insert(name.get_ref().to_string(), read);
            }
            None => {
                let message = format!("{} must be a text, a number, true or false", name.get_ref());
                section.error(value.span().start, "attributes", message);
            }
        }
    }
    attributes
}
