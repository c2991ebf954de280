//! A campaign whose seeds were sent, and the mailboxes that they went to.

use postroad_campaign::{Setup, Supervisor};
use postroad_mailbox::{Access, Login, OpenAccess, Timeouts};
use postroad_model::campaign::CampaignKind;
use postroad_model::delivery::{DeliveryState, Leased};
use postroad_model::placement::Placement;
use postroad_model::relay::{Endpoint, TlsMode};
use postroad_model::seed::{MoreAddresses, Seed};
use postroad_model::token::DeliveryToken;
use postroad_model::{
    CampaignId, Clock, Epoch, LeaseToken, MailboxProvider, NodeId, PoolId, RelayId, Reply, Secret,
    Timestamp,
};
use postroad_placement::{Looked, Looking, Pace, Placements, SeedBox, Which};
use postroad_store::{
    Claim, Commit, Durability, ImportRow, ImportSlice, Intent, LeaseRequest, NewCampaign, SeedCopy,
    Seen, ServeWhich, Settled, Settlement, Store, StoreSettings, Takeover, Was, WriteBatch,
};
use postroad_testkit::certificate::Authority;
use postroad_testkit::dovecot::{Dovecot, PASSWORD};
use postroad_testkit::{SimClock, builders, sqlite};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Long ago, so that whatever a real mailbox takes now came later.
const BEGAN: &str = "2020-01-06T02:00:00Z";

pub struct World {
    pub store: Arc<Store>,
    pub clock: Arc<SimClock>,
    pub node: NodeId,
    placements: Placements,
    _database: sqlite::Database,
}

/// A seed of this mailbox provider, named like the domain that its mailbox is in.
pub fn seed(domain: &str, provider: MailboxProvider) -> Seed {
    Seed {
        name: domain.into(),
        address: builders::address(&format!("seed@{domain}")),
        provider,
        more: MoreAddresses::Plus,
        person: None,
        attributes: serde_json::Map::new(),
    }
}

impl World {
    /// A campaign to one person over some relays, with its seeds sent and accepted; or their answers lost.
    pub async fn sent(relays: &[&str], seeds: Vec<Seed>, settled: &Settled) -> Self {
        let database = sqlite::database();
        let settings = StoreSettings {
            url: database.url().into(),
            keys: builders::token_keys(),
            connections: 4,
            durability: Durability::Native,
        };
        let store = Arc::new(Store::open(settings).await.unwrap());
        let clock = Arc::new(SimClock::at(BEGAN));
        let now = clock.now();
        let node = store.register_node("test", "0", now).await.unwrap();
        let names: Vec<_> = seeds.iter().map(|s| (s.name.clone(), s.provider)).collect();
        store.register_seed_mailboxes(&names, now).await.unwrap();
        let placements = Placements::new(store.clone(), Pace::default(), None);
        let world = Self { store, clock, node, placements, _database: database };
        world.campaign(relays, seeds, settled).await;
        world
    }

    async fn campaign(&self, relays: &[&str], seeds: Vec<Seed>, settled: &Settled) {
        let (store, now) = (&self.store, self.clock.now());
        let setup = Setup {
            relays: relays.iter().map(|name| builders::relay(name)).collect(),
            pools: vec![builders::pool("newsletter", relays)],
            domains: vec![builders::sending_domain()],
            seeds,
            public_url: Some("https://news.example.com".into()),
            expire_after: Duration::from_secs(72 * 3600),
            unknown_wait: Duration::from_secs(1800),
            min_inbox: None,
        };
        let list = store.create_list("all", None, now).await.unwrap();
        let run = store.begin_import(list, "test.csv", None, now).await.unwrap();
        let address = builders::address("an@example.org");
        let hash = store.keys().address_hash(&address);
        let row = ImportRow {
            hash,
            address,
            provider: MailboxProvider::Other,
            name: None,
            attributes: "{}".into(),
        };
        let slice = ImportSlice::new(vec![row]).unwrap();
        store.import_slice(run, &slice, Commit::Keep, now).await.unwrap();
        let names: Vec<String> = relays.iter().map(|r| (*r).to_owned()).collect();
        let ids = store.register_relays(&names).await.unwrap();
        let pools = store.register_pools(&["newsletter".into()]).await.unwrap();
        let new = NewCampaign {
            name: "c".into(),
            kind: CampaignKind::Bulk,
            settings: builders::campaign_settings(),
            seed: 42,
        };
        postroad_campaign::schedule(store, &setup, &new, now, now).await.unwrap();
        let clock = self.clock.clone();
        let supervisor = Supervisor::new(self.node, None);
        supervisor.step(store, &setup, &move || clock.now()).await.unwrap();
        store.release_seeds(self.id().await, i64::MAX, now).await.unwrap();
        for name in relays {
            let relay = builders::relay(name);
            let scope = relay.limit_scope();
            store.sync_limits(&scope, &relay.limits, now).await.unwrap();
            self.lane(ids[*name], &scope, pools["newsletter"], settled).await;
        }
    }

    /// A lane sends all that it gets.
    async fn lane(&self, relay: RelayId, scope: &str, pool: PoolId, settled: &Settled) {
        let now = self.clock.now();
        let until = Timestamp(i64::MAX);
        let taken = self
            .store
            .take_lanes(self.node, scope, &[relay], (now, until), Takeover::WhenLapsed)
            .await;
        let epoch = taken.unwrap().unwrap()[0].0.epoch;
        for token in 1.. {
            let token = LeaseToken(relay.0 * 1_000 + token);
            let request = LeaseRequest {
                node: self.node,
                relay,
                epoch,
                scope: scope.into(),
                pools: vec![pool],
                token,
                want: 100,
                which: ServeWhich::All,
                turn: 0,
            };
            let rows = self.store.lease(&request, now).await.unwrap().rows;
            if rows.is_empty() {
                return;
            }
            self.settle(&rows, (relay, epoch, token), settled).await;
        }
    }

