//! `explain ADDRESS --campaign NAME`: one recipient's whole story, as data and in words.
//!
//! Reads only. Whatever happened to an address in a campaign is in its rows, so the story is complete: on the list
//! or not, left out and why, each attempt with the relay's words, what came back.

use crate::Result;
use crate::test_send::attempt;
use postroad_model::contact::SubscriptionState;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{EmailAddress, Timestamp};
use postroad_store::{ContactStory, EventRow, RowStory, SeedCopy, Store, SuppressionRow};
use serde::Serialize;

/// One recipient's story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// The address that was asked for.
    pub address: String,
    /// The campaign.
    pub campaign: String,
    /// The campaign's state.
    pub campaign_state: &'static str,
    /// The row's state, if there is a row.
    pub state: Option<&'static str>,
    /// Why it was left out, if it was.
    pub left_out: Option<String>,
    /// The relay that had it last.
    pub relay: Option<String>,
    /// MAIL FROM that it is bound to.
    pub mail_from: Option<String>,
    /// Not sent before.
    pub not_before: Option<String>,
    /// Leases so far.
    pub attempts: i64,
    /// Copies that may have been sent.
    pub copies: i64,
    /// The story in words, in the order of time where one is known.
    pub words: Vec<String>,
}

/// Tells the story of an address in a campaign.
///
/// # Errors
/// `NotFound` for the campaign, the database's.
pub async fn explain(store: &Store, address: &EmailAddress, campaign: &str) -> Result<Story> {
    let stored = store.campaign(campaign).await?;
    let (id, hash) = (stored.campaign.id, store.keys().address_hash(address));
    let contact = store.contact_story(id, hash).await?;
    let suppressions = store.suppressions_of(hash).await?;
    let rows = store.row_stories(id, Role::Audience, hash).await?;
    let seeds: Vec<SeedCopy> =
        store.seed_copies(id).await?.into_iter().filter(|c| is(address, c)).collect();
    let row = rows.first();
    let mut words = Vec::new();
    tell_contact(contact.as_ref(), &suppressions, &mut words);
    match (row, contact.as_ref().and_then(|c| c.left_out.as_ref())) {
        (Some(row), _) => {
            tell_row(row, &mut words);
            let limit = store.canary(id).await?.rank_limit;
            if row.state == DeliveryState::Scheduled && limit.is_some_and(|l| row.rank > l) {
                words.push("waits for the canary's verdict".to_owned());
            }
        }
        (None, Some(reason)) => words.push(format!("left out of the audience: {reason}")),
        (None, None) if !seeds.is_empty() => {
            let names = store.relay_names().await?;
            for copy in &seeds {
                let relay = names.get(&copy.relay).map_or("?", String::as_str);
                tell_seed(copy, relay, &mut words);
            }
        }
        (None, None) if stored.campaign.audience.is_none() => {
            words.push("the campaign has not started, so its audience is not fixed yet".to_owned());
        }
        (None, None) => words.push("not in the campaign's audience".to_owned()),
    }
    let waits = row.filter(|r| r.state == DeliveryState::Scheduled && r.not_before.0 > 0);
    Ok(Story {
        address: address.to_string(),
        campaign: stored.campaign.name.clone(),
        campaign_state: stored.campaign.state.name(),
        state: row.map(|r| r.state).or(seeds.first().map(|c| c.state)).map(DeliveryState::as_str),
        left_out: contact.and_then(|c| c.left_out),
        relay: row.and_then(|r| r.relay.clone()),
        mail_from: row.and_then(|r| r.mail_from.clone()),
        not_before: waits.map(|r| r.not_before.rfc3339()),
        attempts: row.map_or(0, |r| r.attempt),
        copies: row.map_or(0, |r| r.copy_no),
        words,
    })
}

fn is(address: &EmailAddress, copy: &SeedCopy) -> bool {
    EmailAddress::parse(&copy.address).is_ok_and(|a| a.key() == address.key())
}

