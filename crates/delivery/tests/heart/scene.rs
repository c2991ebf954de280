//! What a trial needs: sinks that stamp times, a store with a campaign, the child's orders.

use postroad_campaign::freeze;
use postroad_model::campaign::{CampaignAct, CampaignKind};
use postroad_model::limit::{Keeper, Limit, LimitUnit};
use postroad_model::{Clock, EmailAddress, MailboxProvider, Timestamp};
use postroad_smtpd::{Behaviour, Kind, Memory, Record, Server, ServerSettings};
use postroad_store::{Durability, ImportRow, ImportSlice, NewCampaign, Store, StoreSettings};
use postroad_testkit::builders;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The wall clock; the tests' only look at it.
pub struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "the trial runs in real time")]
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(now.as_millis()).unwrap())
    }
}

/// What the engine's process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    pub url: String,
    pub sinks: Vec<SocketAddr>,
    pub amount: i64,
    pub window_ms: i64,
    pub connections: u32,
    pub lease_ms: u64,
    pub commit_delay_ms: u64,
    pub node: String,
    pub takeover_now: bool,
}

impl Orders {
    pub fn limit(&self) -> Option<Limit> {
        (self.amount > 0).then(|| {
            let window = Duration::from_millis(u64::try_from(self.window_ms).unwrap());
            let limit = Limit::rolling("window", self.amount, LimitUnit::Recipients, window);
            Limit { keeper: Keeper::Ledger, ..limit }
        })
    }
}

pub async fn open_store(url: &str, commit_delay_ms: u64) -> Store {
    let durability = match commit_delay_ms {
        0 => Durability::Native,
        ms => Durability::Delayed(Duration::from_millis(ms)),
    };
    let keys = builders::token_keys();
    let settings = StoreSettings { url: url.into(), keys, connections: 6, durability };
    Store::open(settings).await.unwrap()
}

/// A sink with a record in memory.
pub struct SinkUnderTest {
    pub server: Server,
    pub record: Arc<Memory>,
}

pub async fn sinks(n: usize, behaviour: &str) -> Vec<SinkUnderTest> {
    let mut all = Vec::new();
    for i in 0..n {
        let clock = Arc::new(|| Wall.now().0);
        let mut settings = ServerSettings::new(format!("sink-{i}"), clock);
        let behaviour: Behaviour = toml::from_str(behaviour).unwrap();
        assert!(behaviour.problems().is_empty(), "{:?}", behaviour.problems());
        settings.behaviour = Arc::new(behaviour);
        let record = Arc::new(Memory::default());
        let server = Server::sink(postroad_testkit::loopback::address(), settings, record.clone())
            .await
            .unwrap();
        all.push(SinkUnderTest { server, record });
    }
    all
}

pub fn records(sinks: &[SinkUnderTest], kind: Kind) -> Vec<Record> {
    sinks.iter().flat_map(|s| s.record.of(kind)).collect()
}

pub fn recipient(i: u32) -> EmailAddress {
    // A fifth at one provider, the rest elsewhere, so that several queues are open.
    let domain = if i.is_multiple_of(5) { "gmail.com" } else { "example.org" };
    EmailAddress::parse(&format!("r{i}@{domain}")).unwrap()
}

/// A running campaign to `n` recipients.
pub async fn campaign(store: &Store, n: u32) -> String {
    let now = Wall.now();
    let list = store.create_list("all", None, now).await.unwrap();
    store.register_pools(&["newsletter".into()]).await.unwrap();
    let run = store.begin_import(list, "heart", None, now).await.unwrap();
    let all: Vec<u32> = (0..n).collect();
    for slice in all.chunks(2_000) {
        let rows: Vec<ImportRow> = slice
            .iter()
            .map(|i| {
                let address = recipient(*i);
                ImportRow {
                    hash: store.keys().address_hash(&address),
                    provider: MailboxProvider::of_domain(address.domain()),
                    address,
                    name: None,
                    attributes: "{}".into(),
                }
            })
            .collect();
        let slice = ImportSlice::new(rows).unwrap();
        store.import_slice(run, &slice, postroad_store::Commit::Keep, now).await.unwrap();
    }
    store.finish_import(run, "{}", now).await.unwrap();
    let new = NewCampaign {
        name: "heart".into(),
        kind: CampaignKind::Bulk,
        settings: builders::campaign_settings(),
        seed: 7,
    };
    let saved = store.save_campaign(&new, &[CampaignAct::Schedule { at: now }], now).await.unwrap();
    let node = store.register_node("heart-setup", "0", now).await.unwrap();
    freeze(store, &saved.campaign, node, &|| Wall.now()).await.unwrap();
    store.apply_campaign_act(saved.campaign.id, &CampaignAct::Start, now).await.unwrap();
    new.name
}
