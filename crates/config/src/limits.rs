//! Limits: their syntax, whose number counts, what `reserve` leaves, and who shares them.
//!
//! The operator's number wins over the profile's of the same name or window. An absent limit means "ask the
//! operator", never "unlimited". Relays of one quota group are one account: they carry the same limits, so that
//! the ledger never has two truths on one scope.

use crate::problem::{Context, suggest};
use crate::section::{At, Section};
use postroad_model::limit::{CalendarPeriod, Keeper, Limit, LimitUnit, Window};
use postroad_model::{Timestamp, ledger::Book, time::parse_duration};
use std::time::Duration;

const MAX_AMOUNT: i64 = 1_000_000_000_000;
const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// Who gave a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitSource {
    /// The profile: what the relay's operator publishes.
    Profile,
    /// The configuration: what the relay's operator told its customer.
    Configuration,
}

/// What a relay's `limits` key says.
#[derive(Clone, Debug)]
pub(crate) enum Stated {
    /// Nothing.
    Absent,
    /// `limits = "none"`: the operator's word that there are none.
    NoLimits(usize),
    /// A list.
    List(Vec<At<Limit>>),
}

/// A limit before `reserve` is taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub limit: Limit,
    pub source: LimitSource,
}

/// Reads `limits` of a relay.
pub(crate) fn read_stated(section: &Section<'_>) -> Stated {
    let is_text = section
        .value("limits")
        .is_some_and(|v| matches!(v.get_ref(), toml::de::DeValue::String(_)));
    if is_text {
        let text = section.string("limits").map(|t| t.value).unwrap_or_default();
        let at = section.place("limits");
        if text == "none" {
            return Stated::NoLimits(at);
        }
        section.error(at, "limits", format!("{text:?} is not known; write a list or \"none\""));
        return Stated::Absent;
    }
    if !section.has("limits") {
        return Stated::Absent;
    }
    let list = read_list(section);
    if list.is_empty() {
        section.error(
            section.place("limits"),
            "limits",
            "is an empty list; give limits, or leave the key out to take the profile's, or write \
             limits = \"none\" as your word that there are none",
        );
    }
    Stated::List(list)
}

/// Reads a list of limits; names and windows must differ.
pub(crate) fn read_list(section: &Section<'_>) -> Vec<At<Limit>> {
    let mut list: Vec<At<Limit>> = Vec::new();
    for entry in section.tables("limits", "relay.limits") {
        let Some(limit) = read_limit(&entry) else { continue };
        if list.iter().any(|l| l.value.name == limit.name) {
            entry.error(
                entry.at,
                "name",
                format!("a second limit named {:?}; give it a name of its own", limit.name),
            );
            continue;
        }
        list.push(At { value: limit, at: entry.at });
    }
    list
}

fn read_limit(entry: &Section<'_>) -> Option<Limit> {
    let amount = entry.integer("amount", 1..=MAX_AMOUNT);
    if !entry.has("amount") {
        entry.missing("amount", "how many are allowed, e.g. amount = 500");
    }
    let unit = if entry.has("unit") {
        entry.choice(
            "unit",
            &[("recipients", LimitUnit::Recipients), ("messages", LimitUnit::Messages)],
        )
    } else {
        entry.value("unit");
        Some(LimitUnit::Recipients)
    };
    let window = read_window(entry);
    let name = entry.name("name");
    let keeper = entry
        .has("keeper")
        .then(|| entry.choice("keeper", &[("ledger", Keeper::Ledger), ("pacer", Keeper::Pacer)]))
        .flatten();
    entry.value("keeper");
    entry.finish();
    let (window, amount, unit) = (window?, amount?.value, unit?);
    let name = name.map_or_else(|| default_name(&window), |n| n.value);
    let mut limit = match &window {
        Window::Rolling { ms } => {
            let length = Duration::from_millis(u64::try_from(*ms).unwrap_or(1));
            Limit::rolling(&name, amount, unit, length)
        }
        Window::Calendar { period, zone } => Limit::calendar(&name, amount, unit, *period, zone),
    };
    match keeper {
        Some(Keeper::Pacer) if limit.keeper == Keeper::Ledger => {
            entry.error(
                entry.place("keeper"),
                "keeper",
                "the pacer forgets at a restart; windows of 10 minutes and more belong to the ledger",
            );
            return None;
        }
        Some(keeper) => limit.keeper = keeper,
        None => {}
    }
    Some(limit)
}

fn read_window(entry: &Section<'_>) -> Option<Window> {
    let zone = entry.word("zone");
    let Some(per) = entry.word("per") else {
        if !entry.has("per") {
            entry.missing(
                "per",
                "over which time, e.g. per = \"24h\", \"1s\", \"day\" or \"month\"",
            );
        }
        return None;
    };
    let period = match per.value.as_str() {
        "day" => CalendarPeriod::Day,
        "month" => CalendarPeriod::Month,
        length => {
            if let Some(zone) = zone {
                entry.error(
                    zone.at,
                    "zone",
                    "only per = \"day\" and \"month\" have a zone; a length rolls",
                );
            }
            return rolling(entry, &per, length);
        }
    };
    let Some(zone) = zone else {
        if !entry.has("zone") {
            entry.missing(
                "zone",
                "where the period begins at midnight, e.g. zone = \"UTC\" (ask the relay's operator)",
            );
        }
        return None;
    };
    let window = Window::Calendar { period, zone: zone.value };
    let probe = Limit::calendar("probe", 1, LimitUnit::Recipients, period, zone_of(&window));
    if Book::new().free(&probe, Timestamp(0)).is_err() {
        let name = zone_of(&window);
        entry.error(
            zone.at,
            "zone",
            format!("{name:?} is no time zone; write e.g. \"UTC\" or \"Asia/Ho_Chi_Minh\""),
        );
        return None;
    }
    Some(window)
}

