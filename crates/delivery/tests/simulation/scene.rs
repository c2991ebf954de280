//! What a simulated history starts from: relays with limits, a store in a file, a running campaign.
//!
//! The store is real SQLite. One empty database is migrated once per process and copied for each history.

use postroad_campaign::freeze;
use postroad_model::campaign::{CampaignAct, CampaignKind, CampaignSettings};
use postroad_model::relay::{ConnectionLimits, Relay, ReplyMeaning, ReplyRule, Senders};
use postroad_model::{
    CampaignId, Clock, EmailAddress, MailboxProvider, NodeId, PoolId, RelayId, Timestamp,
};
use postroad_store::{
    Commit, Durability, ImportRow, ImportSlice, NewCampaign, Store, StoreSettings,
};
use postroad_testkit::SimClock;
use postroad_testkit::builders;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// 2026-11-30T08:00:00Z
pub const START: Timestamp = Timestamp(1_796_025_600_000);

/// A relay that sends as any domain, with these limits, in this account.
pub fn relay(name: &str, account: &str, limits: Vec<postroad_model::limit::Limit>) -> Relay {
    Relay {
        quota_group: Some(account.into()),
        limits,
        connections: ConnectionLimits {
            max_connections: 3,
            max_messages_per_connection: Some(20),
            idle: Duration::from_secs(30),
        },
        reply_rules: vec![
            rule("5.4.5", ReplyMeaning::Quota, None),
            rule("4.7.90", ReplyMeaning::Throttle, Some(30)),
            rule("5.7.91", ReplyMeaning::Login, Some(60)),
        ],
        ..builders::relay(name)
    }
}

/// Like a Gmail account: it sends as itself, so deferred rows stay with it.
pub fn gmail(name: &str, per_day: i64) -> Relay {
    Relay {
        senders: Senders::Itself(builders::mailbox(&format!("{name}@gmail.com"))),
        ..relay(name, name, vec![builders::per_day(per_day)])
    }
}

fn rule(status: &str, means: ReplyMeaning, pause_seconds: Option<u32>) -> ReplyRule {
    ReplyRule {
        code: None,
        enhanced: postroad_model::EnhancedStatus::parse(status),
        text: None,
        means,
        limit: None,
        pause_seconds,
    }
}

/// A store with a running campaign.
pub struct Scene {
    pub store: Arc<Store>,
    pub clock: SimClock,
    pub campaign: CampaignId,
    pub relays: Vec<(RelayId, Arc<Relay>)>,
    pub pools: Vec<PoolId>,
    pub node: NodeId,
    pub other_node: NodeId,
    pub audience: Vec<EmailAddress>,
    _folder: TempDir,
}

impl Scene {
    pub async fn new(relays: Vec<Relay>, audience: u32, settings: CampaignSettings) -> Self {
        let clock = SimClock::new(START);
        let now = clock.now();
        let folder = folder();
        std::fs::write(folder.path().join(FILE), template().await).unwrap();
        let store = Arc::new(open(folder.path()).await);
        let names: Vec<String> = relays.iter().map(|r| r.name.clone()).collect();
        let ids = store.register_relays(&names).await.unwrap();
        let pools = store.register_pools(&["newsletter".into()]).await.unwrap();
        for relay in &relays {
            store.sync_limits(&relay.limit_scope(), &relay.limits, now).await.unwrap();
        }
        let node = store.register_node("one", "test", now).await.unwrap();
        let other_node = store.register_node("other", "test", now).await.unwrap();
        let audience: Vec<EmailAddress> = (0..audience).map(recipient).collect();
        let campaign = start_campaign(&store, node, &audience, settings, now).await;
        Self {
            relays: relays.into_iter().map(|r| (ids[&r.name], Arc::new(r))).collect(),
            pools: pools.values().copied().collect(),
            store,
            clock,
            campaign,
            node,
            other_node,
            audience,
            _folder: folder,
        }
    }
}

const FILE: &str = "postroad.db";

/// In memory where the system has such a place: a history commits thousands of times, and nobody cuts the power.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

async fn open(folder: &Path) -> Store {
    let (keys, url) = (builders::token_keys(), format!("sqlite:{}", folder.join(FILE).display()));
    let (connections, durability) = (2, Durability::Native);
    Store::open(StoreSettings { url, keys, connections, durability }).await.unwrap()
}

/// An empty, migrated database.
async fn template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let make = || async {
        let folder = folder();
        // Closed before it is read, so that its WAL is folded in.
        open(folder.path()).await.close().await;
        std::fs::read(folder.path().join(FILE)).unwrap()
    };
    TEMPLATE.get_or_init(make).await
}

fn recipient(i: u32) -> EmailAddress {
    // Two providers and a domain of their own, so that several queues are open.
    let domain = ["gmail.com", "example.org", "example.net"][(i % 3) as usize];
    EmailAddress::parse(&format!("r{i}@{domain}")).unwrap()
}

async fn start_campaign(
    store: &Store,
    node: NodeId,
    audience: &[EmailAddress],
    settings: CampaignSettings,
    now: Timestamp,
) -> CampaignId {
    let list = store.create_list("all", None, now).await.unwrap();
    let run = store.begin_import(list, "simulation", None, now).await.unwrap();
    for slice in audience.chunks(2_000) {
        let row = |address: &EmailAddress| ImportRow {
            hash: store.keys().address_hash(address),
            provider: MailboxProvider::of_domain(address.domain()),
            address: address.clone(),
            name: None,
            attributes: "{}".into(),
        };
        let slice = ImportSlice::new(slice.iter().map(row).collect()).unwrap();
        store.import_slice(run, &slice, Commit::Keep, now).await.unwrap();
    }
    store.finish_import(run, "{}", now).await.unwrap();
    let (name, kind) = ("simulation".to_owned(), CampaignKind::Bulk);
    let new = NewCampaign { name, kind, settings, seed: 7 };
    let saved = store.save_campaign(&new, &[CampaignAct::Schedule { at: now }], now).await.unwrap();
    let id = saved.campaign.id;
    freeze(store, &saved.campaign, node, &|| now).await.unwrap();
    store.apply_campaign_act(id, &CampaignAct::Start, now).await.unwrap();
    id
}
