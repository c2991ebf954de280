//! What a history is made of: the faults and acts between stretches of time.

use crate::script::{Later, Trouble};
use crate::sim::Sim;
use postroad_delivery::core::Input;
use postroad_model::campaign::CampaignAct;
use postroad_model::delivery::DeliveryState;
use postroad_model::reply::Phase;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{Reply, Timestamp};
use postroad_store::{Ending, LanePause, Reopening};
use std::time::Duration;

/// One act. Relays and people are named by their place in the scene.
#[derive(Debug, Clone)]
pub enum Op {
    AdvanceTime(Duration),
    RelayTroubles(usize, Vec<Trouble>),
    /// The relay's replies take up to this long.
    SlowReply(usize, i64),
    RelayGreylists(usize, Greylisting),
    RelayHangsUp(usize, Option<Reply>),
    /// The account takes so many more messages, whatever we count.
    RelayQuota(usize, Option<u32>),
    /// One command at a time from now on.
    RelayLockStep(usize),
    Crash {
        restart_ms: i64,
    },
    /// SIGTERM, and another start once the engine has come to its end.
    Restart,
    /// The process stands still; beyond its lease another node takes the lanes for a while.
    LeaseLost {
        frozen_ms: i64,
        other_holds_ms: i64,
    },
    Suppress(usize),
    Pause,
    Resume,
    Cancel,
    PauseLane(usize, Duration),
    ResumeLane(usize),
    StoreAway(Duration),
    /// Each n-th commit happens, and its answer is lost.
    AnswersLost(Option<u64>),
    Nudge,
    /// `on_unknown = resend`, at once.
    ResendUnknown,
}

/// Whether a relay greylists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greylisting {
    On,
    Off,
}

/// Shorthand for a relay's answer.
pub fn says(code: u16, text: &str) -> Reply {
    Reply::new(code, text)
}

/// Shorthand for an answer at a phase.
pub fn refuse(phase: Phase, code: u16, text: &str) -> Trouble {
    Trouble::Refuse(phase, says(code, text))
}

impl Sim {
    pub async fn play(&mut self, ops: &[Op]) {
        for op in ops {
            self.apply(op).await;
            self.oracle.judge_sums(&self.scene).await;
        }
    }

    async fn apply(&mut self, op: &Op) {
        let (store, now) = (self.scene.store.clone(), self.now());
        match op {
            Op::AdvanceTime(by) => self.run_for(*by).await,
            Op::RelayTroubles(at, troubles) => {
                self.relays.relays[*at].1.troubles.extend(troubles.iter().cloned());
            }
            Op::SlowReply(at, ms) => self.relays.relays[*at].1.reply_ms = *ms,
            Op::RelayGreylists(at, how) => {
                self.relays.relays[*at].1.greylists = *how == Greylisting::On;
            }
            Op::RelayHangsUp(at, reply) => {
                let later: Vec<Later> = self.relays.hang_up(*at, reply.as_ref());
                self.later(later);
            }
            Op::RelayQuota(at, left) => self.relays.relays[*at].1.quota_left = *left,
            Op::RelayLockStep(at) => self.relays.relays[*at].1.lock_step = true,
            Op::Crash { restart_ms } => self.crash(*restart_ms),
            Op::Restart => {
                self.drain().await;
                self.restart().await;
            }
            Op::LeaseLost { frozen_ms, other_holds_ms } => self.freeze(*frozen_ms, *other_holds_ms),
            Op::Suppress(at) => self.suppress(*at).await,
            Op::Pause => self.campaign(&CampaignAct::Pause).await,
            Op::Resume => self.campaign(&CampaignAct::Resume).await,
            Op::Cancel => self.campaign(&CampaignAct::Cancel).await,
            Op::PauseLane(at, by) => {
                let pause = LanePause {
                    until: now.plus(*by),
                    reason: "asked".into(),
                    by: "operator".into(),
                    count: 0,
                };
                store.pause_lane(self.scene.relays[*at].0, &pause).await.unwrap();
            }
            Op::ResumeLane(at) => {
                store.resume_lane(self.scene.relays[*at].0).await.unwrap();
                self.oracle.resumed(*at);
            }
            Op::StoreAway(by) => self.away_until = self.away_until.max(now.plus(*by)),
            Op::AnswersLost(n) => self.lose_answers = *n,
            Op::ResendUnknown => self.resend_unknown().await,
            Op::Nudge => self.ours(0, crate::sim::Ours::Tell(vec![Input::Nudge])),
        }
    }