fn zone_of(window: &Window) -> &str {
    match window {
        Window::Calendar { zone, .. } => zone,
        Window::Rolling { .. } => "UTC",
    }
}

fn rolling(entry: &Section<'_>, per: &At<String>, length: &str) -> Option<Window> {
    match parse_duration(length) {
        Some(d) if (Duration::from_secs(1)..=MAX_WINDOW).contains(&d) => {
            Some(Window::Rolling { ms: i64::try_from(d.as_millis()).unwrap_or(i64::MAX) })
        }
        Some(_) => {
            entry.error(per.at, "per", "must lie between 1s and 366d");
            None
        }
        None => {
            let near = suggest(length, ["day", "month", "24h", "1h", "1m", "1s"]);
            entry.error(per.at, "per", format!("{length:?} is no window{near}"));
            None
        }
    }
}

/// `day` for 24 h and the calendar day alike, so that a quota reply finds the limit it speaks of.
fn default_name(window: &Window) -> String {
    match window {
        Window::Rolling { ms: 86_400_000 }
        | Window::Calendar { period: CalendarPeriod::Day, .. } => "day".into(),
        Window::Calendar { period: CalendarPeriod::Month, .. } => "month".into(),
        Window::Rolling { ms: 3_600_000 } => "hour".into(),
        Window::Rolling { ms: 60_000 } => "minute".into(),
        Window::Rolling { ms: 1_000 } => "second".into(),
        Window::Rolling { .. } => window.to_string(),
    }
}

/// The profile's limits with the operator's own numbers put over them.
pub(crate) fn merge(
    ctx: &Context<'_>,
    key: &str,
    profile: &[Limit],
    stated: &Stated,
) -> Vec<Merged> {
    let from_profile =
        |limit: &Limit| Merged { limit: limit.clone(), source: LimitSource::Profile };
    let mut merged: Vec<Merged> = profile.iter().map(from_profile).collect();
    let Stated::List(list) = stated else { return merged };
    for own in list {
        let mut limit = own.value.clone();
        let known = merged.iter_mut().find(|m| {
            m.source == LimitSource::Profile
                && (m.limit.name == limit.name || m.limit.window == limit.window)
        });
        let Some(known) = known else {
            merged.push(Merged { limit, source: LimitSource::Configuration });
            continue;
        };
        if limit.amount > known.limit.amount && known.limit.window == limit.window {
            let (published, window) = (known.limit.amount, &known.limit.window);
            ctx.warn(
                own.at,
                key,
                format!(
                    "{} per {window} is more than the {published} that the operator publishes; your \
                     number is used",
                    limit.amount
                ),
            );
        }
        limit.name.clone_from(&known.limit.name);
        *known = Merged { limit, source: LimitSource::Configuration };
    }
    merged
}

/// Takes the reserve off every limit of the ledger.
pub(crate) fn take_reserve(
    ctx: &Context<'_>,
    key: &str,
    merged: &[Merged],
    reserve: Option<&At<i64>>,
) -> Vec<Limit> {
    let Some(reserve) = reserve else { return merged.iter().map(|m| m.limit.clone()).collect() };
    let keeps = |m: &&Merged| m.limit.keeper == Keeper::Ledger;
    if !merged.iter().any(|m| keeps(&m)) && reserve.value > 0 {
        ctx.error(
            reserve.at,
            key,
            "there is no limit of 10 minutes or more that a part could be kept back from",
        );
    }
    let mut limits = Vec::new();
    for m in merged {
        let mut limit = m.limit.clone();
        if limit.keeper == Keeper::Ledger {
            limit.amount -= reserve.value;
            if limit.amount < 1 {
                ctx.error(
                    reserve.at,
                    key,
                    format!(
                        "keeps back {} of the {} per {}: nothing is left to send with",
                        reserve.value, m.limit.amount, m.limit.window
                    ),
                );
                limit.amount = 1;
            }
        }
        limits.push(limit);
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_a_name_is_named_after_its_window() {
        let check = |window, expected: &str| assert_eq!(default_name(&window), expected);
        check(Window::Rolling { ms: 86_400_000 }, "day");
        check(Window::Calendar { period: CalendarPeriod::Day, zone: "UTC".into() }, "day");
        check(Window::Calendar { period: CalendarPeriod::Month, zone: "UTC".into() }, "month");
        check(Window::Rolling { ms: 1_000 }, "second");
        check(Window::Rolling { ms: 600_000 }, "10m");
    }
}
