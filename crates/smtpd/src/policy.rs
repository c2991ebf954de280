//! Carries out the replies of a behaviour: rules, mixes, greylisting, quotas.
//!
//! Asked by the sink; it keeps the state that spans connections (counters, pairs seen, windows). It does
//! no I/O and reads no clock. Order at RCPT: rules, mixes, greylist, quotas, so that what is refused for
//! another reason never uses up a quota. Its memory is bounded by [`PAIRS_MAX`] and by the quotas' amounts.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::Rng as _;

use crate::{
    behaviour::{Behaviour, Greylist, Mix, MixBy, Phase, Quota, QuotaScope, QuotaUnit, RefuseAt},
    envelope::{Envelope, Peer},
    fault::{Occasions, throw},
    pattern::fits,
    quota::Rolling,
    reply::Reply,
};

/// Pairs that greylisting remembers; beyond it new pairs are let through.
const PAIRS_MAX: usize = 2_000_000;

const GREYLISTED: Reply = Reply::new(451, (4, 7, 1), "Greylisted, please try again later");
const CONNECTION_FULL: Reply =
    Reply::new(421, (4, 7, 0), "Max message per connection reached, closing connection");

pub(crate) struct Policy {
    behaviour: Arc<Behaviour>,
    rules: Vec<Occasions>,
    mixes: Vec<Occasions>,
    pairs: Mutex<HashMap<(String, String), i64>>,
    windows: Mutex<Vec<HashMap<String, Rolling>>>,
}

impl Policy {
    pub(crate) fn new(behaviour: Arc<Behaviour>) -> Self {
        let rules = behaviour.rules.iter().map(|_| Occasions::default()).collect();
        let mixes = behaviour.mixes.iter().map(|_| Occasions::default()).collect();
        let windows = behaviour.quotas.iter().map(|_| HashMap::new()).collect();
        Self { behaviour, rules, mixes, pairs: Mutex::default(), windows: Mutex::new(windows) }
    }

    /// A fixed reply for a phase in which nothing else can refuse.
    pub(crate) fn at(&self, at: Phase, peer: &Peer, envelope: &Envelope) -> Option<Reply> {
        self.rule(at, peer, envelope, "")
    }

    pub(crate) fn at_mail(&self, peer: &Peer, envelope: &Envelope, now_ms: i64) -> Option<Reply> {
        if self.behaviour.messages_per_connection.is_some_and(|most| peer.messages >= most) {
            let reply = self.behaviour.connection_full.clone();
            return Some(reply.unwrap_or(CONNECTION_FULL));
        }
        self.rule(Phase::Mail, peer, envelope, "")
            .or_else(|| self.quota(RefuseAt::Mail, peer, 1, now_ms))
    }

    pub(crate) fn at_rcpt(
        &self,
        peer: &Peer,
        envelope: &Envelope,
        recipient: &str,
        now_ms: i64,
    ) -> Option<Reply> {
        self.rule(Phase::Rcpt, peer, envelope, recipient)
            .or_else(|| self.mix(Phase::Rcpt, recipient))
            .or_else(|| self.greylist(&envelope.mail_from, recipient, now_ms))
            .or_else(|| self.quota(RefuseAt::Rcpt, peer, 1, now_ms))
    }

    /// What the dot is answered for one recipient.
    pub(crate) fn at_dot(
        &self,
        peer: &Peer,
        envelope: &Envelope,
        recipient: &str,
    ) -> Option<Reply> {
        self.rule(Phase::Dot, peer, envelope, recipient).or_else(|| self.mix(Phase::Dot, recipient))
    }

    /// Asked last, when a message is to be accepted for so many recipients.
    pub(crate) fn at_acceptance(&self, peer: &Peer, rcpts: u64, now_ms: i64) -> Option<Reply> {
        self.quota(RefuseAt::Dot, peer, rcpts, now_ms)
    }

