//! Scripted relays in memory: they speak the words of `wire` as the task of a connection and the relay behind it do.
//!
//! Each turn is decided when it begins: when the RCPT reaches the relay, what is answered and when. The decision
//! comes back as a list of things to happen. The relay's record holds what arrived, also what our side never learnt.

use crate::script::{Arrival, DotFate, Later, Outcome, Read, Script, Trouble};
use postroad_delivery::connection::capabilities::Capabilities;
use postroad_delivery::dial::{DialFault, DialWhat};
use postroad_delivery::permit::Permit;
use postroad_delivery::wire::{
    Command, ConnId, DotWritten, Event, NextLost, Outgoing, RcptWritten, Unwritten,
};
use postroad_model::relay::Relay;
use postroad_model::reply::Phase;
use postroad_model::{DeliveryId, LeaseToken, Reply, Timestamp};
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug)]
enum State {
    Opening,
    Idle,
    Offered(Box<Outgoing>),
    Held(Box<Outgoing>),
    Dotted(Box<Outgoing>, Option<(Box<Outgoing>, RcptWritten)>),
}

struct Conn {
    relay: usize,
    state: State,
}

/// A dot that was written.
#[derive(Debug, Clone)]
pub struct Dot {
    pub address: String,
    pub id: DeliveryId,
    pub token: LeaseToken,
}

pub struct Relays {
    pub relays: Vec<(Arc<Relay>, Script)>,
    conns: BTreeMap<ConnId, Conn>,
    seen: BTreeSet<(String, String)>,
    /// Envelopes as they were written: address and MAIL FROM.
    pub envelopes: Vec<(DeliveryId, String, String)>,
    pub dots: Vec<Dot>,
}

type Told = Vec<Event>;

impl Relays {
    pub fn new(relays: Vec<Arc<Relay>>) -> Self {
        let script = || Script { reply_ms: 40, ..Script::default() };
        Self {
            relays: relays.into_iter().map(|r| (r, script())).collect(),
            conns: BTreeMap::new(),
            seen: BTreeSet::new(),
            envelopes: Vec::new(),
            dots: Vec::new(),
        }
    }

    /// Where a connection leads; `None` once it is over.
    pub fn relay_of(&self, conn: ConnId) -> Option<usize> {
        self.conns.get(&conn).map(|c| c.relay)
    }

    /// Our process is gone, and its connections with it.
    pub fn cut_all(&mut self) {
        self.conns.clear();
    }

    pub fn open(&mut self, relay: usize, conn: ConnId, rng: &mut StdRng) -> Vec<Later> {
        self.conns.insert(conn, Conn { relay, state: State::Opening });
        let down = self.trouble(relay, |t| matches!(t, Trouble::Down)).is_some();
        let read =
            if down { Read::OpenFailed(Reply::new(421, "4.3.2 not now")) } else { Read::Opened };
        vec![Later::Read(self.wait(relay, rng), conn, read)]
    }

    fn wait(&self, relay: usize, rng: &mut StdRng) -> i64 {
        rng.random_range(1..=self.relays[relay].1.reply_ms.max(1))
    }

    fn trouble(&mut self, relay: usize, fits: impl Fn(&Trouble) -> bool) -> Option<Trouble> {
        let troubles = &mut self.relays[relay].1.troubles;
        if troubles.front().is_some_and(fits) { troubles.pop_front() } else { None }
    }

    /// The engine's command to a connection; what it tells at once, and what happens later.
    pub fn tell(
        &mut self,
        conn: ConnId,
        command: Command,
        now: Timestamp,
        rng: &mut StdRng,
    ) -> (Told, Vec<Later>) {
        // A connection that is over has told its last event; the command meets nobody.
        let Some(c) = self.conns.get_mut(&conn) else { return (Vec::new(), Vec::new()) };
        let state = std::mem::replace(&mut c.state, State::Idle);
        let relay = c.relay;
        match (command, state) {
            (Command::Offer(row), State::Idle) => {
                if let Some(event) = objection(conn, &row, now) {
                    return (vec![event], Vec::new());
                }
                let later = self.envelope(relay, conn, &row, 0, rng);
                self.set(conn, State::Offered(row));
                (Vec::new(), later)
            }
            (Command::Dot { permit, next }, State::Held(row)) => {
                self.dot(conn, row, &permit, next, now, rng)
            }
            (Command::Withdraw | Command::Quit, _) => {
                (vec![self.closed(conn, now, None)], Vec::new())
            }
            (command, state) => panic!("{command:?} on a connection that is {state:?}"),
        }
    }

