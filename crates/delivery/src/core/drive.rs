//! How a lane is driven on: leases ahead of the wire, opens connections while there is work, offers rows.
//!
//! Called at the end of each step for every lane. Waits are kept per cause (quota or pause, connecting, pacing),
//! so that each has its own end, and the step's wake is the earliest of those that matter.

use super::judge::Effect;
use super::lane::{Conn, ConnState, Item};
use super::{Action, Core, LaneNo, Wait};
use crate::connection::phase_name;
use crate::dial::{DialFault, DialWhat};
use crate::pacer::Pace;
use crate::wire::{Command, ConnId};
use postroad_bounce::classify_reply;
use postroad_model::verdict::Disposition;
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::{LanePause, LedgerAct};

/// A pause that only the operator ends.
const FOR_GOOD_MS: i64 = 100 * 365 * 86_400_000;
/// Blocks at so many recipient domains of one provider within this time stop the relay for it.
const BRAKE_DOMAINS: usize = 3;
const BRAKE_WITHIN_MS: i64 = 10 * 60_000;
const BRAKE_FOR_MS: i64 = 30 * 60_000;
/// The longest that the engine pauses a lane by itself.
const LONGEST_PAUSE_S: i64 = 4 * 3_600;
/// The longest between attempts to connect.
const LONGEST_OPEN_WAIT_MS: i64 = 5 * 60_000;
/// A lane that cannot connect for longer than this gives its rows to others.
const PATIENCE_MS: i64 = 2_000;

impl Core {
    /// Moves one lane on and says when it wants to be looked at again.
    pub(super) fn drive(&mut self, now: Timestamp, no: LaneNo) -> Timestamp {
        let far = now.plus_ms(60_000);
        if self.lanes[no.0].lost {
            // What became idle after the loss ends too.
            self.quit_idle(no);
            return far;
        }
        let mut wake = far;
        if !self.lane_is_ours(now, no) {
            // Ours again is told by an input.
            self.put_back_ready(now, no);
            return self.close_idle(now, no).max(now.plus_ms(1));
        }
        self.put_back_lapsed(now, no);
        wake = wake.min(self.lease(now, no));
        wake = wake.min(self.offer_idle(now, no));
        wake = wake.min(self.open(now, no));
        wake.min(self.close_idle(now, no)).max(now.plus_ms(1))
    }

    fn lane_is_ours(&self, now: Timestamp, no: LaneNo) -> bool {
        let lane = &self.lanes[no.0];
        now.plus(self.policy.lease_margin) < lane.settings.lease_until
    }

    fn lease(&mut self, now: Timestamp, no: LaneNo) -> Timestamp {
        let paced =
            self.pacers.get(&self.lanes[no.0].scope).and_then(crate::pacer::Pacer::per_second);
        let ahead = i64::try_from(self.policy.ahead.as_millis()).unwrap_or(5_000);
        let draining = self.draining;
        let lane = &mut self.lanes[no.0];
        let far = now.plus_ms(60_000);
        if draining || lane.leasing {
            return far;
        }
        if now < lane.lease_wait.0 {
            return lane.lease_wait.0;
        }
        let depth = lane.depth(ahead, paced);
        let in_hand = lane.in_hand();
        if in_hand * 2 > depth || now < lane.open_wait {
            // What empties the lane is an event, which steps the core by itself.
            return if now < lane.open_wait { lane.open_wait } else { far };
        }
        lane.leasing = true;
        lane.turn += 1;
        let (want, turn) = ((depth - in_hand).max(1), lane.turn);
        self.out.push(Action::Lease { lane: no, want, turn });
        far
    }

    /// Gives ready rows to idle connections.
    fn offer_idle(&mut self, now: Timestamp, no: LaneNo) -> Timestamp {
        let idle: Vec<ConnId> = self.lanes[no.0]
            .conns
            .iter()
            .filter(|(_, c)| matches!(c.state, ConnState::Idle(_)))
            .map(|(id, _)| *id)
            .collect();
        for conn in idle {
            if self.is_worn(no, conn) || self.draining {
                self.tell_quit(conn);
                continue;
            }
            let Some(mut item) = self.next_for(now, no, conn) else { break };
            let command = Command::Offer(item.outgoing());
            self.set_state(conn, ConnState::Offered(item));
            self.out.push(Action::Tell { conn, command });
        }
        let lane = &self.lanes[no.0];
        if lane.ready.is_empty() || lane.pace_wait <= now {
            now.plus_ms(60_000)
        } else {
            lane.pace_wait
        }
    }

    fn is_worn(&self, no: LaneNo, conn: ConnId) -> bool {
        let lane = &self.lanes[no.0];
        let sent = lane.conns.get(&conn).map_or(0, |c| c.sent);
        lane.settings
            .relay
            .connections
            .max_messages_per_connection
            .is_some_and(|max| sent >= max.max(1))
    }

