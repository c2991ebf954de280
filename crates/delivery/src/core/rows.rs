//! Rows that come into the core and go back from it without having been offered.
//!
//! Called by `core` and `drive`. What is put back here was never written to a connection: its reservation is given
//! back, and no try is counted.

use super::lane::{Batch, ConnState, Item};
use super::{Action, Core, LaneNo, Wait};
use crate::compose::{ComposeFailure, Composed};
use postroad_model::delivery::Detail;
use postroad_model::{CampaignId, DeliveryId, LeaseToken, MailboxProvider, Timestamp};
use postroad_store::{Blocked, Claim, Idle, LeaseAnswer, LedgerAct, Settled, Was};
use std::sync::Arc;

impl Core {
    pub(super) fn on_leased(
        &mut self,
        now: Timestamp,
        no: LaneNo,
        token: LeaseToken,
        answer: LeaseAnswer,
    ) {
        let poll = now.plus(self.policy.poll);
        let lane = &mut self.lanes[no.0];
        lane.leasing = false;
        // What began while the lease was under way goes before its answer.
        let held = lane.is_held(now);
        match answer.idle {
            Idle::No => {}
            Idle::Quota { until } => lane.hold(until, Wait::Quota(until)),
            Idle::Paused { until } => {
                lane.hold(until.min(poll.plus_ms(1_000)), Wait::Paused(until));
            }
            Idle::NoRows { .. } if held => {}
            Idle::NoRows { next } => {
                lane.lease_wait = (next.map_or(poll, |t| t.min(poll)), Wait::NoRows(next));
            }
            Idle::Lost => {
                self.lose(now, no);
                return;
            }
        }
        if answer.rows.is_empty() {
            if answer.idle == Idle::No {
                lane.hold(now.plus_ms(50), Wait::Working);
            }
            return;
        }
        if !held {
            lane.lease_wait = (now, Wait::Working);
        }
        let batch = Arc::new(Batch {
            token,
            reserved: answer.reserved,
            use_by: answer.use_by,
            probe: answer.probe,
        });
        for leased in &answer.rows {
            let (relay, epoch) = (lane.settings.id, lane.settings.epoch);
            let claim = Claim::of(leased, relay, epoch, batch.token);
            let item = Item {
                leased: leased.clone(),
                claim,
                batch: batch.clone(),
                mail_from: String::new(),
                content_hash: 0,
                date: now,
                composed: None,
                offered_at: None,
            };
            lane.composing.insert(leased.id, item);
        }
        self.out.push(Action::Compose { lane: no, rows: answer.rows });
    }

    pub(super) fn on_composed(
        &mut self,
        now: Timestamp,
        no: LaneNo,
        rows: Vec<(DeliveryId, Result<Composed, ComposeFailure>)>,
    ) {
        for (id, result) in rows {
            let Some(mut item) = self.lanes[no.0].composing.remove(&id) else { continue };
            match result {
                Ok(composed) => {
                    let first = item.leased.bound.as_ref().and_then(|b| b.content_hash);
                    if first.is_some_and(|hash| hash != composed.content_hash) {
                        self.fail(&item, Detail::Changed, "differs from the first copy".into());
                        continue;
                    }
                    item.mail_from.clone_from(&composed.mail_from);
                    item.content_hash = composed.content_hash;
                    item.date = composed.date;
                    item.composed = Some(composed);
                    let lane = &self.lanes[no.0];
                    if self.draining || lane.lost || lane.is_held(now) {
                        self.put_back(now, &item, 0);
                    } else {
                        self.lanes[no.0].ready.push_back(item);
                    }
                }
                Err(ComposeFailure::Row { detail, text }) => self.fail(&item, detail, text),
                Err(ComposeFailure::NotThisRelay(text)) => {
                    self.unreserve(&item);
                    let settled =
                        Settled::PutBack { until: now.plus_ms(60_000), blocked: Blocked::Yes };
                    self.settle(&item, settled, None, Some("compose"), Some(text), Was::Leased);
                }
                Err(ComposeFailure::Later(text)) => {
                    tracing::warn!(row = %id, reason = %text, "cannot compose now");
                    self.put_back(now, &item, 10_000);
                }
            }
        }
    }

