//! The header fields of a message, in a fixed order.
//!
//! RFC 5322 (fields, Date, Message-ID), RFC 2047 (encoded words, by mail-builder), RFC 2369 and RFC 8058
//! (List-Unsubscribe, one-click only over https), RFC 2919 (List-Id), Feedback-ID as Gmail asks for it.
//! Deliberately absent: Precedence and Auto-Submitted, which would turn a newsletter into an auto-reply.
//! What always holds: a value comes from a checked type, from `one_line`, or from `token`, so none can end its field.

use crate::compose::one_line;
use crate::facts::{CampaignFacts, RecipientFacts, mailto};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::text::Text;
use postroad_model::address::Mailbox;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// What is drawn from the row's seed: the same row gives the same message.
#[derive(Debug)]
pub(crate) struct Ids {
    /// With angle brackets.
    pub message_id: String,
    boundary: String,
}

impl Ids {
    pub(crate) fn new(campaign: &CampaignFacts, recipient: &RecipientFacts<'_>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"postroad message 1\0");
        hash.update(recipient.seed.to_be_bytes());
        hash.update(campaign.name.as_bytes());
        hash.update(b"\0");
        hash.update(recipient.address.local().as_bytes());
        hash.update(recipient.address.domain().as_str().as_bytes());
        let digest = hash.finalize();
        // Mail programs and DMARC reports like a Message-ID under the From domain.
        let domain =
            recipient.forced_from.map_or(&campaign.message_id_domain, |m| m.address.domain());
        // The reference itself, where there is one: whoever quotes the Message-ID alone still names the delivery.
        let mut left = token_exact(recipient.reference);
        if left.is_empty() {
            left = BASE32_NOPAD.encode(&digest[..15]);
            left.make_ascii_lowercase();
        }
        let message_id = format!("<{left}@{}>", domain.as_str());
        Self { message_id, boundary: HEXLOWER.encode(&digest[15..27]) }
    }

    /// A boundary per level. `=_` cannot occur in quoted-printable or base64 (RFC 2045 section 6.7).
    pub(crate) fn boundary(&self, level: char) -> String {
        format!("=_{}{level}", self.boundary)
    }
}

/// Writes all fields up to the MIME ones. Returns whether one of them needs SMTPUTF8 (RFC 6531).
pub(crate) fn write(
    out: &mut Vec<u8>,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
    subject: &str,
    ids: &Ids,
) -> bool {
    let (from, reply_to) = sender(campaign, recipient);
    field(out, "From", &mailbox(from.name.as_deref(), &from.address.to_string()));
    if let Some(reply_to) = reply_to {
        field(out, "Reply-To", &mailbox(reply_to.name.as_deref(), &reply_to.address.to_string()));
    }
    field(out, "To", &mailbox(recipient.name, &recipient.address.to_string()));
    field(out, "Subject", &Text::new(subject));
    field(out, "Date", &Date::new(recipient.date.0.div_euclid(1000)));
    line(out, "Message-ID", &ids.message_id);
    line(out, "MIME-Version", "1.0");
    if let Some(list) = &campaign.list {
        let id = format!("{}.{}", token(&list.label), list.domain.as_str());
        field(out, "List-Id", &mailbox(Some(&list.name), &id));
    }
    unsubscribe(out, campaign, recipient);
    let list = campaign.list.as_ref().map_or("none", |l| &l.label);
    let domain = from.address.domain().as_str();
    let sender_id = campaign.sender_id.as_deref().unwrap_or(domain);
    line(
        out,
        "Feedback-ID",
        &format!("{}:{}:bulk:{}", token(&campaign.name), token(list), token(sender_id)),
    );
    if !recipient.reference.is_empty() {
        line(out, "X-Postroad-Ref", &token_exact(recipient.reference));
    }
    from.address.needs_smtputf8()
        || recipient.address.needs_smtputf8()
        || reply_to.is_some_and(|m| m.address.needs_smtputf8())
}

/// A relay that forces its own From keeps the campaign's as Reply-To, and its name where it has none itself.
fn sender<'a>(
    campaign: &'a CampaignFacts,
    recipient: &RecipientFacts<'a>,
) -> (Cow<'a, Mailbox>, Option<&'a Mailbox>) {
    let Some(forced) = recipient.forced_from else {
        return (Cow::Borrowed(&campaign.from), campaign.reply_to.as_ref());
    };
    let own = (forced.address != campaign.from.address).then_some(&campaign.from);
    let reply_to = campaign.reply_to.as_ref().or(own);
    if forced.name.is_some() {
        return (Cow::Borrowed(forced), reply_to);
    }
    let named = Mailbox { name: campaign.from.name.clone(), address: forced.address.clone() };
    (Cow::Owned(named), reply_to)
}

/// RFC 2369 section 3.2: URIs in angle brackets, the preferred one first. RFC 8058: one-click needs https.
fn unsubscribe(out: &mut Vec<u8>, campaign: &CampaignFacts, recipient: &RecipientFacts<'_>) {
    let token = recipient.unsubscribe_token;
    let web = campaign
        .unsubscribe_base
        .as_ref()
        .map(|base| format!("<{}>", token_exact(&format!("{base}{token}"))));
    let mail = campaign
        .unsubscribe_mailto
        .as_ref()
        .map(|address| format!("<{}>", mailto(address, &token_exact(token))));
    let uris: Vec<String> = web.into_iter().chain(mail).collect();
    if uris.is_empty() {
        return;
    }
    line(out, "List-Unsubscribe", &uris.join(",\r\n "));
    if campaign.unsubscribe_base.as_ref().is_some_and(|base| base.starts_with("https://")) {
        line(out, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    }
}

fn mailbox<'a>(name: Option<&str>, address: &str) -> Address<'a> {
    let name = name.map(one_line).filter(|n| !n.is_empty());
    Address::new_address(name, address.to_owned())
}

fn field(out: &mut Vec<u8>, name: &str, value: &impl Header) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value.write_header(out, name.len() + 2);
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Letters, digits, dot, hyphen and underscore; anything else becomes a hyphen. At most 60 octets.
fn token(text: &str) -> String {
    let mut out: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(60)
        .collect();
    while out.contains("--") {
        out = out.replace("--", "-");
    }
    let out = out.trim_matches(['-', '.']);
    if out.is_empty() { "none".to_owned() } else { out.to_owned() }
}

/// Visible ASCII only, without what would end an angle bracket; tokens and URLs are that already.
fn token_exact(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>')).take(900).collect()
}
