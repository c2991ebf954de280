//! A store with people, a relay and campaigns that were sent, and the feedback that tests are about.

use postroad_campaign::{Setup, Supervisor};
use postroad_feedback::{
    Done, Feedback, Incoming, ProviderEvent, ProviderWhat, Settings, Source, Taken,
};
use postroad_model::campaign::CampaignKind;
use postroad_model::delivery::{DeliveryState, Leased};
use postroad_model::feedback::BouncePolicy;
use postroad_model::relay::Relay;
use postroad_model::suppression::SuppressionReason;
use postroad_model::token::DeliveryToken;
use postroad_model::{
    CampaignId, Clock, Epoch, LeaseToken, MailboxProvider, NodeId, PoolId, RelayId, Reply,
    Timestamp,
};
use postroad_store::{
    Claim, Commit, Durability, ImportRow, ImportSlice, Intent, LeaseRequest, NewCampaign, SentRow,
    ServeWhich, Settled, Settlement, Store, StoreSettings, Takeover, Tally, Was, WriteBatch,
};
use postroad_testkit::{SimClock, builders, postgres, sqlite};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Mails with it make a `World::falling` fall.
pub const FALL: &str = "FALL-OVER-ME";
pub const BOUNCES: &str = "b.news.example.com";

pub struct World {
    pub store: Arc<Store>,
    pub feedback: Feedback,
    pub relay: RelayId,
    pub node: NodeId,
    clock: Arc<SimClock>,
    setup: Setup,
    lane: (Epoch, String),
    pool: PoolId,
    turn: i64,
    _guard: Box<dyn std::any::Any>,
}

impl World {
    pub async fn sqlite() -> Self {
        let database = sqlite::database();
        let url = database.url().to_owned();
        Self::open(&url, Box::new(database)).await
    }

    pub async fn postgres() -> Option<Self> {
        let database = postgres::database()?;
        let url = database.url().to_owned();
        Some(Self::open(&url, Box::new(database)).await)
    }

    async fn open(url: &str, guard: Box<dyn std::any::Any>) -> Self {
        let settings = StoreSettings {
            url: url.into(),
            keys: builders::token_keys(),
            connections: 4,
            durability: Durability::Native,
        };
        let store = Arc::new(Store::open(settings).await.unwrap());
        let clock = Arc::new(SimClock::at("2026-11-23T02:00:00Z"));
        let now = clock.now();
        let relay = Relay { limits: vec![builders::per_day(500_000)], ..builders::relay("own") };
        let setup = Setup {
            relays: vec![relay.clone()],
            pools: vec![builders::pool("newsletter", &["own"])],
            domains: vec![builders::sending_domain()],
            seeds: Vec::new(),
            public_url: Some("https://news.example.com".into()),
            expire_after: Duration::from_secs(72 * 3600),
            unknown_wait: Duration::from_secs(1800),
            min_inbox: None,
        };
        let node = store.register_node("test", "0", now).await.unwrap();
        let id = store.register_relays(&["own".into()]).await.unwrap()["own"];
        let pool = store.register_pools(&["newsletter".into()]).await.unwrap()["newsletter"];
        let scope = relay.limit_scope();
        store.sync_limits(&scope, &relay.limits, now).await.unwrap();
        let until = Timestamp(i64::MAX);
        let taken = store.take_lanes(node, &scope, &[id], (now, until), Takeover::WhenLapsed).await;
        let (lane, _) = taken.unwrap().unwrap().remove(0);
        let settings = Settings {
            relays: BTreeMap::from([(id, Arc::new(relay))]),
            bounce_domains: vec![builders::domain(BOUNCES)],
            ..Settings::default()
        };
        let feedback = Feedback::new(store.clone(), settings);
        let lane = (lane.epoch, scope);
        Self { store, feedback, relay: id, node, clock, setup, lane, pool, turn: 0, _guard: guard }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance_hours(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(3_600 * hours));
    }