    fn set(&mut self, conn: ConnId, state: State) {
        if let Some(c) = self.conns.get_mut(&conn) {
            c.state = state;
        }
    }

    fn closed(&mut self, conn: ConnId, at: Timestamp, reply: Option<Reply>) -> Event {
        self.conns.remove(&conn);
        Event::Closed { conn, at, reply, detail: "closed".into() }
    }

    /// Writes an envelope `after` which its replies come.
    fn envelope(
        &mut self,
        relay: usize,
        conn: ConnId,
        row: &Outgoing,
        after: i64,
        rng: &mut StdRng,
    ) -> Vec<Later> {
        self.envelopes.push((row.id, row.rcpt.clone(), row.mail_from.clone()));
        let mut wait = after + self.wait(relay, rng);
        let mut outcome = Outcome::Held;
        let envelope_only = |t: &Trouble| {
            use Phase::{Data, MailFrom, RcptTo};
            matches!(t, Trouble::Refuse(MailFrom | RcptTo | Data, _) | Trouble::Slow(_))
                || matches!(t, Trouble::Cut(MailFrom | RcptTo | Data))
        };
        match self.trouble(relay, envelope_only) {
            Some(Trouble::Refuse(phase, reply)) => outcome = Outcome::Refused(phase, reply),
            Some(Trouble::Cut(phase)) => outcome = Outcome::Cut(phase),
            // RFC 5321 section 4.5.3.2: nobody waits longer for the reply to RCPT.
            Some(Trouble::Slow(ms)) if ms >= 300_000 => {
                (wait, outcome) = (after + 300_000, Outcome::Cut(Phase::RcptTo));
            }
            Some(Trouble::Slow(ms)) => wait += ms,
            Some(_) | None => {}
        }
        let script = &mut self.relays[relay].1;
        if script.quota_left == Some(0) && matches!(outcome, Outcome::Held) {
            let text = "5.4.5 Daily user sending limit exceeded";
            outcome = Outcome::Refused(Phase::RcptTo, Reply::new(550, text));
        }
        if script.greylists
            && matches!(outcome, Outcome::Held)
            && self.seen.insert((row.mail_from.clone(), row.rcpt.clone()))
        {
            let reply = Reply::new(451, "4.7.1 Greylisted, please try again later");
            outcome = Outcome::Refused(Phase::RcptTo, reply);
        }
        let arrives = rng.random_range(0..=wait);
        vec![
            Later::Arrive(arrives, Arrival::Rcpt { relay }),
            Later::Read(wait, conn, Read::Replies(outcome)),
        ]
    }

    fn dot(
        &mut self,
        conn: ConnId,
        row: Box<Outgoing>,
        permit: &Permit,
        next: Option<Box<Outgoing>>,
        now: Timestamp,
        rng: &mut StdRng,
    ) -> (Told, Vec<Later>) {
        let relay = self.conns[&conn].relay;
        let (mut told, mut later) = (Vec::new(), Vec::new());
        let next = next.filter(|next| match objection(conn, next, now) {
            Some(event) => {
                told.push(event);
                false
            }
            None => true,
        });
        let unwritten = |next: Option<Box<Outgoing>>| {
            next.map(|n| Event::Unwritten { conn, id: n.id, why: Unwritten::Closing })
        };
        if permit.id() != row.id || now >= permit.expires_at() {
            told.push(Event::HandedBack { conn, id: row.id });
            told.extend(unwritten(next));
            told.push(self.closed(conn, now, None));
            return (told, later);
        }
        if self.trouble(relay, |t| matches!(t, Trouble::CutBeforeDot)).is_some() {
            told.extend(unwritten(next));
            told.push(self.broken(conn, now, &row, Phase::Body, None));
            return (told, later);
        }
        let (id, address) = (row.id, row.rcpt.clone());
        self.dots.push(Dot { address: address.clone(), id, token: permit.token() });
        let (wait, fate, taken) = self.dot_fate(relay, rng);
        if taken {
            let arrives = rng.random_range(0..=wait.min(60_000));
            later.push(Later::Arrive(arrives, Arrival::Message { relay, address }));
            if let Some(left) = &mut self.relays[relay].1.quota_left {
                *left = left.saturating_sub(1);
            }
        }
        later.push(Later::Read(wait, conn, Read::Dot(fate)));
        let written =
            if self.relays[relay].1.lock_step { RcptWritten::No } else { RcptWritten::Yes };
        if let (Some(next), RcptWritten::Yes) = (&next, written) {
            later.extend(self.envelope(relay, conn, next, wait, rng));
        }
        self.set(conn, State::Dotted(row, next.map(|n| (n, written))));
        (told, later)
    }