    async fn settle(
        &self,
        rows: &[Leased],
        (relay, epoch, token): (RelayId, Epoch, LeaseToken),
        settled: &Settled,
    ) {
        let now = self.clock.now();
        let claim = |row: &Leased| Claim::of(row, relay, epoch, token);
        let intent = |row: &Leased| Intent {
            claim: claim(row),
            content_hash: 1,
            mail_from: "news@example.com".into(),
            date: now,
        };
        let settlement = |row: &Leased| Settlement {
            claim: claim(row),
            settled: settled.clone(),
            reply: (*settled == Settled::Accepted).then(|| Reply::new(250, "2.0.0 OK")),
            phase: Some("data"),
            rule: None,
            was: Was::Sending,
            seen: Seen::default(),
        };
        let intents = rows.iter().map(intent).collect();
        let batch = WriteBatch { settlements: Vec::new(), intents };
        self.store.write(&batch, now).await.unwrap();
        let settlements = rows.iter().map(settlement).collect();
        let batch = WriteBatch { settlements, intents: Vec::new() };
        self.store.write(&batch, now).await.unwrap();
    }

    pub async fn id(&self) -> CampaignId {
        self.store.campaign("c").await.unwrap().campaign.id
    }

    pub async fn copies(&self) -> Vec<SeedCopy> {
        let mut copies = self.store.seed_copies(self.id().await).await.unwrap();
        copies.sort_by_key(|c| (c.mailbox.clone(), c.relay));
        copies
    }

    pub async fn places(&self) -> Vec<Placement> {
        self.copies().await.iter().map(|c| c.placement).collect()
    }

    pub async fn states(&self) -> Vec<DeliveryState> {
        self.copies().await.iter().map(|c| c.state).collect()
    }

    pub fn reference(&self, copy: &SeedCopy) -> String {
        let (delivery, campaign) = (copy.delivery, copy.campaign);
        self.store.keys().reference(&DeliveryToken { delivery, campaign, copy_no: 0 })
    }

    /// The message of a copy, with more header lines.
    pub fn message(&self, copy: &SeedCopy, more: &str) -> String {
        format!("{more}X-Postroad-Ref: {}\nSubject: hello\n\nbody\n", self.reference(copy))
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub async fn look(&self, seed: &SeedBox) -> Looked {
        let stop = CancellationToken::new();
        // A connection is not kept: the clock of the tests stands still.
        stop.cancel();
        self.placements
            .look(seed, Which::Due, self.node, &*self.clock, &stop)
            .await
            .unwrap()
            .unwrap()
    }

    /// A session that may wait, by a clock that goes on a second each time that it is asked, and looks each second.
    pub async fn look_kept(&self, seed: &SeedBox) -> Looked {
        struct Ticking(AtomicI64);
        impl Clock for Ticking {
            fn now(&self) -> Timestamp {
                Timestamp(self.0.fetch_add(1_000, Ordering::SeqCst))
            }
        }
        let clock = Ticking(AtomicI64::new(self.clock.now().0));
        let pace = Pace { waits: vec![Duration::from_secs(2); 3], ..Pace::default() };
        let placements = Placements::new(self.store.clone(), pace, None);
        let stop = CancellationToken::new();
        let looked = placements.look(seed, Which::Due, self.node, &clock, &stop);
        looked.await.unwrap().unwrap()
    }

    /// The service over these mailboxes, a given number at once.
    pub fn looking(&self, boxes: Vec<SeedBox>, at_once: usize) -> Looking {
        let pace = Pace { at_once, ..Pace::default() };
        let placements = Arc::new(Placements::new(self.store.clone(), pace, None));
        Looking { placements, boxes, node: self.node, clock: self.clock.clone() }
    }

    /// As [`Self::look`], by another node.
    pub async fn look_as(&self, seed: &SeedBox, node: NodeId) -> Option<Looked> {
        let stop = CancellationToken::new();
        stop.cancel();
        self.placements.look(seed, Which::Due, node, &*self.clock, &stop).await.unwrap()
    }
}

fn trusting(pem: &str) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The box of a seed at a server in clear text.
pub fn at(server: SocketAddr, domain: &str, provider: MailboxProvider, password: &str) -> SeedBox {
    let within = Duration::from_secs(5);
    let access = Access {
        endpoint: Endpoint {
            host: server.ip().to_string(),
            port: server.port(),
            tls: TlsMode::None,
        },
        tls: trusting(&Authority::new().certificate_pem()),
        login: Login::Password {
            username: format!("seed@{domain}"),
            password: Secret::new(password),
        },
        timeouts: Timeouts { connect: within, login: within, command: within },
        login_advice: "make an app password".into(),
    };
    let open: OpenAccess = Arc::new(move || {
        let access = access.clone();
        Box::pin(async move { Ok(access) })
    });
    SeedBox { name: domain.into(), provider, access: open }
}

pub fn in_dovecot(dovecot: &Dovecot, domain: &str, provider: MailboxProvider) -> SeedBox {
    at(dovecot.imap(), domain, provider, PASSWORD)
}
