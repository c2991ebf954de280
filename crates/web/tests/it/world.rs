//! A store with two lists, three contacts and a running campaign to all of them; the listeners in front of it.

use postroad_campaign::{Freeze, UNSUBSCRIBE_PATH};
use postroad_feedback::webhook::{Fetch, Hook, HookKind, Hooks, Shared};
use postroad_feedback::{Feedback, Settings};
use postroad_metrics::Metrics;
use postroad_model::campaign::{CampaignAct, CampaignKind, CampaignSettings};
use postroad_model::delivery::{DeliveryState, Leased, Role};
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_model::{CampaignId, ContactId, DeliveryId, LeaseToken, ListId, MailboxProvider};
use postroad_model::{Clock, Secret};
use postroad_store::{
    Brake, Claim, Commit, ContactStory, Durability, ImportRow, ImportSlice, Intent, LeaseRequest,
    NewCampaign, RowStory, ServeWhich, Settled, Settlement, Store, StoreSettings, Takeover, Was,
    WriteBatch,
};
use postroad_testkit::builders::{address, campaign_settings, per_day, token_keys};
use postroad_testkit::{SimClock, loopback, postgres, sqlite};
use postroad_web::{App, EngineState, EngineStatus, Listeners, View};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub const CAMPAIGN: &str = "autumn";
pub const ANNA: &str = "anna@gmail.com";
/// The delivery whose message can be shown.
pub const VIEWABLE: DeliveryId = DeliveryId { bucket: 202_611, id: 1 };

/// The database goes when its guard goes.
enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Database {
    fn url(&self) -> &str {
        match self {
            Self::Sqlite(database) => database.url(),
            Self::Postgres(database) => database.url(),
        }
    }
}

pub struct World {
    pub store: Arc<Store>,
    pub clock: SimClock,
    pub engine: watch::Sender<EngineStatus>,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub campaign: CampaignId,
    pub lists: Vec<ListId>,
    stop: Option<oneshot::Sender<()>>,
    pub served: JoinHandle<()>,
    _database: Database,
}

impl World {
    pub async fn sqlite() -> Self {
        Self::on(Database::Sqlite(sqlite::database()), Durability::Native).await
    }

    pub async fn slow(commit: Duration) -> Self {
        Self::on(Database::Sqlite(sqlite::database()), Durability::Delayed(commit)).await
    }

