//! One lane inside the core: its rows in memory, its connections, its waits.
//!
//! Called by `core` only. The rows pass from leased over composing and ready to a connection. What must always
//! hold: a lane holds at most what it can put on the wire in the next seconds, and a row is in one place.

use super::{Connections, LaneSettings, Wait};
use crate::compose::Composed;
use crate::wire::{Body, ConnId, Outgoing};
use postroad_model::delivery::Leased;
use postroad_model::limit::Keeper;
use postroad_model::{DeliveryId, LeaseToken, MailboxProvider, Timestamp};
use postroad_store::{Claim, MAX_BATCH, Reserved, Settled};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// What W1 gave a batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) token: LeaseToken,
    pub(super) reserved: Vec<Reserved>,
    pub(super) use_by: Option<Timestamp>,
    pub(super) probe: bool,
}

/// A row in the core's hands.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) leased: Leased,
    pub(super) claim: Claim,
    pub(super) batch: Arc<Batch>,
    pub(super) mail_from: String,
    pub(super) content_hash: i64,
    pub(super) date: Timestamp,
    pub(super) composed: Option<Composed>,
    /// When its envelope was given to a connection.
    pub(super) offered_at: Option<Timestamp>,
}

impl Item {
    /// The wire form of a row. Its message moves out: it is needed no more here.
    pub(super) fn outgoing(&mut self) -> Box<Outgoing> {
        let composed = self.composed.take();
        let needs_smtputf8 = composed.as_ref().is_some_and(|c| c.needs_smtputf8)
            || self.leased.address.needs_smtputf8();
        let (message, envid) =
            composed.map_or((Vec::new(), None), |c| (c.message, Some(c.envelope_id)));
        Box::new(Outgoing {
            id: self.leased.id,
            mail_from: self.mail_from.clone(),
            rcpt: self.leased.address.to_string(),
            size: message.len() as u64,
            body: Body::stuffed(message),
            needs_smtputf8,
            use_by: self.batch.use_by,
            envid,
            orcpt: Some(self.leased.address.to_string()),
        })
    }
}

/// What a connection is doing.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per connection; a box per message would cost more"
)]
pub(super) enum ConnState {
    /// Connecting, encrypting, logging in.
    Opening,
    /// Nothing on it since then.
    Idle(Timestamp),
    /// An envelope is on its way.
    Offered(Item),
    /// 354 was read, W2 asked for.
    Held(Item),
    /// The dot is on its way, maybe with the next envelope behind it.
    Dotted(Item, Option<Item>),
    /// It was told to close.
    Closing,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) state: ConnState,
    /// Messages offered on it.
    pub(super) sent: u32,
}

/// A row that waits for W2's answer without a connection.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) item: Item,
    pub(super) settled: Settled,
    pub(super) reply: Option<postroad_model::Reply>,
    pub(super) phase: &'static str,
    pub(super) rule: Option<String>,
}

/// Recent policy blocks at one provider: recipient domains with the time.
pub(super) type Blocks = HashMap<MailboxProvider, Vec<(String, Timestamp)>>;

pub(super) struct Lane {
    pub(super) settings: LaneSettings,
    pub(super) scope: String,
    pub(super) ready: VecDeque<Item>,
    pub(super) composing: BTreeMap<DeliveryId, Item>,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) leasing: bool,
    pub(super) lost: bool,
    /// No lease before this, and why.
    pub(super) lease_wait: (Timestamp, Wait),
    /// The relay said that its quota is used up until then.
    pub(super) full_until: Timestamp,
    /// No new connection before this.
    pub(super) open_wait: Timestamp,
    pub(super) open_failures: u32,
    pub(super) pause_count: i64,
    pub(super) turn: u64,
    /// `None` until a connection told what the relay offers.
    pub(super) smtputf8: Option<bool>,
    pub(super) blocks: Blocks,
    /// Answers per second, smoothed, and what it is made of.
    pub(super) rate: f64,
    pub(super) answered: u32,
    pub(super) rate_at: Timestamp,
    /// The pacer lets nothing through before this.
    pub(super) pace_wait: Timestamp,
}

