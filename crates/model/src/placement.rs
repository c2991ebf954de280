//! Where a seed's copy of a campaign landed, and what may be concluded from how many of them did.
//!
//! `placement` finds the states, `metrics` publishes the counts and the rates made from them here, so that each place
//! that shows an inbox rate shows the same one. The interval is Wilson's, which holds for small samples too: five of
//! five inboxes say "57 % or more", not "100 %".
//!
//! What must always hold: a rate never stands without its interval and its sample size. Not done here: weighting by
//! the audience's real mix of providers ([`crate::weighted`]), and what follows from a rate ([`crate::canary`]).

use std::fmt;
use std::ops::AddAssign;

/// Where a seed's copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Placement {
    /// No relay has taken it: it waits, was refused or was cancelled.
    NotSent,
    /// Taken, and not found yet; the time for it is not over.
    Pending,
    /// In the inbox, in its first tab where it has tabs.
    Inbox,
    /// In another tab of the inbox: promotions, social, updates, forums.
    Promotions,
    /// In the folder for spam.
    Spam,
    /// In a folder that is neither: a rule of the mailbox's owner.
    Other,
    /// Not found in time.
    Missing,
    /// Nobody could look: the login failed.
    Unknown,
}

impl Placement {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NotSent,
        Self::Pending,
        Self::Inbox,
        Self::Promotions,
        Self::Spam,
        Self::Other,
        Self::Missing,
        Self::Unknown,
    ];

    /// The name in metrics and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Pending => "pending",
            Self::Inbox => "inbox",
            Self::Promotions => "promotions",
            Self::Spam => "spam",
            Self::Other => "other",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// How the receiving side looks for the sender's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthMethod {
    /// Which addresses may send for the envelope's domain.
    Spf,
    /// A signature of a domain (RFC 6376).
    Dkim,
    /// One of both, in alignment with From (RFC 7489).
    Dmarc,
}

impl AuthMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spf, Self::Dkim, Self::Dmarc];

    /// The name in metrics and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
        }
    }
}

/// What a mailbox provider's Authentication-Results say of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthResult {
    /// It passed.
    Pass,
    /// It failed, softly or not.
    Fail,
    /// There was nothing to judge.
    None,
    /// Anything else, trouble at their side among it.
    Other,
}

impl AuthResult {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Fail, Self::None, Self::Other];

    /// The name in metrics and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::Other => "other",
        }
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }
}

/// How many copies are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlacementCounts([u32; Placement::ALL.len()]);

impl PlacementCounts {
    /// One more copy.
    pub fn add(&mut self, placement: Placement, copies: u32) {
        let count = &mut self.0[placement.index()];
        *count = count.saturating_add(copies);
    }

    /// Copies in one place.
    #[must_use]
    pub fn of(&self, placement: Placement) -> u32 {
        self.0[placement.index()]
    }

    /// Copies that say something: inbox with its tabs, spam and missing.
    #[must_use]
    pub fn samples(&self) -> u32 {
        [Placement::Spam, Placement::Missing]
            .into_iter()
            .fold(self.inboxes(), |sum, placement| sum.saturating_add(self.of(placement)))
    }

    /// The inbox rate: inbox and its tabs / (those, spam and missing). `None` when there is nothing to divide by.
    #[must_use]
    pub fn rate(&self) -> Option<InboxRate> {
        InboxRate::wilson(self.inboxes(), self.samples())
    }

    fn inboxes(&self) -> u32 {
        self.of(Placement::Inbox).saturating_add(self.of(Placement::Promotions))
    }
}

impl AddAssign for PlacementCounts {
    fn add_assign(&mut self, other: Self) {
        for placement in Placement::ALL {
            self.add(placement, other.of(placement));
        }
    }
}

/// The normal distribution's 97.5 % point: intervals are those of 95 %.
pub(crate) const WILSON_Z: f64 = 1.959_963_984_540_054;