    /// One on each engine that is here.
    pub async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        if let Some(database) = postgres::database() {
            all.push(Self::on(Database::Postgres(database), Durability::Native).await);
        }
        all
    }

    async fn on(database: Database, durability: Durability) -> Self {
        let settings = StoreSettings {
            url: database.url().to_owned(),
            keys: token_keys(),
            connections: 4,
            durability,
        };
        let store = Arc::new(Store::open(settings).await.unwrap());
        let clock = SimClock::at("2026-11-30T08:00:00Z");
        let (campaign, lists) = running_campaign(&store, &clock).await;
        lane_with_quota(&store, &clock).await;
        let metrics = Arc::new(Metrics::new("0.0.0"));
        let running =
            EngineStatus { state: EngineState::Running, lanes_configured: 1, lanes_held: 1 };
        let (engine, status) = watch::channel(running);
        let view = View::new(async |token: LinkToken| {
            (token.delivery == VIEWABLE).then(|| "<p>Xin chào</p>".to_owned())
        });
        let clock_too = Arc::new(clock.clone());
        let app = App::new(Arc::clone(&store), metrics, clock_too, status, view)
            .with_hooks(hooks(&store));
        let listeners =
            Listeners::bind(Some(loopback::address()), loopback::address()).await.unwrap();
        let (public, admin) = (listeners.public_address().unwrap(), listeners.admin_address());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(listeners.serve(app, async {
            let _ = stopped.await;
        }));
        let (stop, _database) = (Some(stop), database);
        Self { store, clock, engine, public, admin, campaign, lists, stop, served, _database }
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub async fn contact(&self, text: &str) -> ContactId {
        self.store.contact(&address(text)).await.unwrap().unwrap().id
    }

    /// The path of a recipient's link.
    pub async fn path(&self, text: &str, effect: LinkEffect) -> String {
        let (contact, row) = (self.contact(text).await, self.row(text).await.id);
        let token = self.token(LinkKind::Unsubscribe, effect, contact, row);
        format!("{UNSUBSCRIBE_PATH}{token}")
    }

    pub fn token(
        &self,
        kind: LinkKind,
        effect: LinkEffect,
        contact: ContactId,
        delivery: DeliveryId,
    ) -> String {
        let (campaign, lists) = (self.campaign, self.lists[..1].to_vec());
        self.store.keys().link(&LinkToken { kind, effect, campaign, contact, delivery, lists })
    }

    /// Everything that the store knows of a contact and the campaign.
    pub async fn story(&self, text: &str) -> ContactStory {
        let hash = self.store.keys().address_hash(&address(text));
        self.store.contact_story(self.campaign, hash).await.unwrap().unwrap()
    }

    /// A contact's row with all that happened to it.
    pub async fn row(&self, text: &str) -> RowStory {
        let hash = self.store.keys().address_hash(&address(text));
        let rows = self.store.row_stories(self.campaign, Role::Audience, hash).await.unwrap();
        rows.into_iter().next().unwrap()
    }

    /// The state of a contact's row.
    pub async fn state(&self, text: &str) -> DeliveryState {
        self.row(text).await.state
    }

    /// Sends to these through a relay that nothing keeps back; what is not named waits.
    pub async fn send(&self, people: &[(&str, Settled)]) {
        let now = self.clock.now();
        let relay = self.store.register_relays(&["ses-1".into()]).await.unwrap()["ses-1"];
        let pool = self.store.register_pools(&["newsletter".into()]).await.unwrap()["newsletter"];
        let node = self.store.register_node("sender", "0.0.0", now).await.unwrap();
        let scope = "relay:ses-1".to_owned();
        self.store.sync_limits(&scope, &[per_day(450)], now).await.unwrap();
        let times = (now, now.plus_ms(30_000));
        let taken = self.store.take_lanes(node, &scope, &[relay], times, Takeover::Now).await;
        let (lane, _) = taken.unwrap().unwrap().remove(0);
        let (epoch, token) = (lane.epoch, LeaseToken(now.0));
        let (pools, which) = (vec![pool], ServeWhich::All);
        let request =
            LeaseRequest { node, relay, epoch, scope, pools, token, want: 9, which, turn: 1 };
        let rows = self.store.lease(&request, now).await.unwrap().rows;
        let claim = |row: &Leased| Claim::of(row, relay, epoch, token);
        let wanted = |row: &&Leased| people.iter().any(|(who, _)| address(who) == row.address);
        let rows: Vec<&Leased> = rows.iter().filter(wanted).collect();
        assert_eq!(rows.len(), people.len());
        let intents = rows.iter().map(|row| Intent {
            claim: claim(row),
            content_hash: 7,
            mail_from: "news@news.example.com".into(),
            date: now,
        });
        let batch = WriteBatch { settlements: Vec::new(), intents: intents.collect() };
        assert_eq!(self.store.write(&batch, now).await.unwrap().granted.len(), rows.len());
        let settled = |row: &Leased| {
            let (_, settled) = people.iter().find(|(who, _)| address(who) == row.address).unwrap();
            Settlement {
                claim: claim(row),
                settled: settled.clone(),
                reply: None,
                phase: Some("data"),
                rule: None,
                was: Was::Sending,
                seen: postroad_store::Seen::default(),
            }
        };
        let settlements = rows.iter().map(|row| settled(row)).collect();
        let batch = WriteBatch { settlements, intents: Vec::new() };
        self.store.write(&batch, now).await.unwrap();
    }

    /// All that an unsubscribe could change, as text.
    pub async fn everything(&self) -> String {
        let mut all = Vec::new();
        for contact in [ANNA, "bob@example.com", "cara@example.com"] {
            all.push(format!("{:?} {:?}", self.story(contact).await, self.row(contact).await));
            let against = self.store.suppressions_against(&address(contact)).await.unwrap();
            all.push(format!("{against:?}"));
        }
        all.push(format!("{:?}", self.store.counters(self.campaign).await.unwrap()));
        all.join("\n")
    }
}

