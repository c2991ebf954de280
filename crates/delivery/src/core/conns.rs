//! The core's reactions to what happens on connections, and how a lane is driven on.
//!
//! Follows RFC 5321 section 3.3 through the words of `wire`. A row is on a connection from its offer to the event
//! that ends its stay; W3 of one row goes to the committer before W2 of the next, which keeps their order.

use super::judge::{Effect, judge};
use super::lane::{Conn, ConnState, Item, Orphan};
use super::{Action, Core, LaneNo};
use crate::connection::phase_name;
use crate::permit::Permit;
use crate::wire::{Command, ConnId, DotWritten, Event, NextLost, RcptWritten, Unwritten};
use postroad_bounce::classify_reply;
use postroad_model::delivery::Detail;
use postroad_model::reply::Phase;
use postroad_model::verdict::Verdict;
use postroad_model::{DeliveryId, LeaseToken, Reply, Timestamp};
use postroad_store::{Blocked, Intent, LedgerAct, Seen, Settled, Settlement, Was};

impl Core {
    pub(super) fn on_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Opened { conn, at, capabilities } => {
                let Some(no) = self.conn_lane.get(&conn).copied() else { return };
                let lane = &mut self.lanes[no.0];
                lane.smtputf8 = Some(capabilities.smtputf8);
                self.set_state(conn, ConnState::Idle(at));
            }
            Event::OpenFailed { conn, fault, .. } => self.on_open_failed(now, conn, &fault),
            Event::Held { conn, id, at } => self.on_held(conn, id, at),
            Event::Answered { conn, id, at, reply } => self.on_answered(now, conn, id, at, &reply),
            Event::EarlyReply { conn, id, at, reply } => self.on_early(now, conn, id, at, reply),
            Event::Refused { conn, id, at, phase, reply, rcpt } => {
                let Some(item) = self.take_item(conn, id, at) else { return };
                self.spend(&item, rcpt, at);
                self.finish(now, conn, &item, phase, &reply, Was::Leased);
            }
            Event::Lapsed { conn, id } => {
                let Some(item) = self.take_item(conn, id, now) else { return };
                self.give_back(now, &item, Was::Leased, RcptWritten::No);
            }
            Event::Unwritten { conn, id, why } => self.on_unwritten(now, conn, id, why),
            Event::HandedBack { conn, id } => {
                let Some(item) = self.take_item(conn, id, now) else { return };
                self.close_behind(now, conn);
                // Its RCPT was accounted for when it was held.
                let settled = Settled::PutBack { until: now, blocked: Blocked::No };
                self.settle(&item, settled, None, Some("body"), None, Was::Sending);
            }
            Event::Broken { conn, at, id, phase, dot, rcpt, next, detail } => {
                let broken = Broken { phase, dot, rcpt, detail };
                self.on_broken(now, conn, id, at, &broken, next);
            }
            Event::Closed { conn, reply, .. } => self.on_closed(now, conn, reply.as_ref()),
        }
    }

    fn lane_of(&self, conn: ConnId) -> Option<LaneNo> {
        self.conn_lane.get(&conn).copied()
    }

    pub(super) fn set_state(&mut self, conn: ConnId, state: ConnState) {
        if let Some(no) = self.lane_of(conn)
            && let Some(c) = self.lanes[no.0].conns.get_mut(&conn)
        {
            c.state = state;
        }
    }

    /// Takes the row that a connection holds, leaving it idle (or with the row behind it).
    fn take_item(&mut self, conn: ConnId, id: DeliveryId, at: Timestamp) -> Option<Item> {
        let no = self.lane_of(conn)?;
        let c = self.lanes[no.0].conns.get_mut(&conn)?;
        let (item, rest) = match std::mem::replace(&mut c.state, ConnState::Closing) {
            ConnState::Offered(item) | ConnState::Held(item) => (Some(item), ConnState::Idle(at)),
            ConnState::Dotted(item, Some(next)) if item.leased.id == id => {
                (Some(item), ConnState::Offered(next))
            }
            // The row behind comes back alone when it lapsed or cannot be written here.
            ConnState::Dotted(item, Some(next)) if next.leased.id == id => {
                (Some(next), ConnState::Dotted(item, None))
            }
            ConnState::Dotted(item, None) if item.leased.id == id => {
                (Some(item), ConnState::Idle(at))
            }
            state @ ConnState::Dotted(..) => (None, state),
            state @ (ConnState::Opening | ConnState::Idle(_) | ConnState::Closing) => (None, state),
        };
        c.state = rest;
        item
    }

    /// Accounts for the RCPT of a row: given back when it was certainly not written, counted again when its reply
    /// came after the sub-window that it was reserved in.
    fn spend(&mut self, item: &Item, rcpt: RcptWritten, at: Timestamp) {
        let Some(no) = self.lane_no(item) else { return };
        let scope = self.lanes[no.0].scope.clone();
        if let Some(pacer) = self.pacers.get_mut(&scope) {
            pacer.answered(at);
        }
        if item.batch.reserved.is_empty() {
            return;
        }
        let reserved = item.batch.reserved.clone();
        match rcpt {
            RcptWritten::No => {
                self.out.push(Action::Ledger { scope, act: LedgerAct::Release { reserved, n: 1 } });
            }
            RcptWritten::Yes if item.batch.use_by.is_some_and(|t| at >= t) => {
                let act = LedgerAct::Late { reserved, replied_at: at, n: 1 };
                self.out.push(Action::Ledger { scope, act });
            }
            RcptWritten::Yes => {}
        }
    }

    pub(super) fn lane_no(&self, item: &Item) -> Option<LaneNo> {
        let mine = |l: &super::lane::Lane| {
            l.settings.id == item.claim.relay && l.settings.epoch == item.claim.epoch
        };
        self.lanes.iter().position(mine).map(LaneNo)
    }

    fn on_held(&mut self, conn: ConnId, id: DeliveryId, at: Timestamp) {
        let Some(item) = self.take_item(conn, id, at) else { return };
        self.spend(&item, RcptWritten::Yes, at);
        let Some(no) = self.lane_of(conn) else { return };
        let margin = i64::try_from(self.policy.lease_margin.as_millis()).unwrap_or(i64::MAX);
        let expires_at = self.lanes[no.0].settings.lease_until.plus_ms(-margin);
        let intent = Intent {
            claim: item.claim,
            content_hash: item.content_hash,
            mail_from: item.mail_from.clone(),
            date: item.date,
        };
        self.set_state(conn, ConnState::Held(item));
        if self.draining {
            self.withdraw(conn, at);
        } else {
            self.out.push(Action::Intend { intent, expires_at });
        }
    }

    /// Closes a connection whose row is held, without a dot; W2 was not asked for.
    fn withdraw(&mut self, conn: ConnId, now: Timestamp) {
        let id = match self
            .lane_of(conn)
            .and_then(|no| self.lanes[no.0].conns.get(&conn))
            .map(|c| &c.state)
        {
            Some(ConnState::Held(item)) => item.leased.id,
            Some(_) | None => return,
        };
        let Some(item) = self.take_item(conn, id, now) else { return };
        self.out.push(Action::Tell { conn, command: Command::Withdraw });
        self.set_state(conn, ConnState::Closing);
        let settled = Settled::PutBack { until: now, blocked: Blocked::No };
        self.settle(&item, settled, None, Some("body"), None, Was::Leased);
    }

    pub(super) fn on_granted(&mut self, now: Timestamp, permit: Permit, id: DeliveryId) {
        let token = permit.token();
        if let Some(orphan) = self.orphans.remove(&(id, token)) {
            self.settle_orphan(orphan, Was::Sending);
            return;
        }
        let Some((no, conn)) = self.holder(id, token) else { return };
        let mut next = self.next_for(now, no, conn);
        let outgoing = next.as_mut().map(Item::outgoing);
        if let Some(c) = self.lanes[no.0].conns.get_mut(&conn)
            && let ConnState::Held(item) = std::mem::replace(&mut c.state, ConnState::Closing)
        {
            c.state = ConnState::Dotted(item, next);
        }
        self.out.push(Action::Tell { conn, command: Command::Dot { permit, next: outgoing } });
    }

    /// The connection that holds a row under this lease: an earlier lease of it may be held by another one still.
    fn holder(&self, id: DeliveryId, token: LeaseToken) -> Option<(LaneNo, ConnId)> {
        let held = |c: &Conn| matches!(&c.state, ConnState::Held(i) if i.leased.id == id && i.claim.token == token);
        self.lanes.iter().enumerate().find_map(|(no, lane)| {
            lane.conns.iter().find(|(_, c)| held(c)).map(|(conn, _)| (LaneNo(no), *conn))
        })
    }

    pub(super) fn on_refused(&mut self, now: Timestamp, id: DeliveryId, token: LeaseToken) {
        if let Some(orphan) = self.orphans.remove(&(id, token)) {
            self.settle_orphan(orphan, Was::Leased);
            return;
        }
        let Some((_, conn)) = self.holder(id, token) else { return };
        let Some(item) = self.take_item(conn, id, now) else { return };
        self.out.push(Action::Tell { conn, command: Command::Withdraw });
        self.set_state(conn, ConnState::Closing);
        // What made W2 refuse stands in the row: if that was a suppression this settles nothing.
        let settled = Settled::PutBack { until: now, blocked: Blocked::No };
        self.out.push(Action::CheckCampaign(item.claim.campaign));
        self.settle(&item, settled, None, Some("body"), None, Was::Leased);
    }

    fn on_answered(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        id: DeliveryId,
        at: Timestamp,
        reply: &Reply,
    ) {
        let Some(item) = self.take_item(conn, id, at) else { return };
        if let Some(no) = self.lane_of(conn) {
            self.lanes[no.0].count_answer(now);
        }
        self.finish(now, conn, &item, Phase::FinalDot, reply, Was::Sending);
    }

    fn on_early(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        id: DeliveryId,
        at: Timestamp,
        reply: Reply,
    ) {
        let was_dotted = self
            .lane_of(conn)
            .and_then(|no| self.lanes[no.0].conns.get(&conn))
            .is_some_and(|c| matches!(c.state, ConnState::Dotted(_, _)));
        let Some(item) = self.take_item(conn, id, at) else { return };
        self.close_behind(now, conn);
        if was_dotted {
            self.finish(now, conn, &item, Phase::Body, &reply, Was::Sending);
            return;
        }
        // W2 is on its way: its answer decides which state the settlement leaves.
        let (settled, verdict) = self.decide(now, conn, &item, Phase::Body, &reply);
        let orphan =
            Orphan { item, settled, reply: Some(reply), phase: "body", rule: Some(verdict.rule) };
        self.orphans.insert((id, orphan.item.claim.token), orphan);
    }

    /// The connection ends without a dot: the row behind it, if there is one, was not written.
    fn close_behind(&mut self, now: Timestamp, conn: ConnId) {
        let behind = self
            .lane_of(conn)
            .and_then(|no| self.lanes[no.0].conns.get_mut(&conn))
            .map(|c| std::mem::replace(&mut c.state, ConnState::Closing));
        if let Some(ConnState::Offered(item)) = behind {
            self.give_back(now, &item, Was::Leased, RcptWritten::No);
        }
    }

    fn on_unwritten(&mut self, now: Timestamp, conn: ConnId, id: DeliveryId, why: Unwritten) {
        let Some(item) = self.take_item(conn, id, now) else { return };
        let detail = match why {
            Unwritten::NeedsSmtputf8 => Detail::NeedsSmtputf8,
            Unwritten::TooLarge { .. } => Detail::TooLarge,
            Unwritten::BadAddress => Detail::Render,
            Unwritten::Closing => {
                self.give_back(now, &item, Was::Leased, RcptWritten::No);
                return;
            }
        };
        self.spend(&item, RcptWritten::No, now);
        let other = self.lanes.iter().any(|l| {
            let same_pool = l.settings.pools.iter().any(|p| {
                self.lane_no(&item).is_some_and(|no| self.lanes[no.0].settings.pools.contains(p))
            });
            let able = detail == Detail::TooLarge || l.smtputf8 != Some(false);
            l.settings.id != item.claim.relay && same_pool && able && detail != Detail::Render
        });
        // Another relay of the pool may take it; the fifth time in vain is the last.
        let settled = if other {
            Settled::PutBack { until: now.plus_ms(2_000), blocked: Blocked::Yes }
        } else {
            Settled::Failed(detail)
        };
        self.settle(&item, settled, None, Some("mail_from"), Some(format!("{why:?}")), Was::Leased);
    }

    fn on_broken(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        id: DeliveryId,
        at: Timestamp,
        broken: &Broken,
        next: Option<NextLost>,
    ) {
        let state = self
            .lane_of(conn)
            .and_then(|no| self.lanes[no.0].conns.remove(&conn))
            .map_or(ConnState::Closing, |c| c.state);
        let no = self.conn_lane.remove(&conn);
        match state {
            ConnState::Offered(item) => {
                self.spend(&item, broken.rcpt, at);
                self.lost_row(now, &item, broken, Was::Leased);
            }
            ConnState::Held(item) => {
                let settled = Settled::PutBack { until: now, blocked: Blocked::No };
                let rule = Some(broken.detail.clone());
                let key = (id, item.claim.token);
                self.orphans
                    .insert(key, Orphan { item, settled, reply: None, phase: "body", rule });
            }
            ConnState::Dotted(item, behind) => {
                self.lost_row(now, &item, broken, Was::Sending);
                if let Some(item) = behind {
                    let rcpt =
                        next.filter(|n| n.id == item.leased.id).map_or(RcptWritten::No, |n| n.rcpt);
                    self.give_back(now, &item, Was::Leased, rcpt);
                }
            }
            ConnState::Opening | ConnState::Idle(_) | ConnState::Closing => {}
        }
        if let Some(no) = no {
            self.trouble(now, no);
        }
    }

    fn lost_row(&mut self, now: Timestamp, item: &Item, broken: &Broken, was: Was) {
        let settled = match broken.dot {
            DotWritten::Maybe => Settled::Unknown,
            DotWritten::No => Settled::PutBack { until: now.plus_ms(1_000), blocked: Blocked::No },
        };
        self.settle(
            item,
            settled,
            None,
            Some(phase_name(broken.phase)),
            Some(broken.detail.clone()),
            was,
        );
    }

    fn on_closed(&mut self, now: Timestamp, conn: ConnId, reply: Option<&Reply>) {
        let Some(no) = self.conn_lane.remove(&conn) else { return };
        let told = self.lanes[no.0].conns.remove(&conn).map(|c| c.state);
        if let Some(ConnState::Held(item)) = told {
            // It closed under a held row without saying so first: W2's answer decides.
            let key = (item.leased.id, item.claim.token);
            let settled = Settled::PutBack { until: now, blocked: Blocked::No };
            self.orphans
                .insert(key, Orphan { item, settled, reply: None, phase: "body", rule: None });
        } else if let Some(ConnState::Offered(item)) = told {
            // The offer met a connection that was over: nothing of it was written.
            self.give_back(now, &item, Was::Leased, RcptWritten::No);
        } else if let Some(ConnState::Idle(_)) = told
            && reply.is_some_and(|r| r.code >= 400)
        {
            // An idle connection that the relay closes is no trouble unless it says why.
            self.trouble(now, no);
        }
    }

    /// Judges a reply, settles the row, and does what the verdict asks of the lane.
    fn finish(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        item: &Item,
        phase: Phase,
        reply: &Reply,
        was: Was,
    ) {
        let (settled, verdict) = self.decide(now, conn, item, phase, reply);
        let seen = Seen {
            reason: (!reply.is_positive()).then_some(verdict.reason),
            took_ms: item.offered_at.map(|at| now.since_ms(at)),
            waited_ms: Some(now.since_ms(item.leased.first_leased_at)),
        };
        self.out.push(Action::Settle(Settlement {
            claim: item.claim,
            settled,
            reply: Some(reply.clone()),
            phase: Some(phase_name(phase)),
            rule: Some(verdict.rule),
            was,
            seen,
        }));
    }

    fn decide(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        item: &Item,
        phase: Phase,
        reply: &Reply,
    ) -> (Settled, Verdict) {
        let relay = self
            .lane_no(item)
            .map(|no| self.lanes[no.0].settings.relay.clone())
            .expect("a row's lane exists as long as the core does");
        let verdict = classify_reply(reply, phase, item.leased.provider, &relay.reply_rules);
        let (settled, effect) = judge(item, &verdict, &relay, &self.policy.retry, now);
        if let Some(no) = self.lane_no(item) {
            let quiet = matches!(effect, Effect::None | Effect::Healthy);
            let why =
                if quiet { String::new() } else { format!("{}: {reply}", verdict.reason.as_str()) };
            self.apply(now, no, conn, item, effect, &why);
        }
        (settled, verdict)
    }

    pub(super) fn settle(
        &mut self,
        item: &Item,
        settled: Settled,
        reply: Option<Reply>,
        phase: Option<&'static str>,
        rule: Option<String>,
        was: Was,
    ) {
        self.out.push(Action::Settle(Settlement {
            claim: item.claim,
            settled,
            reply,
            phase,
            rule,
            was,
            seen: Seen::default(),
        }));
    }

    fn settle_orphan(&mut self, orphan: Orphan, was: Was) {
        let Orphan { item, settled, reply, phase, rule } = orphan;
        self.settle(&item, settled, reply, Some(phase), rule, was);
    }

    /// Puts a row back uncounted that was offered on a connection.
    pub(super) fn give_back(&mut self, now: Timestamp, item: &Item, was: Was, rcpt: RcptWritten) {
        self.spend(item, rcpt, now);
        let settled = Settled::PutBack { until: now, blocked: Blocked::No };
        self.settle(item, settled, None, None, None, was);
    }

    pub(super) fn tell_quit(&mut self, conn: ConnId) {
        self.out.push(Action::Tell { conn, command: Command::Quit });
        self.set_state(conn, ConnState::Closing);
    }
}

pub(super) struct Broken {
    phase: Phase,
    dot: DotWritten,
    rcpt: RcptWritten,
    detail: String,
}