/// A copy for a mailbox of our own.
fn tell_seed(copy: &SeedCopy, relay: &str, words: &mut Vec<String>) {
    words.push(format!(
        "a seed: the copy for the mailbox {} through {relay}, row {}, {}",
        copy.mailbox,
        copy.delivery,
        copy.state.as_str()
    ));
    if let Some(at) = copy.accepted_at {
        words.push(format!("taken by the relay at {at}"));
    }
    let folder = copy.folder.as_ref().map(|f| format!(" in {f}")).unwrap_or_default();
    let after = copy.arrived_after_ms.map(|ms| format!(", {} s later", ms / 1_000));
    let after = after.unwrap_or_default();
    words.push(format!("landed: {}{folder}{after}", copy.placement.as_str()));
    words.extend(copy.trouble.as_ref().map(|why| format!("the last look failed: {why}")));
}

fn tell_contact(
    contact: Option<&ContactStory>,
    suppressions: &[SuppressionRow],
    words: &mut Vec<String>,
) {
    match contact {
        None => words.push("the address is no contact".to_owned()),
        Some(contact) => {
            words.push(format!("contact since {}", contact.created_at));
            if let Some(at) = contact.erased_at {
                words.push(format!("erased at {at}"));
            }
            for s in &contact.subscriptions {
                let since = s.since.map(|t| format!(" since {t}")).unwrap_or_default();
                words.push(match s.state {
                    Some(SubscriptionState::Subscribed) => {
                        format!("subscribed to {}{since}", s.list)
                    }
                    Some(SubscriptionState::Unsubscribed) => {
                        format!("unsubscribed from {}{since}", s.list)
                    }
                    None => format!("not on list {}", s.list),
                });
            }
        }
    }
    for s in suppressions {
        let scope = if s.list.is_empty() { "everywhere" } else { s.list.as_str() };
        let at = Timestamp(s.at);
        words.push(format!("suppressed ({scope}) at {at}: {}, by {}", s.reason, s.origin));
    }
}

fn tell_row(row: &RowStory, words: &mut Vec<String>) {
    words.push(format!("row {} of the audience, hosted by {}", row.id, row.provider));
    if let Some(at) = row.first_leased_at {
        words.push(format!("first taken by a lane at {at}"));
    }
    words.extend(row.attempts.iter().map(attempt));
    if let (Some(mail_from), Some(date)) = (&row.mail_from, row.bound_date) {
        words.push(format!("bound to MAIL FROM <{mail_from}> and Date {date}"));
    }
    for event in &row.events {
        words.push(tell_event(event));
    }
    if row.state == DeliveryState::Scheduled {
        if row.not_before.0 > 0 {
            words.push(format!("waits until {}", row.not_before));
        }
        if let Some(pinned) = &row.pinned {
            words.push(format!("waits for relay {pinned}"));
        }
    }
    let mut end = format!("{} at {}", row.state.as_str(), row.updated_at);
    if let Some(relay) = &row.relay {
        end.push_str(&format!(" through {relay}"));
    }
    if let Some(code) = row.code {
        let enhanced = row.enhanced.as_deref().unwrap_or_default();
        let reply = row.reply.as_deref().unwrap_or_default().replace('\n', " ");
        end.push_str(&format!(": {code} {enhanced} {reply}"));
    }
    if let Some(detail) = &row.detail {
        end.push_str(&format!(" ({detail})"));
    }
    words.push(end);
}

/// What came back, in words; acts on the campaign's rows as they were noted.
fn tell_event(event: &EventRow) -> String {
    let at = Timestamp(event.at).rfc3339();
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    let word = |key: &str| match &data[key] {
        serde_json::Value::String(text) => text.replace('\n', " "),
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => String::new(),
    };
    if event.kind == "canary" {
        return format!("{at} canary {} by {}: {}", word("act"), word("by"), word("why"));
    }
    if event.kind == "resume" {
        let (by, why, held) = (word("by"), word("why"), word("held"));
        return format!("{at} resumed anyway by {by}: {why} (it was stopped by {held})");
    }
    if data["source"].is_null() {
        return format!("{at} {}: {}", event.kind, event.data);
    }
    let mut text = format!("{at} {}", event.kind);
    for part in [word("kind"), word("reason"), word("code"), word("status"), word("diagnostic")] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(&part);
        }
    }
    text.push_str(&format!(" (from {}", word("source")));
    for (what, part) in [("found by", word("found_by")), ("rule", word("rule"))] {
        if !part.is_empty() {
            text.push_str(&format!(", {what} {part}"));
        }
    }
    text.push(')');
    text
}
