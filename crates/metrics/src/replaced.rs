//! Gauges of which many series are replaced at once, before each scrape.
//!
//! Below `snapshot`. To forget all series and make them anew costs the library more than the scrape's queries, and nearly all
//! are there again. So a series that is set again only gets its value, and one that was not set is removed. What must always
//! hold: after `replace` there are exactly the series that were set in it.

use crate::counting::int_gauge_vec;
use crate::names::Definition;
use prometheus::{IntGaugeVec, Registry};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// No label value has it: names hold no control characters.
const BETWEEN: char = '\u{1f}';

#[derive(Debug)]
pub(crate) struct Replaced {
    vec: IntGaugeVec,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    round: u64,
    /// By their label values, with the round in which each was set last.
    series: HashMap<String, u64>,
    /// Kept for its allocation.
    key: String,
}

/// The series of one round.
pub(crate) struct Round<'a> {
    vec: &'a IntGaugeVec,
    shown: &'a mut Shown,
}

impl Round<'_> {
    pub(crate) fn set(&mut self, labels: &[&str], value: i64) {
        let Shown { round, series, key } = &mut *self.shown;
        key.clear();
        for (n, label) in labels.iter().enumerate() {
            if n > 0 {
                key.push(BETWEEN);
            }
            key.push_str(label);
        }
        match series.get_mut(key.as_str()) {
            Some(last) => *last = *round,
            None => drop(series.insert(key.clone(), *round)),
        }
        self.vec.with_label_values(labels).set(value);
    }
}

impl Replaced {
    pub(crate) fn new(registry: &Registry, definition: &Definition) -> Self {
        Self { vec: int_gauge_vec(registry, definition), shown: Mutex::default() }
    }

    /// Leaves the series that `fill` sets.
    pub(crate) fn replace(&self, fill: impl FnOnce(&mut Round<'_>)) {
        let mut shown = self.shown();
        shown.round += 1;
        fill(&mut Round { vec: &self.vec, shown: &mut shown });
        let now = shown.round;
        shown.series.retain(|key, round| {
            let stays = *round == now;
            if !stays {
                let labels: Vec<&str> = key.split(BETWEEN).collect();
                // It fails when nobody has it any more, which is what is wanted.
                let _ = self.vec.remove_label_values(&labels);
            }
            stays
        });
    }

    /// Leaves none.
    pub(crate) fn clear(&self) {
        self.replace(|_| ());
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Whatever a holder did, the next round sets all that there is.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;
    use prometheus::TextEncoder;

    #[test]
    fn after_each_round_there_are_exactly_the_series_that_were_set_in_it() {
        let registry = Registry::new();
        let opens = Replaced::new(&registry, &names::CAMPAIGN_OPENS);
        let check = |set: &[([&str; 3], i64)], lines: &[&str]| {
            opens.replace(|round| set.iter().for_each(|(labels, n)| round.set(labels, *n)));
            let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let found: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
            assert_eq!(found, lines);
        };
        const GOOGLE: &str =
            "postroad_campaign_opens{campaign=\"a\",kind=\"human\",provider=\"google\"}";
        const YAHOO: &str =
            "postroad_campaign_opens{campaign=\"a\",kind=\"human\",provider=\"yahoo\"}";
        let (google, yahoo) = (["a", "google", "human"], ["a", "yahoo", "human"]);
        check(&[(google, 1), (yahoo, 2)], &[&format!("{GOOGLE} 1"), &format!("{YAHOO} 2")]);
        check(&[(google, 3)], &[&format!("{GOOGLE} 3")]);
        check(&[(yahoo, 4)], &[&format!("{YAHOO} 4")]);
        opens.clear();
        check(&[], &[]);
    }
}