/// One webhook, `brevo`, with the token `t0ken`.
fn hooks(store: &Arc<Store>) -> Arc<Hooks> {
    let feedback = Arc::new(Feedback::new(Arc::clone(store), Settings::default()));
    let kind = HookKind::Brevo(Shared::Token(Secret::new("t0ken")));
    let fetch: Fetch = Arc::new(|url| Box::pin(async move { Err(format!("{url} was asked for")) }));
    Arc::new(Hooks::new(feedback, vec![Hook { name: "brevo".into(), kind }], fetch))
}

async fn running_campaign(store: &Store, clock: &SimClock) -> (CampaignId, Vec<ListId>) {
    let now = clock.now();
    let news = store.create_list("news", Some("Autumn <news>"), now).await.unwrap();
    let other = store.create_list("other", None, now).await.unwrap();
    let row = |text: &str, provider| ImportRow {
        hash: store.keys().address_hash(&address(text)),
        address: address(text),
        provider,
        name: None,
        attributes: "{}".into(),
    };
    let rows = vec![
        row(ANNA, MailboxProvider::Google),
        row("bob@example.com", MailboxProvider::Other),
        row("cara@example.com", MailboxProvider::Other),
    ];
    let slice = ImportSlice::new(rows).unwrap();
    for list in [news, other] {
        let run = store.begin_import(list, "test", None, now).await.unwrap();
        store.import_slice(run, &slice, Commit::Keep, now).await.unwrap();
    }
    store.register_pools(&["newsletter".into()]).await.unwrap();
    let settings =
        CampaignSettings { lists: vec!["news".into()], track_opens: true, ..campaign_settings() };
    let new = NewCampaign { name: CAMPAIGN.into(), kind: CampaignKind::Bulk, settings, seed: 7 };
    let acts = [CampaignAct::Schedule { at: now }];
    let id = store.save_campaign(&new, &acts, now).await.unwrap().campaign.id;
    let node = store.register_node("here", "0.0.0", now).await.unwrap();
    let campaign = store.campaign_by_id(id).await.unwrap().campaign;
    let frozen = postroad_campaign::freeze(store, &campaign, node, &move || now).await.unwrap();
    assert_eq!(frozen, Freeze::Done { audience: 3 });
    store.apply_campaign_act(id, &CampaignAct::Start, now).await.unwrap();
    (id, vec![news, other])
}

async fn lane_with_quota(store: &Store, clock: &SimClock) {
    let now = clock.now();
    let relay = store.register_relays(&["gmail-anna".into()]).await.unwrap()["gmail-anna"];
    let scope = "relay:gmail-anna";
    store.sync_limits(scope, &[per_day(450)], now).await.unwrap();
    let node = store.register_node("engine", "0.0.0", now).await.unwrap();
    let times = (now, now.plus_ms(30_000));
    let taken = store.take_lanes(node, scope, &[relay], times, Takeover::Now).await.unwrap();
    assert_eq!(taken.unwrap().len(), 1);
    let brake = Brake {
        relay: Some(relay),
        provider: Some(MailboxProvider::Google),
        until: now.plus_ms(1_800_000),
        reason: "rate_limited: 421 4.7.28".into(),
        by: "delivery".into(),
    };
    store.set_brake(&brake, now).await.unwrap();
}
