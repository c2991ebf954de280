//! What a server does wrong on purpose: the script, as it stands in a TOML file.
//!
//! Read by cli (`postroad sink --behaviour FILE`) and written down by tests; carried out by `policy`
//! (replies) and `fault` (broken connections). An empty behaviour accepts everything. Times are in
//! milliseconds. Everything random comes from `seed` and from how often a point was passed, so the same
//! client sees the same faults.

use serde::{Deserialize, Serialize};

use crate::reply::Reply;

/// The script of one server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Where randomness begins.
    pub seed: u64,
    /// Extensions that are neither announced nor understood.
    pub hide: Vec<Extension>,
    /// Fixed replies; the first that matches is given.
    pub rules: Vec<Rule>,
    /// Random replies by weight, asked after the rules.
    pub mixes: Vec<Mix>,
    /// Sends the first try of a sender and recipient away.
    pub greylist: Option<Greylist>,
    /// How much is taken in a time.
    pub quotas: Vec<Quota>,
    /// How long replies take.
    pub latency: Vec<Latency>,
    /// Broken connections and strange replies.
    pub faults: Vec<Fault>,
    /// Messages of one connection; then MAIL is answered with `connection_full` and the end.
    pub messages_per_connection: Option<u32>,
    /// The reply to MAIL when the connection has had its share; 421 4.7.0 if absent.
    pub connection_full: Option<Reply>,
    /// The reply to the final dot; `{id}` becomes a number that no other message has.
    pub accepted: Option<Reply>,
    /// What DATA is answered when no recipient was taken.
    pub data_without_recipients: DataWithoutRecipients,
}

impl Behaviour {
    /// What can be written but makes no sense, in words for the person who wrote it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (number, rule) in (1..).zip(&self.rules) {
            if matches!(rule.at, Phase::Connect | Phase::Body | Phase::Accepted | Phase::Quit) {
                problems.push(format!("rule {number}: nothing is replied at {:?}", rule.at));
            }
        }
        for (number, mix) in (1..).zip(&self.mixes) {
            if !matches!(mix.at, Phase::Rcpt | Phase::Dot) {
                problems.push(format!("mix {number}: `at` must be \"rcpt\" or \"dot\""));
            }
            if mix.choices.iter().all(|choice| choice.weight == 0) {
                problems.push(format!("mix {number}: give at least one choice a weight"));
            }
        }
        for (number, quota) in (1..).zip(&self.quotas) {
            if quota.window_ms <= 0 {
                problems.push(format!("quota {number}: `window_ms` must be more than 0"));
            }
        }
        for (number, fault) in (1..).zip(&self.faults) {
            if fault.at != Phase::Body && fault.after_bytes > 0 {
                problems.push(format!("fault {number}: `after_bytes` needs at = \"body\""));
            }
        }
        let faults = self.faults.iter().map(|fault| fault.when);
        for when in self.rules.iter().map(|rule| rule.when).chain(faults) {
            if when.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
                problems.push("a probability lies between 0 and 1".to_owned());
            }
        }
        problems
    }
}

/// RFC 2920 section 3.1 lets a server say 354 although it took no recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataWithoutRecipients {
    /// 554 5.5.1 at once.
    #[default]
    Refuse,
    /// 354, and 554 after the dot.
    GoAhead,
}

/// What EHLO announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extension {
    /// RFC 2920; hidden, a client that sends ahead is cut off with 554.
    Pipelining,
    /// RFC 1870.
    Size,
    /// RFC 6152.
    EightBitMime,
    /// RFC 6531.
    Smtputf8,
    /// RFC 3461.
    Dsn,
    /// RFC 3030.
    Chunking,
    /// RFC 2034.
    EnhancedStatusCodes,
    /// RFC 3207.
    StartTls,
    /// RFC 4954.
    Auth,
}

/// A moment in the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The connection is open, nothing was said (before the handshake of implicit TLS).
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO, HELO or LHLO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// The end of a login.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT; its verdict is counted and recorded before a fault strikes.
    Rcpt,
    /// DATA was read, 354 not written.
    Data,
    /// As soon as so many bytes of the body were read (see [`Fault::after_bytes`]).
    Body,
    /// The final dot was read, nothing accepted.
    Dot,
    /// The message was accepted and recorded, the reply not written.
    Accepted,
    /// QUIT.
    Quit,
}

/// When a rule, mix or fault strikes among the occasions that fit it. Absent keys ask nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// From 0 to 1.
    pub probability: Option<f64>,
    /// Only the n-th occasion, counted from 1 over the whole server.
    pub nth: Option<u64>,
    /// Each n-th occasion.
    pub every: Option<u64>,
    /// Only the first n occasions.
    pub first: Option<u64>,
}

/// A fixed reply at a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `greeting`, `ehlo`, `start_tls`, `auth`, `mail`, `rcpt`, `data` or `dot`.
    pub at: Phase,
    /// An address, a domain, or absent for all.
    #[serde(default)]
    pub recipient: Option<String>,
    /// Likewise for MAIL FROM.
    #[serde(default)]
    pub sender: Option<String>,
    /// The account that logged in.
    #[serde(default)]
    pub account: Option<String>,
    /// What is said.
    pub reply: Reply,
    /// How often.
    #[serde(default)]
    pub when: When,
}

