//! `check`: composes the message of everybody in the audience, and looks at all that could go wrong before it does.
//!
//! Strict: what the template asks for and one contact lacks is told with its address. Nothing is written. Failures
//! and links are kept up to a bound, counts are exact. Composing runs on blocking threads, a page at a time.

use crate::audience::{AudienceStream, Decision, Member};
use crate::finding::{Finding, Severity};
use crate::identity::{Envelope, Signing, signing};
use crate::planning::{Counted, plan_input, planned};
use crate::seeding;
use crate::{Composer, Error, Recipient, Result, Setup};
use postroad_model::campaign::{
    BodyFormat, Campaign, CampaignKind, CampaignSettings, CampaignState,
};
use postroad_model::delivery::Role;
use postroad_model::plan::{Forecast, Outlook};
use postroad_model::rank::rank;
use postroad_model::when::Zone;
use postroad_model::{CampaignId, DeliveryId, ListId, PoolId, Timestamp};
use postroad_store::Store;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Failures that are named one by one.
const NAMED_FAILURES: usize = 50;

/// What `check` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// The campaign's name.
    pub campaign: String,
    /// How many would get it.
    pub audience: i64,
    /// How many would not, by reason.
    pub left_out: BTreeMap<&'static str, i64>,
    /// Messages that were composed.
    pub composed: i64,
    /// Recipients whose message cannot be composed.
    pub failed: i64,
    /// The first of them.
    pub failures: Vec<ComposeFailure>,
    /// Where the first message's links lead.
    pub links: Vec<String>,
    /// Octets of the smallest and the largest message, unsigned.
    pub size_bytes: Option<(usize, usize)>,
    /// As whom each relay of the pool sends it.
    pub identities: Vec<IdentityLine>,
    /// When it would all be sent.
    pub forecast: Option<Forecast>,
    /// What to mend, worst first.
    pub findings: Vec<Finding>,
}

/// A recipient whose message cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComposeFailure {
    /// The recipient.
    pub address: String,
    /// Why, with template, line and column.
    pub reason: String,
}

/// As whom a relay sends the campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityLine {
    /// The relay.
    pub relay: String,
    /// From.
    pub from: String,
    /// Reply-To.
    pub reply_to: Option<String>,
    /// MAIL FROM; `*@domain` where it is tagged.
    pub mail_from: String,
    /// Who signs: `ours`, `operator`, `nobody`.
    pub signed_by: &'static str,
}

impl CheckReport {
    /// True when nothing forbids to send.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings.iter().all(|f| f.severity < Severity::Error)
    }
}

/// What the composing of pages added up to.
#[derive(Debug, Default)]
struct Composed {
    done: i64,
    failed: i64,
    failures: Vec<ComposeFailure>,
    sizes: Option<(usize, usize)>,
    links: Vec<String>,
    findings: Vec<Finding>,
    largest: usize,
}

/// Checks a campaign's settings against lists, configuration and quota. `now` stands for the Date of the messages.
///
/// # Errors
/// What keeps it from being looked at: an unknown list or pool, a template that cannot be compiled.
pub async fn check(
    store: &Store,
    setup: &Setup,
    (name, settings): (&str, &CampaignSettings),
    start: Timestamp,
    now: Timestamp,
) -> Result<CheckReport> {
    let mut stream = AudienceStream::open(store, settings).await?;
    let campaign = unsaved(name, settings, stream.lists(), now);
    let composer = Arc::new(Composer::new(&campaign, setup, store.keys())?);
    let (identities, mut findings) = identities(setup, settings)?;
    findings.extend(unsubscribing(setup, settings));
    findings.extend(opens(setup, settings));
    let (mut counted, mut total) = (Counted::default(), Composed::default());
    let mut unseen: BTreeSet<String> = stream
        .filter()
        .map(|f| f.attributes().into_iter().map(str::to_owned).collect())
        .unwrap_or_default();
    loop {
        let page = stream.next_page().await?;
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|d| counted.add(d));
        let members: Vec<Member> = page
            .into_iter()
            .filter_map(|d| match d {
                Decision::Keep(member) => Some(*member),
                Decision::LeaveOut(..) => None,
            })
            .collect();
        unseen.retain(|name| !members.iter().any(|m| m.fields.attributes.contains_key(name)));
        total = compose_page(composer.clone(), members, total, now).await?;
    }
    findings.append(&mut total.findings);
    findings.extend(unseen.into_iter().map(|name| {
        Finding::warning(
            "filter_attribute",
            format!("the filter reads the attribute {name:?}, which nobody in the audience has; is it spelt right?"),
        )
    }));
    findings.extend(seeding::findings(setup, settings, &counted.providers()));
    findings.extend(sizes(setup, settings, &total)?);
    findings.extend(outcome(&counted, &total));
    let forecast = capacity(store, setup, settings, &counted, start, now, &mut findings).await?;
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    Ok(CheckReport {
        campaign: name.to_owned(),
        audience: counted.people(),
        left_out: counted.left_out,
        composed: total.done,
        failed: total.failed,
        failures: total.failures,
        links: total.links,
        size_bytes: total.sizes,
        identities,
        forecast,
        findings,
    })
}

