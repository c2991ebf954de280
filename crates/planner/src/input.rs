//! What a plan is made from. Everything is given: time, usage, brakes; nothing is looked up.

use postroad_model::ledger::{Book, LedgerError};
use postroad_model::limit::{Keeper, Limit, Window};
use postroad_model::plan::Cohort;
use postroad_model::relay::Relay;
use postroad_model::send_window::SendWindow;
use postroad_model::when::Zone;
use postroad_model::{MailboxProvider, Timestamp};

/// Messages a second that a relay is expected to take where no limit says less.
pub const DEFAULT_RATE: u32 = 50;

/// Millionths of a message a second: rates of a few an hour must not round to nothing.
pub(crate) const MICRO: i64 = 1_000_000;

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The pool is empty.
    #[error("pool {0} has no relay: add one to it in the configuration")]
    NoRelays(String),
    /// A relay names an account that was not given.
    #[error(
        "relay {relay} draws on {account}, of which no limits were given (a fault of the program)"
    )]
    UnknownAccount {
        /// The relay.
        relay: String,
        /// Its scope.
        account: String,
    },
    /// The start has passed the latest start.
    #[error(
        "the campaign would start at {start}, after its latest start {latest}: schedule it earlier or move latest_start"
    )]
    StartsTooLate {
        /// When it would start.
        start: String,
        /// The bound.
        latest: String,
    },
    /// It expires before it starts.
    #[error("the campaign expires at {expires}, before it can start at {start}: move expires_at")]
    ExpiresBeforeStart {
        /// When it would start.
        start: String,
        /// When it expires.
        expires: String,
    },
    /// A cohort counts less than nothing.
    #[error("a cohort of {0} counts less than nothing (a fault of the program)")]
    NegativeCount(MailboxProvider),
    /// A limit that cannot be kept.
    #[error("limit {limit} of {account} cannot be planned with")]
    Limit {
        /// The scope.
        account: String,
        /// The limit's name.
        limit: String,
        /// Why.
        #[source]
        source: LedgerError,
    },
}

/// One relay of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRelay {
    /// Its name.
    pub name: String,
    /// The scope of its limits (`Relay::limit_scope`).
    pub account: String,
    /// Messages a second where no limit says less.
    pub rate: u32,
}

impl From<&Relay> for PlanRelay {
    fn from(relay: &Relay) -> Self {
        Self { name: relay.name.clone(), account: relay.limit_scope(), rate: DEFAULT_RATE }
    }
}

/// One scope of limits with what is used of them now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The scope (`Relay::limit_scope`).
    pub name: String,
    /// Each limit, reserve taken off, with its book; a new book where nothing is used. Limits that the pacer keeps
    /// only bound the rate, their books are not looked at.
    pub limits: Vec<(Limit, Book)>,
}

impl Account {
    /// What the pacer's limits let through, in millionths of a message a second.
    pub(crate) fn pace(&self) -> Option<i64> {
        let pace = |limit: &Limit| match (limit.keeper, &limit.window) {
            (Keeper::Pacer, Window::Rolling { ms }) => {
                Some(limit.amount.max(0).saturating_mul(MICRO).saturating_mul(1000) / ms.max(&1))
            }
            (Keeper::Pacer | Keeper::Ledger, _) => None,
        };
        self.limits.iter().filter_map(|(limit, _)| pace(limit)).min()
    }
}

/// What a brake does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrakeForce {
    /// Nothing is sent.
    Stop,
    /// At most this many an hour.
    PerHour(i64),
}

/// A brake as it stands in the store: on a relay, a mailbox provider, both or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Only this relay.
    pub relay: Option<String>,
    /// Only this mailbox provider.
    pub provider: Option<MailboxProvider>,
    /// How hard.
    pub force: BrakeForce,
    /// It ends by itself then; `None`: when somebody takes it off.
    pub until: Option<Timestamp>,
}

impl Brake {
    pub(crate) fn holds(&self, t: Timestamp) -> bool {
        self.until.is_none_or(|until| t < until)
    }

