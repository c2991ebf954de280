//! The oracle: what must hold in every history. The relays' own record says what was sent, the rows what we believe.

use crate::relays::Dot;
use crate::scene::Scene;
use crate::script::Arrival;
use postroad_delivery::committer::Committed;
use postroad_delivery::core::Input;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::ledger::{sub_ms, sub_windows};
use postroad_model::limit::{Limit, Window};
use postroad_model::{DeliveryId, LeaseToken, Reply, Timestamp};
use postroad_store::{Intent, LeaseAnswer, LeaseRequest, LedgerAct, Reserved, Settled, Store};
use std::collections::{BTreeMap, BTreeSet};

type Lease = (DeliveryId, LeaseToken);

/// The account of one quota group at its operator.
#[derive(Default)]
pub struct Account {
    pub limits: Vec<Limit>,
    /// When each RCPT reached it.
    pub rcpts: Vec<Timestamp>,
    /// When each message was taken.
    pub taken: Vec<Timestamp>,
}

pub struct Oracle {
    pub seed: u64,
    pub accounts: BTreeMap<String, Account>,
    scopes: Vec<String>,
    audience: i64,
    /// How many copies the relays took, by address.
    copies: BTreeMap<String, usize>,
    rows: BTreeMap<DeliveryId, String>,
    tokens: BTreeMap<DeliveryId, LeaseToken>,
    reserved: BTreeMap<LeaseToken, Vec<Reserved>>,
    /// What the books should hold: by limit and slot.
    books: BTreeMap<(i64, i64), i64>,
    intents: BTreeMap<Lease, String>,
    granted: BTreeSet<Lease>,
    /// Rows with a dot written and no answer settled.
    dots: BTreeSet<DeliveryId>,
    bound: BTreeMap<DeliveryId, String>,
    suppressed: BTreeSet<String>,
    /// By relay: it asked for a pause until then.
    paused_until: BTreeMap<usize, Timestamp>,
    /// Further copies that the operator allowed.
    resends: BTreeMap<String, usize>,
    /// Reservations may be lost: a process died, or a lane changed hands.
    pub leaks: bool,
}

impl Oracle {
    pub fn new(scene: &Scene, seed: u64) -> Self {
        let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
        for (_, relay) in &scene.relays {
            accounts.entry(relay.limit_scope()).or_default().limits.clone_from(&relay.limits);
        }
        Self {
            seed,
            accounts,
            scopes: scene.relays.iter().map(|(_, r)| r.limit_scope()).collect(),
            audience: i64::try_from(scene.audience.len()).unwrap(),
            copies: BTreeMap::new(),
            rows: BTreeMap::new(),
            tokens: BTreeMap::new(),
            reserved: BTreeMap::new(),
            books: BTreeMap::new(),
            intents: BTreeMap::new(),
            granted: BTreeSet::new(),
            dots: BTreeSet::new(),
            bound: BTreeMap::new(),
            suppressed: BTreeSet::new(),
            resends: BTreeMap::new(),
            paused_until: BTreeMap::new(),
            leaks: false,
        }
    }

    /// Something reached a relay.
    pub fn arrived(&mut self, now: Timestamp, arrival: Arrival) {
        match arrival {
            Arrival::Rcpt { relay } => {
                self.accounts.get_mut(&self.scopes[relay]).unwrap().rcpts.push(now);
            }
            Arrival::Message { relay, address } => {
                self.accounts.get_mut(&self.scopes[relay]).unwrap().taken.push(now);
                let copies = self.copies.entry(address.clone()).or_default();
                *copies += 1;
                let allowed = 1 + self.resends.get(&address).copied().unwrap_or(0);
                assert!(*copies <= allowed, "seed {}: {address} has {copies} copies", self.seed);
            }
        }
    }

    pub fn leased(&mut self, request: &LeaseRequest, answer: &LeaseAnswer) {
        self.reserved.insert(request.token, answer.reserved.clone());
        for row in &answer.rows {
            let address = row.address.to_string();
            assert!(
                !self.suppressed.contains(&address),
                "seed {}: {address} was leased after it was suppressed",
                self.seed
            );
            self.rows.insert(row.id, address);
            self.tokens.insert(row.id, request.token);
        }
    }