    fn fail(&mut self, item: &Item, detail: Detail, text: String) {
        self.unreserve(item);
        self.settle(item, Settled::Failed(detail), None, Some("compose"), Some(text), Was::Leased);
    }

    /// Gives the quota of a row back that was never offered.
    fn unreserve(&mut self, item: &Item) {
        if item.batch.reserved.is_empty() {
            return;
        }
        let Some(no) = self.lane_no(item) else { return };
        let scope = self.lanes[no.0].scope.clone();
        let act = LedgerAct::Release { reserved: item.batch.reserved.clone(), n: 1 };
        self.out.push(Action::Ledger { scope, act });
    }

    fn put_back(&mut self, now: Timestamp, item: &Item, wait_ms: i64) {
        self.unreserve(item);
        let settled = Settled::PutBack { until: now.plus_ms(wait_ms), blocked: Blocked::No };
        self.settle(item, settled, None, None, None, Was::Leased);
    }

    fn put_back_where(&mut self, now: Timestamp, no: LaneNo, goes: impl Fn(&Item) -> bool) {
        let ready = std::mem::take(&mut self.lanes[no.0].ready);
        for item in ready {
            if goes(&item) {
                self.put_back(now, &item, 0);
            } else {
                self.lanes[no.0].ready.push_back(item);
            }
        }
    }

    pub(super) fn put_back_ready(&mut self, now: Timestamp, no: LaneNo) {
        self.put_back_where(now, no, |_| true);
    }

    pub(super) fn put_back_lapsed(&mut self, now: Timestamp, no: LaneNo) {
        let lapsed = |i: &Item| i.batch.use_by.is_some_and(|t| now >= t);
        if self.lanes[no.0].ready.iter().any(lapsed) {
            self.put_back_where(now, no, lapsed);
        }
    }

    pub(super) fn put_back_provider(
        &mut self,
        now: Timestamp,
        no: LaneNo,
        provider: MailboxProvider,
    ) {
        self.put_back_where(now, no, |i| i.leased.provider == provider);
    }

    pub(super) fn put_back_scope(&mut self, now: Timestamp, scope: &str) {
        for no in 0..self.lanes.len() {
            if self.lanes[no].scope == scope {
                self.put_back_ready(now, LaneNo(no));
            }
        }
    }

    pub(super) fn on_stopped(&mut self, now: Timestamp, campaign: CampaignId) {
        for no in 0..self.lanes.len() {
            self.put_back_where(now, LaneNo(no), |i| i.claim.campaign == campaign);
        }
    }

    pub(super) fn on_pause(&mut self, now: Timestamp, no: LaneNo, until: Option<Timestamp>) {
        match until {
            Some(until) if until > now => {
                self.lanes[no.0].hold(until, Wait::Paused(until));
                self.put_back_ready(now, no);
            }
            Some(_) | None => {
                let lane = &mut self.lanes[no.0];
                if let Wait::Paused(_) = lane.lease_wait.1 {
                    lane.lease_wait = (now, Wait::Working);
                    lane.open_wait = now;
                    lane.pause_count = 0;
                }
            }
        }
    }

    /// The lane is another node's: nothing of it may be sent; its rows were settled by whoever took it.
    pub(super) fn lose(&mut self, now: Timestamp, no: LaneNo) {
        self.lanes[no.0].lost = true;
        self.put_back_ready(now, no);
        self.quit_idle(no);
    }

    pub(super) fn drain(&mut self, now: Timestamp) {
        self.draining = true;
        for no in 0..self.lanes.len() {
            self.put_back_ready(now, LaneNo(no));
            self.quit_idle(LaneNo(no));
        }
    }

    pub(super) fn quit_idle(&mut self, no: LaneNo) {
        let idle: Vec<_> = self.lanes[no.0]
            .conns
            .iter()
            .filter(|(_, c)| matches!(c.state, ConnState::Idle(_) | ConnState::Opening))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in idle {
            self.tell_quit(conn);
        }
    }
}