    fn covers(&self, relay: &str, provider: MailboxProvider) -> bool {
        self.relay.as_deref().is_none_or(|r| r == relay)
            && self.provider.is_none_or(|p| p == provider)
    }
}

/// Everything a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// The time now; nothing is planned before it.
    pub now: Timestamp,
    /// When the campaign starts.
    pub start: Timestamp,
    /// It does not start after this.
    pub latest_start: Option<Timestamp>,
    /// Nothing is sent from here on.
    pub expires_at: Option<Timestamp>,
    /// When it may send; `None`: always.
    pub window: Option<SendWindow>,
    /// Zone of the forecast's dates.
    pub zone: Zone,
    /// The pool's name.
    pub pool: String,
    /// Recipients by mailbox provider.
    pub cohorts: Vec<Cohort>,
    /// The pool's relays.
    pub relays: Vec<PlanRelay>,
    /// The accounts that they draw on.
    pub accounts: Vec<Account>,
    /// The brakes that hold now.
    pub brakes: Vec<Brake>,
}

impl PlanInput {
    /// Size of the audience.
    #[must_use]
    pub fn people(&self) -> i64 {
        self.cohorts.iter().map(|c| c.count).sum()
    }

    /// The first instant at which anything may be sent.
    #[must_use]
    pub fn begin(&self) -> Timestamp {
        self.now.max(self.start)
    }

    /// As [`Self::begin`], moved to where the send window is open.
    pub(crate) fn first_opening(&self) -> Timestamp {
        let begin = self.begin();
        self.window.as_ref().and_then(|w| w.next_open(begin)).unwrap_or(begin)
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let begin = self.begin();
        if self.relays.is_empty() {
            return Err(Error::NoRelays(self.pool.clone()));
        }
        for relay in &self.relays {
            if !self.accounts.iter().any(|a| a.name == relay.account) {
                let (relay, account) = (relay.name.clone(), relay.account.clone());
                return Err(Error::UnknownAccount { relay, account });
            }
        }
        if let Some(cohort) = self.cohorts.iter().find(|c| c.count < 0) {
            return Err(Error::NegativeCount(cohort.provider));
        }
        let long = |t| self.zone.long(t);
        if let Some(latest) = self.latest_start.filter(|latest| begin > *latest) {
            return Err(Error::StartsTooLate { start: long(begin), latest: long(latest) });
        }
        if let Some(expires) = self.expires_at.filter(|expires| begin >= *expires) {
            return Err(Error::ExpiresBeforeStart { start: long(begin), expires: long(expires) });
        }
        Ok(())
    }

    /// What a relay sends where only brakes bind, in millionths of a message a second.
    pub(crate) fn relay_rate(&self, relay: &PlanRelay, t: Timestamp) -> i64 {
        let mut rate = i64::from(relay.rate) * MICRO;
        for brake in self.brakes.iter().filter(|b| b.holds(t) && b.provider.is_none()) {
            if brake.relay.as_ref().is_none_or(|name| *name == relay.name) {
                rate = rate.min(brake.micro_per_second());
            }
        }
        rate
    }

    /// What one mailbox provider may be sent, in millionths of a message a second; `None`: no bound.
    pub(crate) fn provider_rate(&self, provider: MailboxProvider, t: Timestamp) -> Option<i64> {
        let stopped = |relay: &PlanRelay| {
            self.brakes.iter().any(|b| {
                b.holds(t) && b.force == BrakeForce::Stop && b.covers(&relay.name, provider)
            })
        };
        if self.relays.iter().all(stopped) {
            return Some(0);
        }
        let everywhere = |b: &&Brake| b.relay.is_none() && b.provider == Some(provider);
        self.brakes
            .iter()
            .filter(|b| b.holds(t))
            .filter(everywhere)
            .map(Brake::micro_per_second)
            .min()
    }
}

impl Brake {
    pub(crate) fn micro_per_second(&self) -> i64 {
        match self.force {
            BrakeForce::Stop => 0,
            BrakeForce::PerHour(n) => n.max(0).saturating_mul(MICRO) / 3600,
        }
    }
}