    /// An envelope was written: its reservation is spent.
    pub fn enveloped(&mut self, id: DeliveryId, address: &str, mail_from: &str) {
        let seed = self.seed;
        assert_eq!(self.rows.get(&id).map(String::as_str), Some(address), "seed {seed}");
        if let Some(bound) = self.bound.get(&id) {
            assert_eq!(mail_from, bound, "seed {seed}: MAIL FROM of {address} changed");
        }
        let token = self.tokens[&id];
        for r in &self.reserved[&token] {
            *self.books.entry((r.limit.0, r.reservation.slot)).or_default() += 1;
        }
    }

    /// An RCPT was answered after its sub-window: it counts again in the later ones.
    pub fn booked(&mut self, act: &LedgerAct) {
        if let LedgerAct::Late { reserved, replied_at, n } = act {
            for r in reserved {
                let Some(ms) = self.window_of(r) else { continue };
                for slot in r.reservation.slot + 1..=replied_at.0.div_euclid(sub_ms(ms)) {
                    *self.books.entry((r.limit.0, slot)).or_default() += n;
                }
            }
        }
    }

    /// The length of a sub-window follows from `use_by`, which lies at its end: only one window fits.
    fn window_of(&self, reserved: &Reserved) -> Option<i64> {
        let fits = |ms: &i64| {
            let sub = sub_ms(*ms);
            let end = (reserved.reservation.slot + 1) * sub;
            (0..=60_000).contains(&(end - reserved.reservation.use_by.0))
        };
        let limits = self.accounts.values().flat_map(|a| &a.limits);
        limits.filter_map(rolling).find(fits)
    }

    pub fn intended(&mut self, intent: &Intent) {
        self.intents.insert((intent.claim.id, intent.claim.token), intent.mail_from.clone());
    }

    pub fn committed(&mut self, done: &Committed) {
        for input in &done.inputs {
            if let Input::Granted { permit, id } = input {
                let lease = (*id, permit.token());
                let address = &self.rows[id];
                assert!(
                    !self.suppressed.contains(address),
                    "seed {}: W2 was granted to {address} after it was suppressed",
                    self.seed
                );
                let mail_from = self.intents[&lease].clone();
                self.bound.entry(*id).or_insert(mail_from);
                self.granted.insert(lease);
            }
        }
        for (settlement, state) in &done.settled {
            let id = settlement.claim.id;
            if let (Settled::Deferred { mail_from, .. }, DeliveryState::Scheduled) =
                (&settlement.settled, state)
            {
                self.bound.entry(id).or_insert_with(|| mail_from.clone());
            }
        }
    }

    /// A dot was written: one durable intent opens one dot.
    pub fn dotted(&mut self, dot: &Dot) {
        let lease = (dot.id, dot.token);
        assert!(
            self.granted.remove(&lease),
            "seed {}: a dot of {} without an intent of its own",
            self.seed,
            dot.address
        );
        self.dots.insert(dot.id);
    }

    /// The engine has read a reply that pauses its lane for 30 s at least.
    pub fn replied(&mut self, now: Timestamp, relay: Option<usize>, reply: &Reply) {
        if let Some(relay) = relay
            && reply.text.contains("too fast")
        {
            self.paused_until.insert(relay, now.plus_ms(30_000));
        }
    }

    pub fn resumed(&mut self, relay: usize) {
        self.paused_until.remove(&relay);
    }

    /// The engine offers a row to a relay.
    pub fn offered(&self, now: Timestamp, relay: Option<usize>) {
        let until = relay.and_then(|relay| self.paused_until.get(&relay));
        let seed = self.seed;
        assert!(until.is_none_or(|t| now >= *t), "seed {seed}: a row was offered during a pause");
    }

    pub fn suppressed(&mut self, address: &str) {
        self.suppressed.insert(address.to_owned());
    }

    /// Rows that are Unknown now may get a second copy.
    pub async fn before_resend(&mut self, store: &Store) {
        let ids: Vec<DeliveryId> = self.rows.keys().copied().collect();
        for (id, (state, _)) in store.look_up(&ids).await.unwrap() {
            if state == DeliveryState::Unknown {
                self.resends.insert(self.rows[&id].clone(), 1);
            }
        }
    }

    /// No window of any limit holds more RCPTs than the limit allows.
    pub fn judge_quotas(&mut self) {
        for (scope, account) in &mut self.accounts {
            account.rcpts.sort_unstable();
            for limit in &account.limits {
                let mut first = 0;
                for (last, at) in account.rcpts.iter().enumerate() {
                    while !same_window(limit, account.rcpts[first], *at) {
                        first += 1;
                    }
                    let n = last - first + 1;
                    assert!(
                        n as i64 <= limit.amount,
                        "seed {}: {n} RCPTs of {scope} in {} up to {at}, limit {}",
                        self.seed,
                        limit.window,
                        limit.amount
                    );
                }
            }
        }
    }