    /// After how long which answer comes, and whether the relay has taken the message.
    fn dot_fate(&mut self, relay: usize, rng: &mut StdRng) -> (i64, DotFate, bool) {
        let wait = self.wait(relay, rng);
        let ok = DotFate::Reply(Reply::new(250, "2.0.0 taken"));
        let of_dot = |t: &Trouble| {
            matches!(
                t,
                Trouble::Refuse(Phase::FinalDot, _) | Trouble::CutAfterDot(_) | Trouble::Slow(_)
            )
        };
        match self.trouble(relay, of_dot) {
            Some(Trouble::Refuse(_, reply)) => (wait, DotFate::Reply(reply), false),
            Some(Trouble::CutAfterDot(taken)) => (wait, DotFate::Cut, taken),
            Some(Trouble::Slow(ms)) if ms >= 600_000 => (600_000, DotFate::Cut, true),
            Some(Trouble::Slow(ms)) => (wait + ms, ok, true),
            Some(_) | None => (wait, ok, true),
        }
    }

    fn broken(
        &mut self,
        conn: ConnId,
        at: Timestamp,
        row: &Outgoing,
        phase: Phase,
        next: Option<NextLost>,
    ) -> Event {
        self.conns.remove(&conn);
        let dot = if phase == Phase::FinalDot { DotWritten::Maybe } else { DotWritten::No };
        let (id, rcpt, detail) = (row.id, RcptWritten::Yes, "cut".into());
        Event::Broken { conn, at, id, phase, dot, rcpt, next, detail }
    }

    /// What is read on a connection becomes events.
    pub fn read(
        &mut self,
        conn: ConnId,
        read: Read,
        at: Timestamp,
        rng: &mut StdRng,
    ) -> (Told, Vec<Later>) {
        let none = Vec::new;
        let Some(c) = self.conns.get_mut(&conn) else { return (none(), none_later()) };
        let relay = c.relay;
        let state = std::mem::replace(&mut c.state, State::Idle);
        match (read, state) {
            (Read::Opened, State::Opening) => {
                let pipelining = !self.relays[relay].1.lock_step;
                let capabilities = Capabilities { pipelining, ..Capabilities::default() };
                (vec![Event::Opened { conn, at, capabilities }], none_later())
            }
            (Read::OpenFailed(reply), State::Opening) => {
                self.conns.remove(&conn);
                let fault = DialFault {
                    host: "relay".into(),
                    port: 25,
                    address: None,
                    phase: Phase::Greeting,
                    what: DialWhat::Reply(reply),
                };
                (vec![Event::OpenFailed { conn, at, fault: Box::new(fault) }], none_later())
            }
            (Read::Replies(outcome), State::Offered(row)) => {
                self.replied(relay, conn, row, outcome, at, rng)
            }
            (Read::Early(reply), State::Held(row)) => match reply {
                Some(reply) => {
                    let id = row.id;
                    let early = Event::EarlyReply { conn, id, at, reply: reply.clone() };
                    (vec![early, self.closed(conn, at, Some(reply))], none_later())
                }
                None => (vec![self.broken(conn, at, &row, Phase::Body, None)], none_later()),
            },
            (Read::Dot(fate), State::Dotted(row, next)) => {
                self.dot_read(relay, conn, &row, next, fate, at, rng)
            }
            (Read::Idle(reply), State::Idle) => (vec![self.closed(conn, at, reply)], none_later()),
            // It came too late to matter: the dot is on its way, or a row was offered meanwhile.
            (_, state) => {
                self.set(conn, state);
                (none(), none_later())
            }
        }
    }

