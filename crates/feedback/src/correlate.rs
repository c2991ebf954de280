//! From something that came back to the delivery that it speaks of.
//!
//! In the order of strength: the keyed tag in the address that the report was sent to (VERP), X-Postroad-Ref, our
//! Message-ID (whose left part is the same token), the keyed envelope identifier of RFC 3461, the identifier that a relay
//! gave in its 250 together with the recipient, else the newest mail to that address. What must
//! always hold: a token is only believed with its own row, campaign and copy; after a forged or stale tag nothing weaker
//! than a token is believed; what anybody could have written is never strong: a relay's identifier is so only where its
//! provider signed; an address that we never sent to leads nowhere.

use crate::Result;
use postroad_bounce::References;
use postroad_model::delivery::DeliveryState;
use postroad_model::token::{DeliveryToken, TokenKeys};
use postroad_model::{Domain, EmailAddress, Timestamp};
use postroad_store::{SentRow, Store, Strength};

const DAY_MS: i64 = 86_400_000;
/// Tokens are good for two years.
const TOKEN_DAYS: i64 = 730;
/// Without a token a report belongs to mail of these last days.
const WEAK_DAYS: i64 = 14;
/// A relay's identifier shorter than this could be guessed, or stand in any reply by chance.
const MIN_ID: usize = 16;

/// A delivery that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub row: SentRow,
    /// Which copy is spoken of.
    pub copy_no: i64,
    pub strength: Strength,
    /// By what, in words.
    pub how: &'static str,
}

/// What the signs of one mail or event lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trace {
    Found(Box<Found>),
    /// A tag at our bounce domain that is not ours, or too old.
    Forged,
    Nothing,
}

/// The signs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs<'a> {
    /// Addresses that the report itself was sent to.
    pub addressed_to: Vec<&'a str>,
    /// X-Postroad-Ref.
    pub refs: Vec<&'a str>,
    /// Message-IDs, ours or a relay's.
    pub message_ids: Vec<&'a str>,
    /// Original-Envelope-Id.
    pub envelope_ids: Vec<&'a str>,
}

impl<'a> Signs<'a> {
    pub(crate) fn of(envelope_to: Option<&'a str>, references: &'a References) -> Self {
        let all = |list: &'a [String]| list.iter().map(String::as_str);
        Self {
            addressed_to: envelope_to.into_iter().chain(all(&references.addressed_to)).collect(),
            refs: all(&references.returned_refs).collect(),
            message_ids: all(&references.message_ids).collect(),
            envelope_ids: all(&references.envelope_ids).collect(),
        }
    }
}

/// Finds the delivery by tokens alone.
pub(crate) async fn by_token(
    store: &Store,
    bounce_domains: &[Domain],
    signs: &Signs<'_>,
    now: Timestamp,
) -> Result<Trace> {
    let keys = store.keys();
    let mut forged = false;
    for address in &signs.addressed_to {
        let Some((local, domain)) = address.rsplit_once('@') else { continue };
        let Some(token) = envelope_token(keys, local) else {
            let ours = Domain::parse(domain).is_ok_and(|d| bounce_domains.contains(&d));
            forged |= ours && !is_role(local);
            continue;
        };
        match sent(store, &token, now).await? {
            Some(row) if token.copy_no <= row.copy_no => {
                let how = "the tag in the envelope sender";
                return Ok(found(row, token.copy_no, Strength::Strong, how));
            }
            Some(_) | None => forged = true,
        }
    }
    for id in &signs.envelope_ids {
        let Ok(token) = keys.read_envelope(id.trim()) else { continue };
        if let Some(row) = sent(store, &token, now).await?.filter(|r| token.copy_no <= r.copy_no) {
            return Ok(found(row, token.copy_no, Strength::Strong, "the envelope identifier"));
        }
    }
    let refs = signs.refs.iter().map(|text| (*text, "X-Postroad-Ref"));
    let ids = signs.message_ids.iter().map(|id| (left(id), "the Message-ID"));
    for (text, how) in refs.chain(ids) {
        let Ok(token) = keys.read_reference(text.trim()) else { continue };
        if let Some(row) = sent(store, &token, now).await? {
            let copy_no = last_sent(&row);
            return Ok(found(row, copy_no, Strength::Strong, how));
        }
    }
    Ok(if forged { Trace::Forged } else { Trace::Nothing })
}