    fn rule(&self, at: Phase, peer: &Peer, envelope: &Envelope, rcpt: &str) -> Option<Reply> {
        let mut all = self.behaviour.rules.iter().zip(&self.rules).zip(0_u64..);
        all.find(|((rule, occasions), place)| {
            rule.at == at
                && fits(rule.recipient.as_deref(), rcpt)
                && fits(rule.sender.as_deref(), &envelope.mail_from)
                && (rule.account.is_none() || rule.account.as_deref() == peer.account.as_deref())
                && occasions.strikes(&rule.when, self.dice(1, *place))
        })
        .map(|((rule, _), _)| rule.reply.clone())
    }

    fn mix(&self, at: Phase, recipient: &str) -> Option<Reply> {
        let mut all = self.behaviour.mixes.iter().zip(&self.mixes).zip(0_u64..);
        let ((mix, occasions), place) =
            all.find(|((mix, _), _)| mix.at == at && fits(mix.recipient.as_deref(), recipient))?;
        let count = match mix.by {
            MixBy::Attempt => occasions.next(),
            MixBy::Recipient => {
                let mut hasher = DefaultHasher::new();
                recipient.to_ascii_lowercase().hash(&mut hasher);
                hasher.finish()
            }
        };
        choose(mix, self.dice(2, place), count)
    }

    fn greylist(&self, mail_from: &str, recipient: &str, now_ms: i64) -> Option<Reply> {
        let Greylist { delay_ms, recipient: pattern, reply } = self.behaviour.greylist.as_ref()?;
        if !fits(pattern.as_deref(), recipient) {
            return None;
        }
        let mut pairs = locked(&self.pairs);
        let full = pairs.len() >= PAIRS_MAX;
        match pairs.entry((mail_from.to_owned(), recipient.to_owned())) {
            Entry::Occupied(first) if now_ms - first.get() >= *delay_ms => return None,
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(pair) => {
                pair.insert(now_ms);
            }
            Entry::Occupied(_) => {}
        }
        Some(reply.clone().unwrap_or(GREYLISTED))
    }

    /// The first quota that is full. If none is, all that count here count.
    fn quota(&self, at: RefuseAt, peer: &Peer, rcpts: u64, now_ms: i64) -> Option<Reply> {
        if self.behaviour.quotas.is_empty() {
            return None;
        }
        let account = peer.account.as_deref().unwrap_or("");
        let mut windows = locked(&self.windows);
        let mut all = |visit: &mut dyn FnMut(&Quota, &mut Rolling) -> Option<Reply>| {
            for (quota, rings) in self.behaviour.quotas.iter().zip(windows.iter_mut()) {
                let key = match quota.scope {
                    QuotaScope::Account => account,
                    QuotaScope::Server => "",
                };
                if !rings.contains_key(key) {
                    let ring = Rolling::new(quota.amount, quota.window_ms);
                    rings.insert(key.to_owned(), ring);
                }
                let refused = rings.get_mut(key).and_then(|ring| visit(quota, ring));
                if refused.is_some() {
                    return refused;
                }
            }
            None
        };
        let refused = all(&mut |quota, ring| {
            let asked = if counted_at(quota) == at { amount(quota, rcpts) } else { 1 };
            (quota.refuse_at == at && ring.refuses(now_ms, asked)).then(|| quota.reply.clone())
        });
        if refused.is_none() {
            all(&mut |quota, ring| {
                if counted_at(quota) == at {
                    ring.count(now_ms, amount(quota, rcpts));
                }
                None
            });
        }
        refused
    }

    /// The name of a thrower: another one for each list and place in it.
    fn dice(&self, list: u64, place: u64) -> u64 {
        self.behaviour.seed ^ (list << 56) ^ (place << 32)
    }
}

fn choose(mix: &Mix, dice: u64, count: u64) -> Option<Reply> {
    let sum: u32 = mix.choices.iter().map(|choice| choice.weight).sum();
    if sum == 0 {
        return None;
    }
    let mut left = throw(dice, count).random_range(0..sum);
    for choice in &mix.choices {
        match left.checked_sub(choice.weight) {
            Some(rest) => left = rest,
            None => return choice.reply.clone(),
        }
    }
    None
}

/// Recipients are spent when they are taken at RCPT, unless the refusal comes at the dot.
fn counted_at(quota: &Quota) -> RefuseAt {
    match (quota.unit, quota.refuse_at) {
        (QuotaUnit::Recipients, RefuseAt::Mail | RefuseAt::Rcpt) => RefuseAt::Rcpt,
        (QuotaUnit::Recipients, RefuseAt::Dot) | (QuotaUnit::Messages, _) => RefuseAt::Dot,
    }
}

