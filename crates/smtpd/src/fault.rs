//! Decides which scripted fault strikes now.
//!
//! Asked by the connection at each phase; pure but for the counters of occasions, which span all
//! connections of a server. The dice are thrown from the seed, the fault's place and the count, so a run
//! can be repeated.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    behaviour::{Behaviour, Fault, FaultAction, Moment, Phase, When},
    pattern::fits,
};

/// Counts the occasions of one rule, mix or fault.
#[derive(Debug, Default)]
pub(crate) struct Occasions(AtomicU64);

impl Occasions {
    /// Counts this occasion, starting at 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts this occasion and says whether it is one of those meant. `dice` names the thrower.
    pub(crate) fn strikes(&self, when: &When, dice: u64) -> bool {
        let count = self.next();
        when.nth.is_none_or(|n| count == n)
            && when.every.is_none_or(|n| n > 0 && count.is_multiple_of(n))
            && when.first.is_none_or(|n| count <= n)
            && when.probability.is_none_or(|p| throw(dice, count).random::<f64>() < p)
    }
}

/// The dice of one thrower at one throw.
pub(crate) fn throw(dice: u64, count: u64) -> StdRng {
    // An odd factor keeps neighbouring throws and throwers apart; StdRng mixes the rest.
    StdRng::seed_from_u64(dice.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ count)
}

pub(crate) struct Faults {
    behaviour: Arc<Behaviour>,
    occasions: Vec<Occasions>,
}

/// A break of the body that was decided when the body began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) after_bytes: u64,
    pub(crate) action: FaultAction,
}

impl Faults {
    pub(crate) fn new(behaviour: Arc<Behaviour>) -> Self {
        let occasions = behaviour.faults.iter().map(|_| Occasions::default()).collect();
        Self { behaviour, occasions }
    }

    /// The fault that breaks the connection around the reply of this phase.
    pub(crate) fn breaking(
        &self,
        at: Phase,
        moment: Moment,
        recipient: &str,
    ) -> Option<FaultAction> {
        self.find(recipient, |f| f.at == at && f.moment == moment && !shapes(f.action))
            .map(|fault| fault.action)
    }

    /// The fault that deforms the reply of this phase.
    pub(crate) fn shaping(&self, at: Phase, recipient: &str) -> Option<FaultAction> {
        self.find(recipient, |f| f.at == at && shapes(f.action)).map(|fault| fault.action)
    }

    /// Whether the body that begins now will be cut.
    pub(crate) fn cut(&self, recipient: &str) -> Option<Cut> {
        self.find(recipient, |f| f.at == Phase::Body && !shapes(f.action))
            .map(|fault| Cut { after_bytes: fault.after_bytes, action: fault.action })
    }

    fn find(&self, recipient: &str, wanted: impl Fn(&Fault) -> bool) -> Option<&Fault> {
        let mut all = self.behaviour.faults.iter().zip(&self.occasions).zip(0_u64..);
        all.find(|((fault, occasions), place)| {
            wanted(fault)
                && fits(fault.recipient.as_deref(), recipient)
                && occasions.strikes(&fault.when, self.behaviour.seed ^ (place << 32))
        })
        .map(|((fault, _), _)| fault)
    }
}

fn shapes(action: FaultAction) -> bool {
    match action {
        FaultAction::Garbage | FaultAction::Multiline { .. } | FaultAction::Slow { .. } => true,
        FaultAction::Drop
        | FaultAction::Reset
        | FaultAction::HalfClose
        | FaultAction::Stall { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(when: When) -> Vec<u64> {
        let occasions = Occasions::default();
        (1..=9).filter(|_| occasions.strikes(&when, 3)).collect()
    }

    #[test]
    fn occasions_are_counted_from_one() {
        assert_eq!(struck(When { nth: Some(2), ..When::default() }), [2]);
        assert_eq!(struck(When { every: Some(4), ..When::default() }), [4, 8]);
        assert_eq!(struck(When { first: Some(3), ..When::default() }), [1, 2, 3]);
        assert_eq!(struck(When::default()).len(), 9);
        assert_eq!(struck(When { every: Some(0), ..When::default() }), [0; 0]);
    }

    #[test]
    fn dice_fall_alike_for_the_same_seed_and_about_as_often_as_told() {
        let throws = |dice| {
            let occasions = Occasions::default();
            let when = When { probability: Some(0.25), ..When::default() };
            (0..4_000).map(|_| occasions.strikes(&when, dice)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
        let hits = throws(1).into_iter().filter(|hit| *hit).count();
        assert!((900..1_100).contains(&hits), "{hits}");
    }
}