/// Finds the delivery by recipient and whatever else was told; `told_by` is the strength that a relay's identifier has.
pub(crate) async fn by_address(
    store: &Store,
    signs: &Signs<'_>,
    (recipient, told_by): (&EmailAddress, Strength),
    now: Timestamp,
) -> Result<Trace> {
    let rows = store.sent_to(recipient, now.plus_ms(-WEAK_DAYS * DAY_MS)).await?;
    let given = |row: &&SentRow| {
        let reply = row.reply.as_deref().unwrap_or_default();
        signs.message_ids.iter().any(|id| names(reply, id))
    };
    if let Some(row) = rows.iter().find(given) {
        let how = "the identifier that the relay gave, and the recipient";
        return Ok(found(row.clone(), last_sent(row), told_by, how));
    }
    Ok(match rows.into_iter().next() {
        Some(row) => {
            let copy_no = last_sent(&row);
            found(row, copy_no, Strength::Weak, "the recipient and the time alone")
        }
        None => Trace::Nothing,
    })
}

/// The copy that was sent last: while a row waits to be sent again, what comes back is about the one before.
fn last_sent(row: &SentRow) -> i64 {
    let waits = matches!(row.state, DeliveryState::Scheduled | DeliveryState::Leased);
    if waits { (row.copy_no - 1).max(0) } else { row.copy_no }
}

fn found(row: SentRow, copy_no: i64, strength: Strength, how: &'static str) -> Trace {
    Trace::Found(Box::new(Found { row, copy_no, strength, how }))
}

/// The token in a local part, also behind a plus or in front of one.
pub(crate) fn envelope_token(keys: &TokenKeys, local: &str) -> Option<DeliveryToken> {
    local.split(['+', '=']).take(4).find_map(|part| keys.read_envelope(part.trim()).ok())
}

/// Names that every domain has are no forged tags.
fn is_role(local: &str) -> bool {
    local.len() < 20
}

/// The row of a token, if it is the token's and young enough.
async fn sent(store: &Store, token: &DeliveryToken, now: Timestamp) -> Result<Option<SentRow>> {
    let row = store.sent_row(token.delivery).await?;
    Ok(row.filter(|r| {
        r.campaign == token.campaign && now.since_ms(r.updated_at) <= TOKEN_DAYS * DAY_MS
    }))
}

/// The left part of a Message-ID, with or without brackets.
fn left(id: &str) -> &str {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    id.split('@').next().unwrap_or_default()
}

/// True when the identifier is a word of the reply. Operators append a filter's name or a recipient's number behind a
/// full stop.
fn names(reply: &str, id: &str) -> bool {
    let head = |id| left(id).split('.').next().unwrap_or_default();
    let words = reply.split(|c: char| !(c.is_alphanumeric() || "-_.@".contains(c)));
    words.map(|word| word.trim_matches('.')).any(|word| {
        let same = |part: fn(&str) -> &str| part(word).len() >= MIN_ID && part(word) == part(id);
        same(left) || head(word).len() >= MIN_ID && head(word) == head(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_in_the_reply_that_gave_it() {
        let check = |reply: &str, id: &str, expected| {
            assert_eq!(names(reply, id), expected, "{reply} {id}");
        };
        check("Ok 0102018f-abcd-000000", "<0102018f-abcd-000000@eu-west-1.amazonses.com>", true);
        check("Ok: queued as kLm3_xYz12Q9aBcD-12", "kLm3_xYz12Q9aBcD-12.filterdrecv-p3-7", true);
        check("queued as kLm3_xYz12Q9aBcD-12.p3.", "<kLm3_xYz12Q9aBcD-12@x>", true);
        check("2.0.0 OK id=1abcde-0002Zx-Kq", "1abcde-0002Zx-Kq", true);
        // A part of a word is anybody's guess, and so is what every reply has.
        check("Ok 0102018f-abcd-000000", "0102018f-abcd-0000@x", false);
        check("Ok 0102018f-abcd-000000", "102018f-abcd-000000@x", false);
        check("2.0.0 Message accepted for delivery", "accepted@x.example", false);
        check("Ok: queued as 4XyZ4XyZ4XyZ", "4XyZ4XyZ4XyZ@relay.example", false);
        check("Ok: queued as 4XyZ", "4XyZ@relay.example", false);
        check("Ok", "", false);
    }

    #[test]
    fn a_tag_is_found_with_and_without_an_extension() {
        let keys = TokenKeys::derive(&[7; 32]).unwrap();
        let delivery = postroad_model::DeliveryId { bucket: 1, id: 2 };
        let token = DeliveryToken { delivery, campaign: postroad_model::CampaignId(3), copy_no: 1 };
        let tag = keys.envelope(&token);
        for local in [tag.clone(), tag.to_uppercase(), format!("bounces+{tag}")] {
            assert_eq!(envelope_token(&keys, &local), Some(token), "{local}");
        }
        assert_eq!(envelope_token(&keys, "postmaster"), None);
    }
}