    /// The next row for a connection, if the pacer lets one through now.
    pub(super) fn next_for(&mut self, now: Timestamp, no: LaneNo, conn: ConnId) -> Option<Item> {
        if self.draining || self.is_worn(no, conn) || !self.lane_is_ours(now, no) {
            return None;
        }
        let lane = &mut self.lanes[no.0];
        if lane.ready.is_empty() || now < lane.pace_wait || lane.is_held(now) {
            return None;
        }
        if lane.ready.front().is_some_and(|i| i.batch.use_by.is_some_and(|t| now >= t)) {
            return None;
        }
        let pace = self.pacers.get_mut(&lane.scope).map_or(Pace::Go, |p| p.admit(now));
        match pace {
            Pace::Go => {}
            Pace::Wait(at) => {
                lane.pace_wait = at;
                return None;
            }
            Pace::AwaitReply => return None,
        }
        if let Some(c) = lane.conns.get_mut(&conn) {
            c.sent += 1;
        }
        let mut item = lane.ready.pop_front()?;
        item.offered_at = Some(now);
        Some(item)
    }

    /// Opens connections while more rows are ready than connections are about to take.
    fn open(&mut self, now: Timestamp, no: LaneNo) -> Timestamp {
        let lane = &self.lanes[no.0];
        let far = now.plus_ms(60_000);
        if self.draining || lane.ready.is_empty() || now < lane.pace_wait {
            return far;
        }
        if now < lane.open_wait {
            return lane.open_wait;
        }
        let coming = lane
            .conns
            .values()
            .filter(|c| matches!(c.state, ConnState::Opening | ConnState::Idle(_)))
            .count();
        let room = lane.max_connections().saturating_sub(lane.conns.len());
        // After a failure one connection tries first.
        let room =
            if lane.open_failures > 0 { room.min(1_usize.saturating_sub(coming)) } else { room };
        let wanted = lane.ready.len().saturating_sub(coming).min(room);
        for _ in 0..wanted {
            self.next_conn += 1;
            let conn = ConnId(self.next_conn);
            self.conn_lane.insert(conn, no);
            self.lanes[no.0].conns.insert(conn, Conn { state: ConnState::Opening, sent: 0 });
            self.out.push(Action::Open { lane: no, conn });
        }
        far
    }

    fn close_idle(&mut self, now: Timestamp, no: LaneNo) -> Timestamp {
        let idle_for = self.lanes[no.0].settings.relay.connections.idle;
        let mut wake = now.plus_ms(60_000);
        let mut over = Vec::new();
        for (conn, c) in &self.lanes[no.0].conns {
            if let ConnState::Idle(since) = c.state {
                if self.draining || since.plus(idle_for) <= now {
                    over.push(*conn);
                } else {
                    wake = wake.min(since.plus(idle_for));
                }
            }
        }
        for conn in over {
            self.tell_quit(conn);
        }
        wake
    }

    pub(super) fn on_open_failed(&mut self, now: Timestamp, conn: ConnId, fault: &DialFault) {
        let Some(no) = self.conn_lane.remove(&conn) else { return };
        self.lanes[no.0].conns.remove(&conn);
        let pause = match &fault.what {
            DialWhat::Reply(reply) => {
                let rules = &self.lanes[no.0].settings.relay.reply_rules;
                let verdict = classify_reply(reply, fault.phase, MailboxProvider::Other, rules);
                match verdict.disposition {
                    Disposition::QuotaFull { limit } => {
                        self.quota_full(now, no, limit);
                        return;
                    }
                    Disposition::PauseLane { seconds } => Some(Some(seconds)),
                    Disposition::StopLane => Some(None),
                    Disposition::Accept
                    | Disposition::Defer
                    | Disposition::Reject
                    | Disposition::BlockRow
                    | Disposition::Reconnect
                    | Disposition::FailMessage
                    | Disposition::Unknown => None,
                }
            }
            DialWhat::Io { .. }
            | DialWhat::Timeout(_)
            | DialWhat::Tls(_)
            | DialWhat::Malformed(_)
            | DialWhat::Unsupported(_) => None,
        };
        match pause {
            Some(seconds) => {
                self.pause(now, no, seconds, &format!("{}: {fault}", phase_name(fault.phase)));
            }
            None => self.trouble(now, no),
        }
    }

    /// Connections fail: wait longer each time, and give the rows to others before long.
    pub(super) fn trouble(&mut self, now: Timestamp, no: LaneNo) {
        let lane = &mut self.lanes[no.0];
        // Many connections that break together are one failure.
        if now >= lane.open_wait {
            lane.open_failures += 1;
        }
        let wait = (250_i64 << lane.open_failures.min(12)).min(LONGEST_OPEN_WAIT_MS);
        lane.open_wait = lane.open_wait.max(now.plus_ms(wait));
        let working = lane
            .conns
            .values()
            .any(|c| !matches!(c.state, ConnState::Opening | ConnState::Closing));
        if wait >= PATIENCE_MS && !working {
            self.put_back_ready(now, no);
        }
    }