    async fn suppress(&mut self, at: usize) {
        let address = self.scene.audience[at % self.scene.audience.len()].clone();
        let new = NewSuppression {
            address: address.clone(),
            scope: SuppressionScope::All,
            reason: SuppressionReason::Manual,
            origin: "simulation".into(),
            at: self.now(),
        };
        self.scene.store.suppress(&new).await.unwrap();
        self.oracle.suppressed(&address.to_string());
    }

    async fn resend_unknown(&mut self) {
        let (store, id, now) = (self.scene.store.clone(), self.scene.campaign, self.now());
        let stored = store.campaign_by_id(id).await.unwrap();
        if stored.campaign.state.runs() {
            self.oracle.before_resend(&store).await;
            let policy = Reopening::Policy { copies: 2 };
            let states = [DeliveryState::Unknown];
            store.reopen_rows(id, &states, now, policy, now).await.unwrap();
        }
    }

    /// An act that the campaign's state does not allow changes nothing.
    async fn campaign(&mut self, act: &CampaignAct) {
        let (store, now) = (self.scene.store.clone(), self.now());
        let done = store.apply_campaign_act(self.scene.campaign, act, now).await;
        if done.is_ok() && *act == CampaignAct::Resume {
            self.ours(0, crate::sim::Ours::Tell(vec![Input::Nudge]));
        }
    }

    /// All is well from now on.
    pub async fn heal(&mut self) {
        for (_, script) in &mut self.relays.relays {
            script.troubles.clear();
            (script.greylists, script.reply_ms, script.quota_left) = (false, 40, None);
        }
        self.lose_answers = None;
        for at in 0..self.scene.relays.len() {
            self.scene.store.resume_lane(self.scene.relays[at].0).await.unwrap();
            self.oracle.resumed(at);
        }
        self.campaign(&CampaignAct::Resume).await;
    }

    pub async fn open_rows(&self) -> i64 {
        let rows = self.oracle.judge_sums(&self.scene).await;
        rows.iter().filter(|(s, _)| s.is_open()).map(|(_, n)| n).sum()
    }

    /// What the campaign's supervisor does with rows that still wait under a campaign that is over.
    async fn end_rows(&self) {
        let (store, id, now) = (&self.scene.store, self.scene.campaign, self.now());
        let stored = store.campaign_by_id(id).await.unwrap();
        let ending = match stored.campaign.state.name() {
            "cancelled" => Ending::Cancelled,
            _ if stored.expires_at.is_some_and(|t| t <= now) => Ending::Expired,
            _ => return,
        };
        while store.end_rows(id, ending, now).await.unwrap() > 0 {}
    }

    /// Heals, waits until nothing is left to send, drains, and judges everything.
    pub async fn finish(&mut self, within: Duration) {
        self.heal().await;
        let until = self.now().plus(within);
        while self.open_rows().await > 0 {
            self.end_rows().await;
            let (seed, waits) = (self.settings.seed, self.process.core.waits());
            assert!(self.now() < until, "seed {seed}: rows still wait, {waits:?}");
            let slice = if self.now().plus_ms(600_000) < until { 600 } else { 60 };
            self.run_for(Duration::from_secs(slice)).await;
        }
        self.drain().await;
        // What is on its way arrives.
        self.run_for(Duration::from_secs(120)).await;
        self.judge().await;
    }

    /// The engine stops as on SIGTERM: it must come to its end.
    pub async fn drain(&mut self) {
        // A process that was killed is started first.
        while self.process.is_dead() {
            self.run_for(Duration::from_secs(1)).await;
        }
        self.ours(0, crate::sim::Ours::Tell(vec![Input::Drain]));
        let until = self.now().plus(Duration::from_secs(7_200));
        loop {
            self.run_for(Duration::from_secs(1)).await;
            if self.is_quiet() {
                break;
            }
            let (seed, left) = (self.settings.seed, self.process.what_is_left());
            assert!(self.now() < until, "seed {seed}: the engine does not end: {left}");
        }
    }

    pub async fn judge(&mut self) {
        let now: Timestamp = self.now();
        self.oracle.judge_quotas();
        self.oracle.judge_sums(&self.scene).await;
        self.oracle.judge_rows(&self.scene.store).await;
        self.oracle.judge_books(&self.scene.store, now).await;
    }

    pub async fn count(&self, state: DeliveryState) -> i64 {
        self.oracle.judge_sums(&self.scene).await.get(&state).copied().unwrap_or(0)
    }
}