impl Lane {
    pub(super) fn new(settings: LaneSettings, scope: String, now: Timestamp) -> Self {
        let pause = settings.pause.as_ref().filter(|p| p.until > now);
        let lease_wait = pause.map_or((now, Wait::Working), |p| (p.until, Wait::Paused(p.until)));
        let pause_count = settings.pause.as_ref().map_or(0, |p| p.count);
        Self {
            settings,
            scope,
            ready: VecDeque::new(),
            composing: BTreeMap::new(),
            conns: BTreeMap::new(),
            leasing: false,
            lost: false,
            lease_wait,
            full_until: now,
            open_wait: now,
            open_failures: 0,
            pause_count,
            turn: 0,
            smtputf8: None,
            blocks: HashMap::new(),
            rate: 0.0,
            answered: 0,
            rate_at: now,
            pace_wait: now,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.composing.is_empty() && !self.leasing
    }

    pub(super) fn connections(&self) -> Connections {
        let mut all = Connections::default();
        for conn in self.conns.values() {
            match conn.state {
                ConnState::Opening => all.opening += 1,
                ConnState::Idle(_) => all.idle += 1,
                ConnState::Offered(_)
                | ConnState::Held(_)
                | ConnState::Dotted(_, _)
                | ConnState::Closing => all.busy += 1,
            }
        }
        all
    }

    pub(super) fn max_connections(&self) -> usize {
        self.settings.relay.connections.max_connections.max(1) as usize
    }

    /// How many rows the lane should have in hand: what it can send in `ahead_ms`, by its measured rate.
    pub(super) fn depth(&self, ahead_ms: i64, paced: Option<f64>) -> i64 {
        let ahead = ahead_ms as f64 / 1_000.0;
        let measured = (self.rate * ahead) as i64;
        let least = 2 * self.max_connections() as i64;
        let wanted = measured.max(least);
        let wanted = paced.map_or(wanted, |per_second| wanted.min((per_second * ahead) as i64 + 1));
        wanted.min(self.ledger_share()).clamp(1, 2 * MAX_BATCH)
    }

    /// What a crash may cost: the fiftieth part of the smallest ledger limit, at least one row.
    fn ledger_share(&self) -> i64 {
        let limits = self.settings.relay.limits.iter().filter(|l| l.keeper == Keeper::Ledger);
        limits.map(|l| (l.amount / 50).max(1)).min().unwrap_or(i64::MAX)
    }

    pub(super) fn in_hand(&self) -> i64 {
        (self.ready.len() + self.composing.len()) as i64
    }

    /// Counts an answer and smooths the rate over seconds.
    pub(super) fn count_answer(&mut self, now: Timestamp) {
        self.answered += 1;
        let ms = now.since_ms(self.rate_at);
        if ms >= 200 {
            let current = f64::from(self.answered) * 1_000.0 / ms as f64;
            self.rate = if self.rate == 0.0 { current } else { 0.6 * self.rate + 0.4 * current };
            self.answered = 0;
            self.rate_at = now;
        }
    }

    pub(super) fn lease_failed(&mut self, now: Timestamp) {
        self.leasing = false;
        self.hold(now.plus_ms(1_000), Wait::Working);
    }

    pub(super) fn nudge(&mut self, now: Timestamp) {
        if let Wait::NoRows(_) = self.lease_wait.1 {
            self.lease_wait = (now, Wait::Working);
        }
    }

    /// A pause or the relay's word that a quota is used up stops what is leased already. Our own count does not: those
    /// rows have their part of it.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        let paused = now < self.lease_wait.0 && matches!(self.lease_wait.1, Wait::Paused(_));
        paused || now < self.full_until
    }

    /// Envelopes whose RCPT may be unanswered.
    pub(super) fn in_flight(&self) -> usize {
        let flies =
            |c: &&Conn| matches!(c.state, ConnState::Offered(_) | ConnState::Dotted(_, Some(_)));
        self.conns.values().filter(flies).count()
    }

    /// Waits at least until then, for that reason.
    pub(super) fn hold(&mut self, until: Timestamp, wait: Wait) {
        if until >= self.lease_wait.0 {
            self.lease_wait = (until, wait);
        }
    }

    pub(super) fn wait(&self) -> Wait {
        if self.lost {
            return Wait::Lost;
        }
        let idle = self.in_hand() == 0
            && self
                .conns
                .values()
                .all(|c| matches!(c.state, ConnState::Idle(_) | ConnState::Closing));
        if idle { self.lease_wait.1 } else { Wait::Working }
    }
}