    /// Puts people on the list `all`.
    pub async fn people(&self, people: &[&str]) {
        let list = match self.store.list_id("all").await {
            Ok(id) => id,
            Err(_) => self.store.create_list("all", None, self.now()).await.unwrap(),
        };
        let run = self.store.begin_import(list, "test.csv", None, self.now()).await.unwrap();
        let rows = people.iter().map(|address| {
            let address = builders::address(address);
            ImportRow {
                hash: self.store.keys().address_hash(&address),
                provider: MailboxProvider::of_domain(address.domain()),
                name: None,
                attributes: "{}".into(),
                address,
            }
        });
        let slice = ImportSlice::new(rows.collect()).unwrap();
        self.store.import_slice(run, &slice, Commit::Keep, self.now()).await.unwrap();
    }

    /// Starts a campaign to the list `all`.
    pub async fn start(&self, name: &str) {
        let now = self.now();
        let settings = builders::campaign_settings();
        let new = NewCampaign { name: name.into(), kind: CampaignKind::Bulk, settings, seed: 42 };
        postroad_campaign::schedule(&self.store, &self.setup, &new, now, now).await.unwrap();
        self.step().await;
    }

    pub async fn step(&self) {
        let clock = self.clock.clone();
        let now = move || clock.now();
        let supervisor = Supervisor::new(self.node, None);
        supervisor.step(&self.store, &self.setup, &now).await.unwrap();
    }

    async fn lease(&mut self) -> Vec<(Leased, Claim)> {
        self.turn += 1;
        let (epoch, scope) = self.lane.clone();
        let token = LeaseToken(self.turn + 1_000);
        let request = LeaseRequest {
            node: self.node,
            relay: self.relay,
            epoch,
            scope,
            pools: vec![self.pool],
            token,
            want: 500,
            which: ServeWhich::All,
            turn: self.turn.cast_unsigned(),
        };
        let answer = self.store.lease(&request, self.now()).await.unwrap();
        let claim = |row: &Leased| Claim::of(row, self.relay, epoch, token);
        answer.rows.into_iter().map(|row| (row.clone(), claim(&row))).collect()
    }

    /// Starts a campaign and sends all of it: everybody's answer by address, a plain 250 for the others.
    pub async fn send(&mut self, name: &str, answers: &[(&str, Settled, u16, &str)]) -> Sent {
        self.start(name).await;
        self.send_due(answers).await
    }

    /// Sends what is due, answered likewise.
    pub async fn send_due(&mut self, answers: &[(&str, Settled, u16, &str)]) -> Sent {
        let mut rows = BTreeMap::new();
        loop {
            let leased = self.lease().await;
            if leased.is_empty() {
                break;
            }
            self.intend(&leased).await;
            let settlements = leased.iter().map(|(row, claim)| {
                let own = answers.iter().find(|a| a.0 == row.address.to_string());
                let (settled, reply) = match own {
                    Some((_, settled, code, text)) => (settled.clone(), Reply::new(*code, text)),
                    None => (Settled::Accepted, Reply::new(250, "2.0.0 Ok")),
                };
                let reply = (settled != Settled::Unknown).then_some(reply);
                settlement(*claim, settled, reply)
            });
            let batch = WriteBatch { settlements: settlements.collect(), intents: Vec::new() };
            self.store.write(&batch, self.now()).await.unwrap();
            rows.extend(leased.into_iter().map(|(row, _)| (row.address.to_string(), row)));
        }
        Sent { rows, keys: self.store.keys().clone() }
    }

    /// Brings what is due onto the wire, where no answer comes yet.
    pub async fn send_without_answers(&mut self) -> Vec<Claim> {
        let leased = self.lease().await;
        self.intend(&leased).await;
        leased.into_iter().map(|(_, claim)| claim).collect()
    }

    /// The answers to those never come.
    pub async fn lose_answers(&self, claims: &[Claim]) {
        let lost = claims.iter().map(|claim| settlement(*claim, Settled::Unknown, None));
        let batch = WriteBatch { settlements: lost.collect(), intents: Vec::new() };
        self.store.write(&batch, self.now()).await.unwrap();
    }

    async fn intend(&self, leased: &[(Leased, Claim)]) {
        let intents = leased.iter().map(|(row, claim)| Intent {
            claim: *claim,
            content_hash: row.id.id * 7,
            mail_from: "news@news.example.com".into(),
            date: self.now(),
        });
        let batch = WriteBatch { settlements: Vec::new(), intents: intents.collect() };
        assert_eq!(self.store.write(&batch, self.now()).await.unwrap().granted.len(), leased.len());
    }

