//! People and suppressions as CSV, page by page: an export can be imported again.
//!
//! Called by cli (`contact export`, `suppression list`). UTF-8, comma, CRLF left to the csv crate's defaults. Contacts:
//! email, name, subscription, since, suppressed, then one column for each attribute that any of them has. Whoever left
//! or is suppressed is marked, and an import of the file refuses those rows. Erased people are not in it.

use crate::{Error, Result};
use postroad_model::contact::SubscriptionState;
use postroad_model::{ContactId, SuppressionId};
use postroad_store::{ExportedContact, Store};
use serde_json::Value;
use std::io::Write;

const PAGE: u32 = 2_000;

fn failed(error: csv::Error) -> Error {
    Error::Write(error.into())
}

/// Writes a list's contacts, or all; says how many.
///
/// # Errors
/// `Write`, `Store`.
pub async fn export_contacts(
    store: &Store,
    list: Option<&str>,
    out: &mut (dyn Write + Send),
) -> Result<u64> {
    let list = match list {
        Some(name) => Some(store.list_id(name).await?),
        None => None,
    };
    let keys = store.attribute_names(list).await?;
    let mut writer = csv::Writer::from_writer(out);
    let fixed = ["email", "name", "subscription", "since", "suppressed"].into_iter();
    writer.write_record(fixed.chain(keys.iter().map(String::as_str))).map_err(failed)?;
    let (mut after, mut count) = (ContactId(0), 0);
    loop {
        let page = store.export_contacts(list, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for contact in &page {
            writer.write_record(record(contact, &keys)).map_err(failed)?;
            count += 1;
        }
    }
    writer.flush().map_err(Error::Write)?;
    Ok(count)
}

fn record(contact: &ExportedContact, keys: &[String]) -> Vec<String> {
    let (state, since) = match contact.subscription {
        Some((SubscriptionState::Subscribed, since)) => ("subscribed", since.rfc3339()),
        Some((SubscriptionState::Unsubscribed, since)) => ("unsubscribed", since.rfc3339()),
        None => ("", String::new()),
    };
    let mut cells = vec![
        contact.address.clone(),
        contact.name.clone().unwrap_or_default(),
        state.to_owned(),
        since,
        if contact.suppressed { "true" } else { "" }.to_owned(),
    ];
    cells.extend(keys.iter().map(|key| match contact.attributes.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            other.to_string()
        }
    }));
    cells
}

/// Writes all suppressions whose address is known; says how many. Erased ones are hashes only and stay out.
///
/// # Errors
/// `Write`, `Store`.
pub async fn export_suppressions(store: &Store, out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["email", "list", "reason", "origin", "at"]).map_err(failed)?;
    let lists = store.lists().await?;
    let (mut after, mut count) = (SuppressionId(0), 0);
    loop {
        let page = store.suppressions(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for s in page {
            let Some(address) = s.address else { continue };
            let list = lists.iter().find(|l| l.id.0 == s.scope.as_i64());
            let list = list.map_or(String::new(), |l| l.name.clone());
            let reason = serde_json::to_value(s.reason);
            let reason =
                reason.ok().and_then(|r| r.as_str().map(str::to_owned)).unwrap_or_default();
            let at = s.at.rfc3339();
            writer.write_record([address, list, reason, s.origin, at]).map_err(failed)?;
            count += 1;
        }
    }
    writer.flush().map_err(Error::Write)?;
    Ok(count)
}