fn amount(quota: &Quota, rcpts: u64) -> u64 {
    match quota.unit {
        QuotaUnit::Recipients => rcpts,
        QuotaUnit::Messages => 1,
    }
}

/// A panic elsewhere leaves counters that are still good enough to go on with.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(account: &str) -> Peer {
        Peer {
            server: "s".into(),
            connection: 1,
            remote: ([127, 0, 0, 1], 1).into(),
            helo: String::new(),
            account: Some(account.into()),
            encrypted: false,
            messages: 0,
        }
    }

    fn envelope(mail_from: &str) -> Envelope {
        Envelope { mail_from: mail_from.to_owned(), ..Envelope::default() }
    }

    fn policy(script: &str) -> Policy {
        Policy::new(Arc::new(toml::from_str(script).unwrap()))
    }

    #[test]
    fn greylisting_waits_for_the_same_sender_and_recipient() {
        let policy = policy("greylist = { delay_ms = 1000 }");
        let code = |from: &str, now| {
            policy.at_rcpt(&peer("a"), &envelope(from), "r@x.test", now).map(|r| r.code)
        };
        assert_eq!(code("one@y.test", 0), Some(451));
        assert_eq!(code("one@y.test", 999), Some(451));
        assert_eq!(code("two@y.test", 1_000), Some(451), "another MAIL FROM begins anew");
        assert_eq!(code("one@y.test", 1_000), None);
        assert_eq!(code("one@y.test", 9_000), None);
    }

    #[test]
    fn a_refused_recipient_uses_up_no_quota() {
        let policy = policy(
            r#"
            rules = [{ at = "rcpt", recipient = "gone.test", reply = "550 5.1.1 gone" }]
            quotas = [{ amount = 1, window_ms = 1000, reply = "550 5.4.5 limit" }]
            "#,
        );
        let text = |account: &str, rcpt: &str, now| {
            policy
                .at_rcpt(&peer(account), &envelope("f@y.test"), rcpt, now)
                .map(|reply| reply.text.into_owned())
        };
        assert_eq!(text("a", "r@gone.test", 0).as_deref(), Some("gone"));
        assert_eq!(text("a", "r@x.test", 0), None);
        assert_eq!(text("a", "r@x.test", 999).as_deref(), Some("limit"));
        assert_eq!(text("b", "r@x.test", 999), None, "each account has its own");
        assert_eq!(text("a", "r@x.test", 1_000), None);
    }

    #[test]
    fn of_two_quotas_neither_counts_what_the_other_refuses() {
        let policy = policy(
            r#"
            [[quotas]]
            amount = 10
            window_ms = 100000
            refuse_at = "dot"
            reply = "454 day"
            [[quotas]]
            amount = 2
            window_ms = 1000
            unit = "messages"
            refuse_at = "dot"
            scope = "server"
            reply = "454 rate"
            "#,
        );
        let text = |rcpts, now| {
            policy.at_acceptance(&peer("a"), rcpts, now).map(|reply| reply.text.into_owned())
        };
        assert_eq!(text(4, 0), None);
        assert_eq!(text(4, 1), None);
        assert_eq!(text(1, 2).as_deref(), Some("rate"));
        assert_eq!(text(2, 1_001), None);
        assert_eq!(text(1, 1_002).as_deref(), Some("day"));
    }

    #[test]
    fn a_mix_by_recipient_says_the_same_again() {
        let policy = policy(
            r#"
            [[mixes]]
            at = "rcpt"
            by = "recipient"
            choices = [{ weight = 1 }, { weight = 1, reply = "550 5.1.1 no" }]
            "#,
        );
        let refused = |n: u32| policy.mix(Phase::Rcpt, &format!("r{n}@x.test")).is_some();
        let first: Vec<_> = (0..200).map(refused).collect();
        assert_eq!(first, (0..200).map(refused).collect::<Vec<_>>());
        let count = first.iter().filter(|refused| **refused).count();
        assert!((70..130).contains(&count), "{count}");
    }
}
