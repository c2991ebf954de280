//! Whose fate a bounce tells, and all that it tells about each.
//!
//! `read` calls it for bounces. Status fields (RFC 3464) name the recipients; where they do not, `X-Failed-Recipients`
//! does, then prose, and the returned message's own `To` as the last resort. Prose gives the reason where the fields have
//! none. What always holds: each recipient once, at most [`MAX_REPORTS`] of them. It does not understand reasons.

use crate::address;
use crate::codes;
use crate::dsn::{Recipient, Status};
use crate::feedback;
use crate::fields::Fields;
use crate::phrases::phrases;
use crate::prose::{Hit, Prose};
use crate::reading::{Action, Finding, MAX_REPORTS};
use crate::words::normal;

/// Where recipients may be named.
pub(crate) struct Sources<'s> {
    pub status: &'s Status,
    pub prose: &'s Prose,
    pub failed: Vec<&'s str>,
    pub returned: &'s Fields,
}

/// What is told about one recipient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub recipient: Option<String>,
    pub aliases: Vec<String>,
    /// The fields of a status, completed by what prose tells.
    pub told: Recipient,
    pub steps: Vec<String>,
}

/// All recipients of a bounce.
pub(crate) fn find(sources: &Sources<'_>, subject: &str, findings: &mut Vec<Finding>) -> Vec<Fate> {
    let delayed = sources.prose.delayed && !failed_subject(subject);
    let mut fates: Vec<Fate> = Vec::new();
    let mut nameless: Option<&Recipient> = None;
    for one in &sources.status.recipients {
        match of_status(one) {
            Some(fate) => add(&mut fates, fate),
            None => nameless = nameless.or(Some(one)),
        }
    }
    if fates.is_empty() {
        fates = named_elsewhere(sources, findings);
        for fate in &mut fates {
            if let Some(one) = nameless {
                fate.told = one.clone();
            }
            fate.told.action =
                fate.told.action.or(Some(if delayed { Action::Delayed } else { Action::Failed }));
        }
    }
    for fate in &mut fates {
        add_prose(fate, sources.prose);
    }
    fates
}

fn failed_subject(subject: &str) -> bool {
    let subject = normal(subject);
    ["fail", "undeliver", "returned", "failure"].iter().any(|w| subject.contains(w))
}

fn add(fates: &mut Vec<Fate>, fate: Fate) {
    let room = fates.len() < MAX_REPORTS;
    let same = fates.iter_mut().find(|f| match (&f.recipient, &fate.recipient) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    });
    match same {
        // The later one of two reports about the same recipient only adds what is missing.
        Some(same) => {
            same.told.status = same.told.status.take().or(fate.told.status);
            same.told.action = same.told.action.or(fate.told.action);
            if same.told.diagnostic.is_empty() {
                same.told.diagnostic = fate.told.diagnostic;
            }
        }
        None if room => fates.push(fate),
        None => {}
    }
}

/// What the fields of one recipient tell; `None` where they do not name it.
fn of_status(one: &Recipient) -> Option<Fate> {
    let last = one.last.as_deref().and_then(address::of_field);
    let original = one.original.as_deref().and_then(address::of_field);
    let actual = one.actual.as_deref().and_then(address::of_field);
    let source = if last.is_some() { "Final-Recipient" } else { "Original-Recipient" };
    let recipient = last.clone().or_else(|| original.clone()).or_else(|| actual.clone())?;
    let mut aliases: Vec<String> = Vec::new();
    for other in [original, actual].into_iter().flatten() {
        if !other.eq_ignore_ascii_case(&recipient) && !aliases.contains(&other) {
            aliases.push(other);
        }
    }
    Some(Fate {
        recipient: Some(recipient),
        aliases,
        told: one.clone(),
        steps: vec![format!("the recipient is named by {source}")],
    })
}

fn named_elsewhere(sources: &Sources<'_>, findings: &mut Vec<Finding>) -> Vec<Fate> {
    let make = |address: String, aliases: Vec<String>, step: &str| Fate {
        recipient: Some(address),
        aliases,
        steps: vec![step.to_owned()],
        ..Fate::default()
    };
    let mut fates = Vec::new();
    for value in &sources.failed {
        for found in address::find_all(value) {
            add(
                &mut fates,
                make(found.address, Vec::new(), "the recipient is named by X-Failed-Recipients"),
            );
        }
    }
    if fates.is_empty() {
        for hit in &sources.prose.hits {
            add(
                &mut fates,
                make(
                    hit.address.clone(),
                    hit.aliases.clone(),
                    "the recipient is named in the text",
                ),
            );
        }
    }
    if fates.is_empty()
        && let Some(address) = feedback::recipient_of(sources.returned)
    {
        findings.push(Finding::RecipientFromReturned);
        add(&mut fates, make(address, Vec::new(), "the recipient is that of the returned message"));
    }
    if let Some(hit) = sources.prose.lone.as_ref().filter(|_| fates.is_empty()) {
        let mut fate = make(hit.address.clone(), Vec::new(), "it is the only address in the text");
        fate.told.diagnostic.clone_from(&hit.reason);
        fates.push(fate);
    }
    if fates.is_empty() {
        findings.push(Finding::NoRecipient);
        fates.push(Fate { steps: vec!["no recipient is named".to_owned()], ..Fate::default() });
    }
    fates
}

/// Takes the reason from prose where the fields have none.
fn add_prose(fate: &mut Fate, prose: &Prose) {
    let hit = prose.hits.iter().find(|hit| is_about(hit, fate));
    if let Some(hit) = hit {
        let fresh = hit.aliases.iter().filter(|a| !fate.aliases.contains(a)).cloned();
        let fresh: Vec<String> = fresh.collect();
        fate.aliases.extend(fresh);
    }
    if has_words(&fate.told.diagnostic) {
        return;
    }
    let alone = prose.hits.len() == 1;
    let reason =
        hit.or_else(|| prose.hits.first().filter(|_| alone)).map_or("", |h| h.reason.as_str());
    let coded = |text: &str| codes::of(text).code.is_some() || codes::of(text).status.is_some();
    let chosen = if coded(reason)
        || prose.reply.is_empty()
        || (!reason.is_empty() && prose.hits.len() > 1)
    {
        reason.to_owned()
    } else if reason.is_empty() {
        prose.reply.clone()
    } else {
        format!("{reason} {}", prose.reply)
    };
    if !chosen.is_empty() {
        if !fate.told.diagnostic.is_empty() {
            fate.told.diagnostic.push(' ');
        }
        fate.told.diagnostic.push_str(&chosen);
        fate.steps.push("the reason is from the text".to_owned());
    }
}

fn is_about(hit: &Hit, fate: &Fate) -> bool {
    fate.recipient.iter().chain(&fate.aliases).any(|a| a.eq_ignore_ascii_case(&hit.address))
}

/// Whether a diagnostic says more than a code.
fn has_words(diagnostic: &str) -> bool {
    let words = normal(diagnostic);
    words.trim().chars().filter(|c| c.is_alphabetic()).count() >= 3
        && !phrases().announcements.is_at_front(&words)
}
