//! A store with lists, relays and one node that holds their lanes, and the moves of an engine in its simplest form.

use postroad_campaign::{Happened, Setup, Supervisor};
use postroad_model::campaign::CampaignSettings;
use postroad_model::delivery::{Leased, Role};
use postroad_model::limit::Limit;
use postroad_model::relay::Relay;
use postroad_model::{
    Clock, Epoch, LeaseToken, MailboxProvider, NodeId, PoolId, RelayId, Reply, Timestamp,
};
use postroad_store::{
    Claim, Commit, Durability, ImportRow, ImportSlice, Intent, LeaseRequest, NewCampaign,
    ServeWhich, Settled, Settlement, Store, StoreSettings, Takeover, Was, WriteBatch,
};
use postroad_testkit::{SimClock, builders, postgres, sqlite};
use std::sync::Arc;
use std::time::Duration;

/// What keeps the database alive.
#[expect(dead_code, reason = "guards are only dropped")]
enum Guard {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

fn store_settings(url: &str) -> StoreSettings {
    StoreSettings {
        url: url.into(),
        keys: builders::token_keys(),
        connections: 4,
        durability: Durability::Native,
    }
}

pub struct World {
    pub store: Arc<Store>,
    pub clock: Arc<SimClock>,
    pub setup: Setup,
    pub node: NodeId,
    lanes: Vec<(RelayId, Epoch, String)>,
    pool: PoolId,
    turn: u64,
    url: String,
    _guard: Guard,
}

impl World {
    pub async fn sqlite() -> Self {
        let database = sqlite::database();
        let url = database.url().to_owned();
        Self::open(url, Guard::Sqlite(database)).await
    }

    pub async fn postgres() -> Option<Self> {
        let database = postgres::database()?;
        let url = database.url().to_owned();
        Some(Self::open(url, Guard::Postgres(database)).await)
    }

    async fn open(url: String, guard: Guard) -> Self {
        let store = Arc::new(Store::open(store_settings(&url)).await.unwrap());
        let clock = Arc::new(SimClock::at("2026-11-23T02:00:00Z"));
        let now = clock.now();
        let relays = ["ses-1", "ses-2"].map(|n| Relay {
            limits: vec![Limit::calendar(
                "day",
                200_000,
                postroad_model::limit::LimitUnit::Recipients,
                postroad_model::limit::CalendarPeriod::Day,
                "UTC",
            )],
            ..builders::relay(n)
        });
        let setup = Setup {
            relays: relays.to_vec(),
            pools: vec![builders::pool("newsletter", &["ses-1", "ses-2"])],
            domains: vec![builders::sending_domain()],
            seeds: Vec::new(),
            public_url: Some("https://news.example.com".into()),
            expire_after: Duration::from_secs(72 * 3600),
            unknown_wait: Duration::from_secs(1800),
            min_inbox: None,
        };
        let node = store.register_node("test", "0", now).await.unwrap();
        let names: Vec<String> = relays.iter().map(|r| r.name.clone()).collect();
        let ids = store.register_relays(&names).await.unwrap();
        let pools = store.register_pools(&["newsletter".into()]).await.unwrap();
        let mut lanes = Vec::new();
        for relay in &relays {
            let scope = relay.limit_scope();
            store.sync_limits(&scope, &relay.limits, now).await.unwrap();
            let id = ids[&relay.name];
            let until = Timestamp(i64::MAX);
            let taken =
                store.take_lanes(node, &scope, &[id], (now, until), Takeover::WhenLapsed).await;
            let (lane, _) = taken.unwrap().unwrap().remove(0);
            lanes.push((id, lane.epoch, scope));
        }
        let pool = pools["newsletter"];
        Self { store, clock, setup, node, lanes, pool, turn: 0, url, _guard: guard }
    }

    /// Opens the same database in a thread of its own, as another process would, and does something there.
    pub fn elsewhere<F, T>(url: &str, act: F) -> T
    where
        F: AsyncFnOnce(Store) -> T + Send,
        T: Send,
    {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime
                    .unwrap()
                    .block_on(async { act(Store::open(store_settings(url)).await.unwrap()).await })
            });
            thread.join().unwrap()
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Puts addresses on a list that is made if need be.
    pub async fn subscribe(&self, list: &str, people: &[(&str, serde_json::Value)]) {
        let list = match self.store.list_id(list).await {
            Ok(id) => id,
            Err(_) => self.store.create_list(list, None, self.now()).await.unwrap(),
        };
        let run = self.store.begin_import(list, "test.csv", None, self.now()).await.unwrap();
        let rows: Vec<ImportRow> = people
            .iter()
            .map(|(address, attributes)| {
                let address = builders::address(address);
                ImportRow {
                    hash: self.store.keys().address_hash(&address),
                    provider: MailboxProvider::of_domain(address.domain()),
                    name: None,
                    attributes: attributes.to_string(),
                    address,
                }
            })
            .collect();
        for slice in rows.chunks(1000) {
            let slice = ImportSlice::new(slice.to_vec()).unwrap();
            self.store.import_slice(run, &slice, Commit::Keep, self.now()).await.unwrap();
        }
    }