/// An inbox rate as it may be shown: never without its interval and its sample size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InboxRate {
    /// The observed share, 0 to 1.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub lower: f64,
    /// Upper end of the 95 % interval.
    pub upper: f64,
    /// Copies that it rests on.
    pub samples: u32,
}

impl InboxRate {
    /// So many inboxes of so many copies, with Wilson's 95 % interval; `None` without copies.
    #[must_use]
    pub fn wilson(inboxes: u32, samples: u32) -> Option<Self> {
        if samples == 0 {
            return None;
        }
        let ratio = f64::from(inboxes.min(samples)) / f64::from(samples);
        let (lower, upper) = wilson_ends(ratio, samples, WILSON_Z);
        Some(Self { ratio, lower, upper, samples })
    }
}

/// The ends of Wilson's interval for a share of `samples`, at `z` standard deviations.
pub(crate) fn wilson_ends(ratio: f64, samples: u32, z: f64) -> (f64, f64) {
    let n = f64::from(samples.max(1));
    let z2 = z * z;
    let middle = ratio + z2 / (2.0 * n);
    let half = z * (ratio * (1.0 - ratio) / n + z2 / (4.0 * n * n)).sqrt();
    let end = |x: f64| (x / (1.0 + z2 / n)).clamp(0.0, 1.0);
    // Where all or none are in inboxes one end is exact, whatever the rounding.
    let lower = if ratio <= 0.0 { 0.0 } else { end(middle - half) };
    let upper = if ratio >= 1.0 { 1.0 } else { end(middle + half) };
    (lower, upper)
}

/// `75 % of 16 copies (51 to 90 %)`: the only form in which a rate is put into a sentence.
impl fmt::Display for InboxRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |x: f64| (x * 100.0).round();
        let (ratio, lower, upper) = (percent(self.ratio), percent(self.lower), percent(self.upper));
        let copies = if self.samples == 1 { "copy" } else { "copies" };
        write!(f, "{ratio} % of {} {copies} ({lower} to {upper} %)", self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let check = |inboxes, samples, lower: f64, upper: f64| {
            let rate = InboxRate::wilson(inboxes, samples).unwrap();
            let percent = |x: f64| (x * 100.0).round();
            let found = (percent(rate.lower), percent(rate.upper));
            assert_eq!(found, (lower, upper), "{inboxes} of {samples}");
            assert_eq!(rate.samples, samples);
        };
        check(5, 5, 57.0, 100.0);
        check(9, 10, 60.0, 98.0);
        check(18, 20, 70.0, 97.0);
        check(27, 30, 74.0, 97.0);
        check(45, 50, 79.0, 96.0);
        check(90, 100, 83.0, 94.0);
        check(0, 10, 0.0, 28.0);
        check(0, 1, 0.0, 79.0);
        let shown = InboxRate::wilson(12, 16).unwrap().to_string();
        assert_eq!(shown, "75 % of 16 copies (51 to 90 %)");
    }

    #[test]
    fn tabs_are_inbox_and_only_what_says_something_is_divided_by() {
        let mut counts = PlacementCounts::default();
        assert_eq!(counts.rate(), None);
        for (n, placement) in Placement::ALL.into_iter().enumerate() {
            counts.add(placement, u32::try_from(n).unwrap() + 1);
        }
        // inbox 3, promotions 4, spam 5, missing 7
        assert_eq!(counts.samples(), 19);
        let rate = counts.rate().unwrap();
        assert!((rate.ratio - 7.0 / 19.0).abs() < 1e-12 && rate.samples == 19, "{rate:?}");
    }

    #[test]
    fn counts_add_up_place_by_place() {
        let mut sum = PlacementCounts::default();
        sum.add(Placement::Inbox, 2);
        let mut more = PlacementCounts::default();
        more.add(Placement::Inbox, 1);
        more.add(Placement::Unknown, 4);
        sum += more;
        assert_eq!((sum.of(Placement::Inbox), sum.of(Placement::Unknown)), (3, 4));
        assert_eq!(sum.of(Placement::Spam), 0);
    }
}