    /// The states sum to the audience, and the counters to the states.
    pub async fn judge_sums(&self, scene: &Scene) -> BTreeMap<DeliveryState, i64> {
        let store = &scene.store;
        let counted = store.count_rows(scene.campaign, Role::Audience).await.unwrap();
        let rows: BTreeMap<DeliveryState, i64> =
            counted.into_iter().filter(|(_, n)| *n != 0).collect();
        let mut counters: BTreeMap<DeliveryState, i64> = BTreeMap::new();
        for count in store.counters(scene.campaign).await.unwrap() {
            if let Some(state) = DeliveryState::from_code(count.code) {
                *counters.entry(state).or_default() += count.n;
            }
        }
        counters.retain(|_, n| *n != 0);
        assert_eq!(rows, counters, "seed {}: rows against counters", self.seed);
        assert_eq!(rows.values().sum::<i64>(), self.audience, "seed {}: rows are lost", self.seed);
        rows
    }

    /// At a quiet end: what we believe is what the relays have.
    pub async fn judge_rows(&self, store: &Store) {
        let ids: Vec<DeliveryId> = self.rows.keys().copied().collect();
        let states = store.look_up(&ids).await.unwrap();
        for (id, (state, _)) in states {
            let address = &self.rows[&id];
            let copies = self.copies.get(address).copied().unwrap_or(0);
            let fits = match state {
                DeliveryState::Accepted => copies >= 1,
                DeliveryState::Unknown => self.dots.contains(&id) || self.leaks,
                DeliveryState::Leased | DeliveryState::Sending => false,
                DeliveryState::Scheduled
                | DeliveryState::Rejected
                | DeliveryState::Suppressed
                | DeliveryState::Expired
                | DeliveryState::Cancelled
                | DeliveryState::Failed
                | DeliveryState::Bounced => {
                    copies <= self.resends.get(address).copied().unwrap_or(0)
                }
            };
            let seed = self.seed;
            assert!(fits, "seed {seed}: {address} is {state:?}, the relays have {copies} copies");
        }
    }

    /// At a quiet end: the ledger holds exactly the RCPTs that were written, or more where a process died.
    pub async fn judge_books(&self, store: &Store, now: Timestamp) {
        for mut entry in store.all_limits().await.unwrap() {
            let Some(ms) = rolling(&entry.limit) else { continue };
            let oldest = now.0.div_euclid(sub_ms(ms)) - sub_windows(ms) - 1;
            let mut held: BTreeMap<i64, i64> = BTreeMap::new();
            for (frees, n) in entry.book.usage(&entry.limit, now).unwrap() {
                held.insert(frees.0 / sub_ms(ms) - sub_windows(ms) - 2, n);
            }
            let mut slots: BTreeSet<i64> = held.keys().copied().collect();
            slots.extend(self.books.keys().filter(|(l, _)| *l == entry.id.0).map(|(_, s)| *s));
            for slot in slots.into_iter().filter(|s| *s >= oldest) {
                let has = held.get(&slot).copied().unwrap_or(0);
                let due = self.books.get(&(entry.id.0, slot)).copied().unwrap_or(0);
                let (seed, scope) = (self.seed, &entry.scope);
                let fits = if self.leaks { has >= due } else { has == due };
                assert!(fits, "seed {seed}: slot {slot} of {scope} holds {has}, written {due}");
            }
        }
    }

    /// How many messages the relays of an account took.
    pub fn taken(&self, scope: &str) -> &[Timestamp] {
        &self.accounts[scope].taken
    }
}

fn rolling(limit: &Limit) -> Option<i64> {
    match &limit.window {
        Window::Rolling { ms } => Some(*ms),
        Window::Calendar { .. } => None,
    }
}

/// Whether one window of the limit holds both moments. Calendar days of these histories are UTC's.
fn same_window(limit: &Limit, first: Timestamp, last: Timestamp) -> bool {
    const DAY_MS: i64 = 86_400_000;
    match rolling(limit) {
        Some(ms) => last < first.plus_ms(ms),
        None => first.0.div_euclid(DAY_MS) == last.0.div_euclid(DAY_MS),
    }
}