/// Random replies by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// `rcpt` or `dot`.
    pub at: Phase,
    /// An address, a domain, or absent for all.
    #[serde(default)]
    pub recipient: Option<String>,
    /// What the dice belong to.
    #[serde(default)]
    pub by: MixBy,
    /// The faces of the dice.
    pub choices: Vec<Choice>,
}

/// What is thrown for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixBy {
    /// Each try anew.
    #[default]
    Attempt,
    /// Each recipient once: every try meets the same reply, whatever the order of the tries.
    Recipient,
}

/// One face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its share among the weights.
    pub weight: u32,
    /// Absent: accepted.
    #[serde(default)]
    pub reply: Option<Reply>,
}

/// Greylisting: the first try of (MAIL FROM, RCPT TO) is deferred until a delay has passed. A retry with
/// another MAIL FROM is a first try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greylist {
    /// How long a pair waits.
    pub delay_ms: i64,
    /// A domain or address of the recipient; absent for all.
    #[serde(default)]
    pub recipient: Option<String>,
    /// What is said; 451 4.7.1 if absent.
    #[serde(default)]
    pub reply: Option<Reply>,
}

/// An amount in a rolling window. What was refused is not counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// So many ...
    pub amount: u64,
    /// ... in any time of this length.
    pub window_ms: i64,
    /// Counted in.
    #[serde(default)]
    pub unit: QuotaUnit,
    /// Counted over.
    #[serde(default)]
    pub scope: QuotaScope,
    /// Where it is refused.
    #[serde(default)]
    pub refuse_at: RefuseAt,
    /// What is said.
    pub reply: Reply,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaUnit {
    /// Recipients taken: at RCPT, or at the dot if it is refused there.
    #[default]
    Recipients,
    /// Messages taken.
    Messages,
}

/// What a quota belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaScope {
    /// Each account that logs in.
    #[default]
    Account,
    /// The whole server.
    Server,
}

/// Where a quota is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefuseAt {
    /// When the amount is used up; the recipients of one message may pass it.
    Mail,
    /// At the recipient that is too many.
    #[default]
    Rcpt,
    /// At the final dot.
    Dot,
}

/// How long a phase takes before its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Where.
    pub at: Phase,
    /// At least.
    pub min_ms: u64,
    /// At most; absent: always `min_ms`.
    #[serde(default)]
    pub max_ms: Option<u64>,
}

/// A broken connection or a strange reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub at: Phase,
    /// When, around the reply of that phase.
    #[serde(default)]
    pub moment: Moment,
    /// What happens.
    pub action: FaultAction,
    /// With `at = "body"`: after so many bytes of the body, the dot included.
    #[serde(default)]
    pub after_bytes: u64,
    /// An address or domain of the latest recipient; absent for all.
    #[serde(default)]
    pub recipient: Option<String>,
    /// How often.
    #[serde(default)]
    pub when: When,
}

/// Around the reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Instead of it.
    #[default]
    BeforeReply,
    /// When half of its bytes are written.
    MidReply,
    /// When it is written.
    AfterReply,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// Closes the connection (FIN).
    Drop,
    /// Resets it (RST).
    Reset,
    /// Closes the write side and reads on until the client closes.
    HalfClose,
    /// Says nothing for so long, then goes on; absent: until the server stops.
    Stall {
        /// How long.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// Writes bytes that are no reply, instead of it.
    Garbage,
    /// Writes the reply after so many lines of continuation.
    Multiline {
        /// How many.
        lines: u32,
    },
    /// Writes the reply byte by byte.
    Slow {
        /// Between two bytes.
        byte_ms: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_is_written_in_toml() {
        let script = r#"
            seed = 7
            hide = ["smtputf8", "pipelining"]
            greylist = { delay_ms = 2000 }
            messages_per_connection = 20
            data_without_recipients = "go_ahead"
            [[rules]]
            at = "rcpt"
            recipient = "gone.test"
            reply = "550 5.1.1 no such user"
            [[mixes]]
            at = "dot"
            by = "recipient"
            choices = [{ weight = 9 }, { weight = 1, reply = "451 4.3.0 later" }]
            [[quotas]]
            amount = 500
            window_ms = 86400000
            reply = "550 5.4.5 Daily user sending limit exceeded"
            [[latency]]
            at = "dot"
            min_ms = 5
            [[faults]]
            at = "body"
            after_bytes = 100
            action = "reset"
            when = { every = 3 }
            [[faults]]
            at = "dot"
            moment = "mid_reply"
            action = { stall = { ms = 10 } }
        "#;
        let behaviour: Behaviour = toml::from_str(script).unwrap();
        assert_eq!(behaviour.faults[1].action, FaultAction::Stall { ms: Some(10) });
        assert_eq!(behaviour.rules[0].reply.code, 550);
        let written = toml::to_string(&behaviour).unwrap();
        assert_eq!(toml::from_str::<Behaviour>(&written).unwrap(), behaviour);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let script = r#"
            rules = [{ at = "body", reply = "250 ok", when = { probability = 2.0 } }]
            mixes = [{ at = "mail", choices = [] }]
            quotas = [{ amount = 1, window_ms = 0, reply = "450 no" }]
            faults = [{ at = "dot", action = "drop", after_bytes = 1 }]
        "#;
        assert_eq!(toml::from_str::<Behaviour>(script).unwrap().problems().len(), 6);
        assert_eq!(Behaviour::default().problems(), [""; 0]);
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let error = toml::from_str::<Behaviour>("sede = 1").unwrap_err().to_string();
        assert!(error.contains("sede"), "{error}");
    }
}