/// The campaign as it would be saved, for composing.
pub(crate) fn unsaved(
    name: &str,
    settings: &CampaignSettings,
    lists: &[ListId],
    now: Timestamp,
) -> Campaign {
    Campaign {
        id: CampaignId(0),
        name: name.to_owned(),
        kind: CampaignKind::Bulk,
        state: CampaignState::Draft,
        settings: settings.clone(),
        list_ids: lists.to_vec(),
        pool: PoolId(0),
        bucket: 0,
        seed: 0,
        audience: None,
        created_at: now,
    }
}

async fn compose_page(
    composer: Arc<Composer>,
    members: Vec<Member>,
    total: Composed,
    now: Timestamp,
) -> Result<Composed> {
    let work = move || compose_members(&composer, &members, total, now);
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Thread(e.to_string()))
}

fn compose_members(
    composer: &Composer,
    members: &[Member],
    mut total: Composed,
    now: Timestamp,
) -> Composed {
    for member in members {
        let to = Recipient {
            delivery: DeliveryId { bucket: 0, id: member.id.0 },
            contact: Some(member.id),
            role: Role::Audience,
            address: &member.address,
            fields: &member.fields,
            rank: rank(0, member.address_hash),
            date: now,
        };
        if total.done == 0
            && let Ok(first) = composer.inspect(&to)
        {
            total.links = first.links.into_iter().map(|l| l.url).collect();
            total.findings = first.findings.into_iter().map(Finding::from).collect();
        }
        match composer.compose(&to, None) {
            Ok(message) => {
                let size = message.bytes.len();
                let (least, most) = total.sizes.unwrap_or((size, size));
                total.sizes = Some((least.min(size), most.max(size)));
                total.largest = total.largest.max(size);
                total.done += 1;
            }
            Err(e) => {
                total.failed += 1;
                if total.failures.len() < NAMED_FAILURES {
                    let address = member.address.to_string();
                    total.failures.push(ComposeFailure { address, reason: e.to_string() });
                }
            }
        }
    }
    total
}

/// As whom each relay sends, and what stands against it.
pub(crate) fn identities(
    setup: &Setup,
    settings: &CampaignSettings,
) -> Result<(Vec<IdentityLine>, Vec<Finding>)> {
    let (mut lines, mut findings) = (Vec::new(), Vec::new());
    for relay in setup.pool_relays(&settings.pool)? {
        let reply_to = settings.reply_to.as_ref();
        let send_as = match crate::identity::identity_for(relay, &settings.from, reply_to, setup) {
            Ok(send_as) => send_as,
            Err(e) => {
                findings.push(Finding::error("identity", e.to_string()));
                continue;
            }
        };
        let signed_by = match signing(relay, &send_as, setup) {
            Signing::Ours => "ours",
            Signing::Operators => "operator",
            Signing::Nobody => {
                findings.push(Finding::warning(
                    "unsigned",
                    format!(
                        "nothing signs {} through relay {}: mailbox providers mistrust bulk mail without DKIM; \
                         `postroad dkim generate {}` makes a key",
                        send_as.from.address,
                        relay.name,
                        send_as.from.address.domain()
                    ),
                ));
                "nobody"
            }
        };
        if !relay.bulk_allowed {
            findings.push(Finding::warning(
                "bulk_not_allowed",
                format!(
                    "the terms of relay {}'s operator do not allow bulk mail: the account may be locked",
                    relay.name
                ),
            ));
        }
        lines.push(IdentityLine {
            relay: relay.name.clone(),
            from: send_as.from.to_string(),
            reply_to: send_as.reply_to.as_ref().map(ToString::to_string),
            mail_from: match &send_as.envelope {
                Envelope::Bare(address) => address.to_string(),
                Envelope::Tagged(domain) => format!("*@{domain}"),
            },
            signed_by,
        });
    }
    if lines.is_empty() && findings.is_empty() {
        let message = format!("pool {} has no relay; add one in the configuration", settings.pool);
        findings.push(Finding::error("no_relay", message));
    }
    Ok((lines, findings))
}