    /// Puts many on a list.
    pub async fn subscribe_many(&self, list: &str, n: usize) {
        let names: Vec<String> = (0..n).map(|i| format!("p{i}@example.org")).collect();
        let people: Vec<_> = names.iter().map(|a| (a.as_str(), serde_json::json!({}))).collect();
        self.subscribe(list, &people).await;
    }

    pub fn settings(&self) -> CampaignSettings {
        builders::campaign_settings()
    }

    pub fn campaign(&self, name: &str) -> NewCampaign {
        self.campaign_with(name, |_| ())
    }

    pub fn campaign_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CampaignSettings),
    ) -> NewCampaign {
        let mut settings = self.settings();
        change(&mut settings);
        NewCampaign {
            name: name.into(),
            kind: postroad_model::campaign::CampaignKind::Bulk,
            settings,
            seed: 42,
        }
    }

    pub async fn step(&self) -> Vec<Happened> {
        let clock = self.clock.clone();
        let now = move || clock.now();
        let supervisor = Supervisor::new(self.node, None);
        supervisor.step(&self.store, &self.setup, &now).await.unwrap().0
    }

    /// Schedules for now and starts.
    pub async fn start(&self, new: &NewCampaign) {
        let now = self.now();
        postroad_campaign::schedule(&self.store, &self.setup, new, now, now).await.unwrap();
        let happened = self.step().await;
        assert!(matches!(happened[..], [Happened::Started { .. }, ..]), "{happened:?}");
    }

    /// Leases up to `want` rows on the first lane.
    pub async fn lease(&mut self, want: i64) -> Vec<(Leased, Claim)> {
        self.lease_on(0, want).await
    }

    /// The relay of a lane.
    pub fn relay(&self, lane: usize) -> RelayId {
        self.lanes[lane].0
    }

    /// Leases up to `want` rows on a lane.
    pub async fn lease_on(&mut self, lane: usize, want: i64) -> Vec<(Leased, Claim)> {
        self.turn += 1;
        let (relay, epoch, scope) = self.lanes[lane].clone();
        let token = LeaseToken(i64::try_from(self.turn).unwrap() + 1_000);
        let request = LeaseRequest {
            node: self.node,
            relay,
            epoch,
            scope,
            pools: vec![self.pool],
            token,
            want,
            which: ServeWhich::All,
            turn: self.turn,
        };
        let answer = self.store.lease(&request, self.now()).await.unwrap();
        let claim = |row: &Leased| Claim::of(row, relay, epoch, token);
        answer.rows.into_iter().map(|row| (row.clone(), claim(&row))).collect()
    }

    /// Leases, intends and settles up to `want` rows; gives how many.
    pub async fn send(&mut self, want: i64, settled: &Settled) -> usize {
        let rows = self.lease(want).await;
        self.settle(&rows, settled).await;
        rows.len()
    }

    pub async fn settle(&self, rows: &[(Leased, Claim)], settled: &Settled) {
        let now = self.now();
        let intents: Vec<Intent> = rows
            .iter()
            .map(|(row, claim)| {
                let token = postroad_model::token::DeliveryToken {
                    delivery: row.id,
                    campaign: row.campaign,
                    copy_no: row.copy_no,
                };
                let tag = self.store.keys().envelope(&token);
                let mail_from = row.bound.as_ref().map(|b| b.mail_from.clone());
                Intent {
                    claim: *claim,
                    content_hash: row.id.id * 7,
                    mail_from: mail_from.unwrap_or_else(|| format!("{tag}@b.news.example.com")),
                    date: row.bound.as_ref().map_or(now, |b| b.date),
                }
            })
            .collect();
        let batch = WriteBatch { settlements: Vec::new(), intents };
        let granted = self.store.write(&batch, now).await.unwrap().granted;
        assert_eq!(granted.len(), rows.len());
        let settlements = rows
            .iter()
            .map(|(_, claim)| Settlement {
                claim: *claim,
                settled: settled.clone(),
                reply: (*settled != Settled::Unknown).then(|| Reply::new(250, "2.0.0 OK")),
                phase: Some("data"),
                rule: None,
                was: Was::Sending,
                seen: postroad_store::Seen::default(),
            })
            .collect();
        let batch = WriteBatch { settlements, intents: Vec::new() };
        let answer = self.store.write(&batch, now).await.unwrap();
        assert_eq!(answer.moved.len(), rows.len());
    }

    pub async fn report(&self, name: &str) -> postroad_campaign::Report {
        let counting = postroad_campaign::Counting::Rows;
        let report =
            postroad_campaign::report(&self.store, &self.setup, name, counting, self.now());
        let report = report.await.unwrap();
        assert_eq!(report.imbalance, 0, "{report:?}");
        report
    }

    pub async fn rows(&self, name: &str) -> Vec<postroad_campaign::ExportLine> {
        let mut exporter = postroad_campaign::Exporter::open(&self.store, name, &[]).await.unwrap();
        let mut all = Vec::new();
        loop {
            let page = exporter.next_page().await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    pub async fn story(&self, address: &str, name: &str) -> postroad_campaign::Story {
        postroad_campaign::explain(&self.store, &builders::address(address), name).await.unwrap()
    }

    pub fn is_audience(row: &Leased) -> bool {
        row.role == Role::Audience
    }
}
