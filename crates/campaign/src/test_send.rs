//! `campaign test --to`: the real thing through each relay of the pool, as a campaign of its own of kind test.
//!
//! First in line, over after 15 minutes, outside the books of the campaign that it tries; its links are marked and
//! change nothing. Here the rows are made and the answers read; `delivery` sends them like any other row, on the
//! same quota. What must hold: without a contact of its own the address borrows one of the audience's, so that
//! the template finds its attributes.

use crate::audience::{AudienceStream, Decision};
use crate::{Error, Result, Setup};
use postroad_model::campaign::{CampaignAct, CampaignKind, CampaignSettings};
use postroad_model::delivery::Role;
use postroad_model::{CampaignId, ContactId, EmailAddress, Timestamp};
use postroad_store::{AttemptRow, NewCampaign, Store};
use serde::Serialize;

/// How long a test is tried.
pub const TEST_MINUTES: i64 = 15;

/// A test that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSend {
    /// The campaign of the test.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// The recipient.
    pub to: EmailAddress,
    /// The relays, by name.
    pub relays: Vec<String>,
}

/// What one relay answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestAnswer {
    /// The relay.
    pub relay: String,
    /// Where the row stands.
    pub state: &'static str,
    /// True when nothing more will come.
    pub settled: bool,
    /// MAIL FROM.
    pub mail_from: Option<String>,
    /// The last reply.
    pub reply: Option<String>,
    /// A remark of ours.
    pub detail: Option<String>,
    /// Earlier answers: deferrals, quota, login.
    pub attempts: Vec<String>,
}

/// Whose data the template sees.
async fn sample(store: &Store, settings: &CampaignSettings) -> Result<Option<ContactId>> {
    let mut stream = AudienceStream::open(store, settings).await?;
    loop {
        let page = stream.next_page().await?;
        if page.is_empty() {
            return Ok(None);
        }
        let kept = page.into_iter().find_map(|d| match d {
            Decision::Keep(member) => Some(member.id),
            Decision::LeaveOut(..) => None,
        });
        if kept.is_some() {
            return Ok(kept);
        }
    }
}

/// Makes the rows of a test: one per relay of the pool, or through `only`.
///
/// # Errors
/// `UnknownRelay`, `UnknownPool`, an identity that a relay cannot have, a template with a fault.
pub async fn send_test(
    store: &Store,
    setup: &Setup,
    (name, settings): (&str, &CampaignSettings),
    (to, only): (&EmailAddress, Option<&str>),
    now: Timestamp,
) -> Result<TestSend> {
    let pool = setup.pool_relays(&settings.pool)?;
    let relays: Vec<_> = pool.iter().filter(|r| only.is_none_or(|o| o == r.name)).collect();
    if relays.is_empty() {
        let known: Vec<&str> = pool.iter().map(|r| r.name.as_str()).collect();
        return Err(Error::UnknownRelay {
            name: only.unwrap_or_default().to_owned(),
            pool: settings.pool.clone(),
            known: known.join(", "),
        });
    }
    for relay in &relays {
        crate::identity::identity_for(relay, &settings.from, settings.reply_to.as_ref(), setup)?;
    }
    let names: Vec<String> = relays.iter().map(|r| r.name.clone()).collect();
    let ids = store.register_relays(&names).await?;
    let lanes: Vec<_> = names.iter().filter_map(|n| ids.get(n).copied()).collect();
    let own = store.contact_story(CampaignId(0), store.keys().address_hash(to)).await?;
    let contact = match own.filter(|c| c.erased_at.is_none()) {
        Some(contact) => Some(contact.id),
        None => sample(store, settings).await?,
    };
    let mut settings = settings.clone();
    settings.expires_at = Some(now.plus_ms(TEST_MINUTES * 60_000));
    settings.window = None;
    settings.latest_start = None;
    let hash = store.keys().address_hash(to);
    let new = NewCampaign {
        name: format!("{name} test {}-{:04x}", now.rfc3339(), hash & 0xFFFF),
        kind: CampaignKind::Test,
        settings,
        seed: now.0,
    };
    let stored = store.save_campaign(&new, &[], now).await?;
    store.insert_test_rows(&stored, contact, to, &lanes, now).await?;
    let id = stored.campaign.id;
    for act in [CampaignAct::Schedule { at: now }, CampaignAct::Start] {
        store.apply_campaign_act(id, &act, now).await?;
    }
    Ok(TestSend { campaign: id, name: new.name, to: to.clone(), relays: names })
}

/// The answers so far, one per relay.
///
/// # Errors
/// The database's.
pub async fn test_answers(store: &Store, test: &TestSend) -> Result<Vec<TestAnswer>> {
    let hash = store.keys().address_hash(&test.to);
    let rows = store.row_stories(test.campaign, Role::Test, hash).await?;
    let answers = rows.into_iter().map(|row| {
        let reply = row.code.map(|code| {
            let enhanced = row.enhanced.as_deref().unwrap_or_default();
            let text = row.reply.as_deref().unwrap_or_default();
            format!("{code} {enhanced} {text}").split_whitespace().collect::<Vec<_>>().join(" ")
        });
        TestAnswer {
            relay: row.pinned.or(row.relay).unwrap_or_default(),
            state: row.state.as_str(),
            settled: !row.state.is_open(),
            mail_from: row.mail_from,
            reply,
            detail: row.detail,
            attempts: row.attempts.iter().map(attempt).collect(),
        }
    });
    Ok(answers.collect())
}

pub(crate) fn attempt(a: &AttemptRow) -> String {
    let mut words = vec![format!("{} attempt {}", Timestamp(a.at).rfc3339(), a.attempt)];
    words.extend(a.relay.as_ref().map(|r| format!("through {r}")));
    words.push(format!(": {}", a.outcome));
    words.extend(a.phase.as_ref().map(|p| format!("at {p}")));
    words.extend(a.code.map(|c| c.to_string()));
    words.extend(a.enhanced.clone());
    words.extend(a.reply.as_ref().map(|r| r.replace('\n', " ")));
    words.extend(a.rule.as_ref().map(|r| format!("(rule {r})")));
    words.join(" ").replace(" : ", ": ")
}