    fn replied(
        &mut self,
        relay: usize,
        conn: ConnId,
        row: Box<Outgoing>,
        outcome: Outcome,
        at: Timestamp,
        rng: &mut StdRng,
    ) -> (Told, Vec<Later>) {
        match outcome {
            Outcome::Held => {
                let id = row.id;
                let mut later = none_later();
                let of_body = |t: &Trouble| {
                    matches!(t, Trouble::Refuse(Phase::Body, _) | Trouble::Cut(Phase::Body))
                };
                let early = match self.trouble(relay, of_body) {
                    Some(Trouble::Refuse(_, reply)) => Some(Read::Early(Some(reply))),
                    Some(_) => Some(Read::Early(None)),
                    None => None,
                };
                if let Some(read) = early {
                    later.push(Later::Read(self.wait(relay, rng) / 4, conn, read));
                }
                self.set(conn, State::Held(row));
                (vec![Event::Held { conn, id, at }], later)
            }
            Outcome::Refused(phase, reply) => {
                let (id, rcpt) = (row.id, RcptWritten::Yes);
                let mut told =
                    vec![Event::Refused { conn, id, at, phase, reply: reply.clone(), rcpt }];
                if reply.code == 421 {
                    told.push(self.closed(conn, at, Some(reply)));
                }
                (told, none_later())
            }
            Outcome::Cut(phase) => (vec![self.broken(conn, at, &row, phase, None)], none_later()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one turn of a dialogue has so many facts")]
    fn dot_read(
        &mut self,
        relay: usize,
        conn: ConnId,
        row: &Outgoing,
        next: Option<(Box<Outgoing>, RcptWritten)>,
        fate: DotFate,
        at: Timestamp,
        rng: &mut StdRng,
    ) -> (Told, Vec<Later>) {
        let reply = match fate {
            DotFate::Reply(reply) => reply,
            DotFate::Cut => {
                let mut told = Vec::new();
                let lost = match &next {
                    Some((next, RcptWritten::Yes)) => {
                        Some(NextLost { id: next.id, rcpt: RcptWritten::Yes })
                    }
                    Some((next, RcptWritten::No)) => {
                        let why = Unwritten::Closing;
                        told.push(Event::Unwritten { conn, id: next.id, why });
                        None
                    }
                    None => None,
                };
                told.push(self.broken(conn, at, row, Phase::FinalDot, lost));
                return (told, none_later());
            }
        };
        let over = reply.code == 421;
        let mut told = vec![Event::Answered { conn, id: row.id, at, reply: reply.clone() }];
        let mut later = none_later();
        match next {
            Some((next, RcptWritten::Yes)) if over => {
                told.push(self.broken(conn, at, &next, Phase::MailFrom, None));
            }
            Some((next, RcptWritten::No)) if over => {
                let why = Unwritten::Closing;
                told.push(Event::Unwritten { conn, id: next.id, why });
                told.push(self.closed(conn, at, Some(reply)));
            }
            None if over => told.push(self.closed(conn, at, Some(reply))),
            Some((next, RcptWritten::Yes)) => self.set(conn, State::Offered(next)),
            Some((next, RcptWritten::No)) => match objection(conn, &next, at) {
                Some(event) => told.push(event),
                None => {
                    later = self.envelope(relay, conn, &next, 0, rng);
                    self.set(conn, State::Offered(next));
                }
            },
            None => {}
        }
        (told, later)
    }

    /// The relay ends its idle connections.
    pub fn hang_up(&self, relay: usize, reply: Option<&Reply>) -> Vec<Later> {
        let mine = self.conns.iter().filter(|(_, c)| c.relay == relay);
        mine.map(|(conn, _)| Later::Read(1, *conn, Read::Idle(reply.cloned()))).collect()
    }
}

fn none_later() -> Vec<Later> {
    Vec::new()
}

fn objection(conn: ConnId, row: &Outgoing, now: Timestamp) -> Option<Event> {
    row.use_by.filter(|t| now >= *t).map(|_| Event::Lapsed { conn, id: row.id })
}
