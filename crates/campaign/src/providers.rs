//! Finds out who hosts the mailboxes of contacts whose domain is in no table, by asking DNS for its MX.
//!
//! Stepped by `cli` beside the supervisor; of many nodes one does it at a time (the job `providers`). What it learns goes
//! to the domains and to the contacts, so that the next frozen audience is counted and paced by it; a frozen one stays
//! as it is. What must always hold: a look-up that failed changes nothing and is asked again in the next round; what was
//! asked less than [`FRESH_MS`] ago is not asked again. It knows no DNS: how to ask is an argument.

use crate::Result;
use futures_util::StreamExt;
use postroad_model::{ContactId, Domain, EmailAddress, MailboxProvider, NodeId, Timestamp};
use postroad_store::{HostedContact, JobLease, Store};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

const JOB: &str = "providers";
/// Contacts at once; even if no server answers, a page is over before the job's lease is.
const PAGE: i64 = 200;
/// Questions at once.
const AT_ONCE: usize = 32;
const DAY_MS: i64 = 86_400_000;
/// An answer counts so long: MX records move rarely.
const FRESH_MS: i64 = 30 * DAY_MS;
/// All contacts are gone through anew so often; in between only new ones are.
const ROUND_MS: i64 = DAY_MS;
/// So many domains one after the other without an answer: DNS is away. One lame domain is not.
const AWAY: u64 = 20;

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookedUp {
    /// Domains that an answer came for.
    pub answered: u64,
    /// Domains that none came for.
    pub failed: u64,
    /// Contacts whose provider changed.
    pub contacts: u64,
}

/// How far the job is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Note {
    after: i64,
    round_began: i64,
}

/// Pages without an answer, one after the other.
struct Silence {
    /// The contact before the first of them.
    after: i64,
    questions: u64,
    pages: u32,
}

/// Goes through the contacts that were not looked at, asking for each domain at most once; `None` when another node does
/// it. Ends early when DNS is away, and then begins there the next time.
///
/// # Errors
/// The database's.
pub async fn look_up_providers<F, Answer, E>(
    store: &Store,
    node: NodeId,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
    ask: F,
) -> Result<Option<LookedUp>>
where
    F: Fn(Domain) -> Answer,
    Answer: Future<Output = std::result::Result<MailboxProvider, E>>,
    E: std::fmt::Display,
{
    let Some(job) = store.take_job(JOB, node, now()).await? else { return Ok(None) };
    let began = now().0;
    let kept = job.note.as_deref().and_then(|n| serde_json::from_str::<Note>(n).ok());
    let mut note = kept
        .filter(|n| n.round_began + ROUND_MS > began)
        .unwrap_or(Note { after: 0, round_began: began });
    let mut done = LookedUp::default();
    let mut silence: Option<Silence> = None;
    loop {
        let page = store.hosted_contacts(ContactId(note.after), PAGE).await?;
        let Some(last) = page.last().map(|c| c.id.0) else { break };
        let found = look_up(store, &page, now(), &ask).await?;
        done.answered += found.answered;
        done.failed += found.failed;
        done.contacts += found.contacts;
        silence = match silence {
            _ if found.answered > 0 => None,
            None if found.failed == 0 => None,
            None => Some(Silence { after: note.after, questions: found.failed, pages: 1 }),
            Some(s) => {
                Some(Silence { questions: s.questions + found.failed, pages: s.pages + 1, ..s })
            }
        };
        note.after = last;
        if silence.as_ref().is_some_and(|s| s.questions >= AWAY) {
            break;
        }
        write(store, &job, note, now()).await?;
    }
    // The newest contacts are asked for again at once; what failed further back waits for the next round, or each step would go
    // through all that came after.
    if let Some(silence) = silence.filter(|s| s.questions >= AWAY || s.pages == 1) {
        note.after = silence.after;
    }
    write(store, &job, note, now()).await?;
    store.release_job(&job, None, now()).await?;
    Ok(Some(done))
}

async fn write(store: &Store, job: &JobLease, note: Note, now: Timestamp) -> Result<()> {
    // Two numbers always become a text.
    let text = serde_json::to_string(&note).unwrap_or_default();
    Ok(store.note_job(job, &text, now).await?)
}

/// One page.
async fn look_up<F, Answer, E>(
    store: &Store,
    page: &[HostedContact],
    now: Timestamp,
    ask: &F,
) -> Result<LookedUp>
where
    F: Fn(Domain) -> Answer,
    Answer: Future<Output = std::result::Result<MailboxProvider, E>>,
    E: std::fmt::Display,
{
    let of_contact: Vec<(&HostedContact, Domain)> = page
        .iter()
        .filter_map(|c| Some((c, EmailAddress::parse(&c.address).ok()?.domain().clone())))
        .filter(|(_, domain)| MailboxProvider::of_domain(domain) == MailboxProvider::Other)
        .collect();
    let domains: BTreeSet<&Domain> = of_contact.iter().map(|(_, domain)| domain).collect();
    let names: Vec<&str> = domains.iter().map(|d| d.as_str()).collect();
    let known = store.domain_providers_of(&names).await?;
    let fresh = |d: &&&Domain| known.get(d.as_str()).is_none_or(|k| k.1.plus_ms(FRESH_MS) <= now);
    let questions: Vec<Domain> = domains.iter().filter(fresh).map(|d| (*d).clone()).collect();
    let mut providers: HashMap<&str, MailboxProvider> =
        known.iter().map(|(domain, (provider, _))| (domain.as_str(), *provider)).collect();
    let asked = questions.len() as u64;
    let answers: Vec<(Domain, _)> = futures_util::stream::iter(questions)
        .map(|domain| {
            let answer = ask(domain.clone());
            async move { (domain, answer.await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut new = Vec::new();
    for (domain, answer) in &answers {
        match answer {
            Ok(provider) => new.push((domain.as_str(), *provider)),
            Err(error) => tracing::debug!(%domain, %error, "who hosts this domain is not known"),
        }
    }
    let answered = new.len() as u64;
    providers.extend(new.iter().copied());
    let changed: Vec<(ContactId, MailboxProvider)> = of_contact
        .iter()
        .filter_map(|(contact, domain)| {
            let provider = *providers.get(domain.as_str())?;
            (provider != contact.provider).then_some((contact.id, provider))
        })
        .collect();
    if !new.is_empty() || !changed.is_empty() {
        store.save_providers(&new, &changed, now).await?;
    }
    Ok(LookedUp { answered, failed: asked - answered, contacts: changed.len() as u64 })
}