    /// What a verdict asks of the lane beside settling the row.
    pub(super) fn apply(
        &mut self,
        now: Timestamp,
        no: LaneNo,
        conn: ConnId,
        item: &Item,
        effect: Effect,
        why: &str,
    ) {
        if effect != Effect::Reconnect {
            // Only an answer shows that connections are of use: one that opens may break at each envelope.
            self.lanes[no.0].open_failures = 0;
        }
        match effect {
            Effect::None => {}
            Effect::Healthy => {
                let lane = &mut self.lanes[no.0];
                lane.pause_count = 0;
                if item.batch.probe {
                    let scope = lane.scope.clone();
                    self.out.push(Action::Ledger { scope, act: LedgerAct::ClearFull });
                }
            }
            Effect::Reconnect => {
                if matches!(
                    self.lanes[no.0].conns.get(&conn).map(|c| &c.state),
                    Some(ConnState::Idle(_))
                ) {
                    self.tell_quit(conn);
                }
                self.trouble(now, no);
            }
            Effect::QuotaFull(limit) => self.quota_full(now, no, limit),
            Effect::Pause(seconds) => self.pause(now, no, seconds, why),
            Effect::Block => self.count_block(now, no, item, why),
        }
    }

    fn quota_full(&mut self, now: Timestamp, no: LaneNo, limit: Option<String>) {
        let scope = self.lanes[no.0].scope.clone();
        // Until the ledger answers for how long.
        for lane in self.lanes.iter_mut().filter(|l| l.scope == scope) {
            let until = now.plus_ms(60_000);
            lane.hold(until, Wait::Quota(until));
            lane.full_until = until;
        }
        self.put_back_scope(now, &scope);
        self.out.push(Action::Ledger { scope, act: LedgerAct::MarkFull { limit } });
    }

    pub(super) fn on_marked_full(&mut self, now: Timestamp, scope: &str, until: Option<Timestamp>) {
        for lane in self.lanes.iter_mut().filter(|l| l.scope == scope) {
            // No ledger limit answers to the refusal: wait longer each time.
            let wait_ms =
                (60_000_i64 << lane.pause_count.clamp(0, 10)).min(LONGEST_PAUSE_S * 1_000);
            lane.pause_count += 1;
            let until = until.unwrap_or(now.plus_ms(wait_ms));
            lane.full_until = until;
            let paused = matches!(lane.lease_wait, (t, Wait::Paused(_)) if t > until);
            if !paused {
                lane.lease_wait = (until, Wait::Quota(until));
            }
        }
    }

    fn pause(&mut self, now: Timestamp, no: LaneNo, seconds: Option<u32>, reason: &str) {
        let lane = &mut self.lanes[no.0];
        lane.pause_count += 1;
        let until = match seconds {
            Some(s) => {
                let doubled = i64::from(s) << (lane.pause_count - 1).clamp(0, 12);
                now.plus_ms(doubled.min(LONGEST_PAUSE_S.max(i64::from(s))) * 1_000)
            }
            None => now.plus_ms(FOR_GOOD_MS),
        };
        lane.hold(until, Wait::Paused(until));
        let pause = LanePause {
            until,
            reason: reason.to_owned(),
            by: "engine".to_owned(),
            count: lane.pause_count,
        };
        let relay = lane.settings.id;
        self.out.push(Action::PauseLane { relay, pause });
        self.put_back_ready(now, no);
    }

    fn count_block(&mut self, now: Timestamp, no: LaneNo, item: &Item, why: &str) {
        let lane = &mut self.lanes[no.0];
        let provider = item.leased.provider;
        let recent = lane.blocks.entry(provider).or_default();
        recent.retain(|(_, t)| now.since_ms(*t) < BRAKE_WITHIN_MS);
        let domain = item.leased.address.domain().as_str();
        if !recent.iter().any(|(d, _)| d == domain) && recent.len() < BRAKE_DOMAINS {
            recent.push((domain.to_owned(), now));
        }
        // A provider that is one domain (gmail.com) is stopped after as many blocked rows instead.
        let one_domain = provider != MailboxProvider::Other && item.leased.blocks >= 1;
        if recent.len() < BRAKE_DOMAINS && !one_domain {
            return;
        }
        recent.clear();
        let relay = lane.settings.id;
        let until = now.plus_ms(BRAKE_FOR_MS);
        let reason = why.to_owned();
        self.out.push(Action::Brake { relay, provider, until, reason });
        self.put_back_provider(now, no, provider);
    }
}
