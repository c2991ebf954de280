//! The script of a relay: what it does out of the ordinary, and what a connection makes happen after a while.

use postroad_delivery::wire::ConnId;
use postroad_model::Reply;
use postroad_model::reply::Phase;
use std::collections::VecDeque;

/// What reaches a relay.
#[derive(Debug, Clone)]
pub enum Arrival {
    Rcpt {
        relay: usize,
    },
    /// The dot: the message is the relay's now.
    Message {
        relay: usize,
        address: String,
    },
}

/// Something that a connection makes happen after a while.
#[derive(Debug)]
pub enum Later {
    /// At the relay, whatever becomes of us.
    Arrive(i64, Arrival),
    /// Read by us on this connection.
    Read(i64, ConnId, Read),
}

/// What is read, or noticed, on a connection.
#[derive(Debug)]
pub enum Read {
    Opened,
    OpenFailed(Reply),
    Replies(Outcome),
    /// 421 or a cut while the body waits for its dot.
    Early(Option<Reply>),
    Dot(DotFate),
    Idle(Option<Reply>),
}

/// How an envelope ends.
#[derive(Debug, Clone)]
pub enum Outcome {
    Held,
    Refused(Phase, Reply),
    Cut(Phase),
}

/// How a dot ends.
#[derive(Debug, Clone)]
pub enum DotFate {
    Reply(Reply),
    Cut,
}

/// What a dialogue does out of the ordinary, once.
#[derive(Debug, Clone)]
pub enum Trouble {
    Refuse(Phase, Reply),
    Cut(Phase),
    /// After the dot; true: the relay has taken the message.
    CutAfterDot(bool),
    /// The dot is not even written.
    CutBeforeDot,
    /// Each reply takes this long.
    Slow(i64),
    /// The connection cannot be opened.
    Down,
}

/// What the relay is like now.
#[derive(Debug, Default)]
pub struct Script {
    pub troubles: VecDeque<Trouble>,
    pub greylists: bool,
    /// Longest time of a reply in milliseconds.
    pub reply_ms: i64,
    /// Takes one command at a time.
    pub lock_step: bool,
    /// Messages that its account still takes.
    pub quota_left: Option<u32>,
}