/// A recipient must be able to leave: by one click, or by a mail that somebody reads.
pub(crate) fn unsubscribing(setup: &Setup, settings: &CampaignSettings) -> Vec<Finding> {
    let domain = setup.domain_of(settings.from.address.domain());
    let mailto = domain.is_some_and(|d| d.unsubscribe_mailto.is_some());
    match (setup.has_https(), mailto) {
        (true, _) => Vec::new(),
        (false, true) => vec![Finding::warning(
            "no_one_click",
            "without an https public_url there is no one-click unsubscribe, which Gmail and Yahoo ask of bulk \
             senders; mails to unsubscribe_mailto must be read",
        )],
        (false, false) => vec![Finding::error(
            "no_unsubscribe",
            format!(
                "nobody could unsubscribe: set [web] public_url to an https address, or unsubscribe_mailto of \
                 [[domain]] {} to an address that is read",
                settings.from.address.domain()
            ),
        )],
    }
}

/// Opens are counted by an image that the recipient's side must be able to load.
pub(crate) fn opens(setup: &Setup, settings: &CampaignSettings) -> Option<Finding> {
    if !settings.track_opens {
        return None;
    }
    if !setup.has_https() {
        let message = "track_opens needs [web] public_url to be an https address: the image that tells of an open is \
             loaded from there; set it, or leave track_opens out";
        return Some(Finding::error("opens_without_https", message));
    }
    let message =
        "track_opens counts nothing in a plain-text campaign: there is no HTML part for the image";
    (settings.content.format == BodyFormat::Text)
        .then(|| Finding::warning("opens_without_html", message))
}

fn sizes(setup: &Setup, settings: &CampaignSettings, total: &Composed) -> Result<Vec<Finding>> {
    let relays = setup.pool_relays(&settings.pool)?;
    let small = relays.iter().filter(|r| {
        r.max_message_bytes.is_some_and(|max| (total.largest as u64).saturating_add(4_000) > max)
    });
    let too_large = |r: &&postroad_model::relay::Relay| {
        let message = format!(
            "the largest message has {} octets; relay {} takes {} at most",
            total.largest,
            r.name,
            r.max_message_bytes.unwrap_or(0)
        );
        Finding::error("too_large", message)
    };
    Ok(small.map(too_large).collect())
}

fn outcome(counted: &Counted, total: &Composed) -> Vec<Finding> {
    let mut findings = Vec::new();
    if counted.people() == 0 {
        let message = format!("nobody would get it: {}", counted.reasons());
        findings.push(Finding::error("empty_audience", message));
    }
    if total.failed > 0 {
        let example = total.failures.first().map(|f| format!("; {}: {}", f.address, f.reason));
        let message = format!(
            "{} of {} messages cannot be composed{}",
            total.failed,
            counted.people(),
            example.unwrap_or_default()
        );
        findings.push(Finding::error("compose", message));
    }
    findings
}

/// The forecast, and whether it ends in time.
async fn capacity(
    store: &Store,
    setup: &Setup,
    settings: &CampaignSettings,
    counted: &Counted,
    start: Timestamp,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<Option<Forecast>> {
    if counted.people() == 0 || setup.pool_relays(&settings.pool)?.is_empty() {
        return Ok(None);
    }
    let cohorts = counted.with_seeds(setup, settings);
    let input = plan_input(store, setup, settings, cohorts, start, now).await?;
    match planned(&input, counted.people()) {
        Ok(plan) => {
            findings.extend(in_time(&plan.forecast));
            Ok(Some(plan.forecast))
        }
        Err(e) => {
            findings.push(Finding::error("plan", e.to_string()));
            Ok(None)
        }
    }
}

/// A campaign that cannot end before its expiry says so, and by how much.
pub(crate) fn in_time(forecast: &Forecast) -> Option<Finding> {
    let zone: &Zone = &forecast.zone;
    match forecast.outlook {
        Outlook::Ends { .. } => None,
        Outlook::Expires { at, left, would_end } => {
            let needed = would_end.map_or_else(
                || "it would never end".to_owned(),
                |t| format!("all would be sent by {}", zone.long(t)),
            );
            Some(Finding::warning(
                "expires_first",
                format!(
                    "{left} of {} people are not reached before it expires at {}; {needed}: add relays, or move expires",
                    forecast.people,
                    zone.long(at)
                ),
            ))
        }
        Outlook::Never { left } => Some(Finding::error(
            "never_ends",
            format!(
                "{left} of {} people can never be reached with this pool, its limits and the send window",
                forecast.people
            ),
        )),
    }
}