    /// Takes a mail as a listener would, whose envelope goes where its To goes.
    pub async fn take(&self, mail: Vec<u8>) -> Taken {
        let text = String::from_utf8_lossy(&mail);
        let envelope_to = text.lines().find_map(|l| Some(l.strip_prefix("To: ")?.to_owned()));
        let mail = Incoming::Mail { bytes: mail, envelope_to, source: Source::Listener };
        self.feedback.take(mail, self.now()).await.unwrap()
    }

    /// Takes what a provider tells of somebody's message.
    pub async fn told(&self, sent: &Sent, who: &str, what: ProviderWhat) -> Done {
        let event = ProviderEvent {
            recipient: Some(who.into()),
            what,
            message_id: None,
            postroad_ref: Some(sent.reference(who)),
            provider_id: "1".into(),
            at: None,
        };
        let incoming =
            Incoming::Provider { events: vec![event], source: Source::Hook("ses".into()) };
        self.feedback.take(incoming, self.now()).await.unwrap().outcomes[0].done
    }

    /// Takes a mail that has one report; what was done about it.
    pub async fn done(&self, mail: Vec<u8>) -> Done {
        let taken = self.take(mail).await;
        assert_eq!(taken.outcomes.len(), 1, "{taken:?}");
        taken.outcomes[0].done
    }

    pub async fn row(&self, row: &Leased) -> SentRow {
        self.store.sent_row(row.id).await.unwrap().unwrap()
    }

    pub async fn state(&self, row: &Leased) -> DeliveryState {
        self.row(row).await.state
    }

    /// What came back for the campaigns of a test, which are few.
    pub async fn tallies(&self) -> Vec<Tally> {
        let campaigns: Vec<CampaignId> = (1..=9).map(CampaignId).collect();
        self.store.tallies(&campaigns).await.unwrap()
    }

    pub async fn suppressed(&self, address: &str) -> Option<SuppressionReason> {
        let all = self.store.suppressions_against(&builders::address(address)).await.unwrap();
        all.first().map(|s| s.reason)
    }

    /// The same feedback under another policy.
    pub fn with_policy(&mut self, change: impl FnOnce(&mut BouncePolicy)) {
        let mut policy = BouncePolicy::default();
        change(&mut policy);
        self.feedback = Feedback::new(
            self.store.clone(),
            Settings {
                policy,
                bounce_domains: vec![builders::domain(BOUNCES)],
                ..Settings::default()
            },
        );
    }

    /// The same feedback with a reader that falls over mails with this word.
    pub fn falling(&mut self) {
        let settings =
            Settings { bounce_domains: vec![builders::domain(BOUNCES)], ..Settings::default() };
        self.feedback = Feedback::new(self.store.clone(), settings).reading_with(|mail| {
            assert!(!String::from_utf8_lossy(mail).contains(FALL), "it falls, as the test wants");
            postroad_bounce::read(mail)
        });
    }

    pub async fn sweep(&self) -> postroad_feedback::Swept {
        self.feedback.sweep(self.node, &*self.clock).await.unwrap().unwrap()
    }
}

fn settlement(claim: Claim, settled: Settled, reply: Option<Reply>) -> Settlement {
    Settlement {
        claim,
        reply,
        settled,
        phase: Some("final_dot"),
        rule: None,
        was: Was::Sending,
        seen: postroad_store::Seen::default(),
    }
}

/// What a campaign sent.
pub struct Sent {
    rows: BTreeMap<String, Leased>,
    keys: postroad_model::token::TokenKeys,
}

impl Sent {
    pub fn row(&self, address: &str) -> &Leased {
        &self.rows[address]
    }

    fn token(&self, address: &str) -> DeliveryToken {
        let row = self.row(address);
        DeliveryToken { delivery: row.id, campaign: row.campaign, copy_no: row.copy_no }
    }

    /// The address that bounces of this message go to.
    pub fn return_path(&self, address: &str) -> String {
        format!("{}@{BOUNCES}", self.keys.envelope(&self.token(address)))
    }

    pub fn reference(&self, address: &str) -> String {
        self.keys.reference(&self.token(address))
    }
}
