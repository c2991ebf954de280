//! Inputs with readable defaults.

use postroad_model::ledger::Book;
use postroad_model::limit::{CalendarPeriod, Limit, LimitUnit};
use postroad_model::plan::Cohort;
use postroad_model::send_window::SendWindow;
use postroad_model::when::{Zone, parse_when};
use postroad_model::{MailboxProvider, Timestamp};
use postroad_planner::{Account, DEFAULT_RATE, PlanInput, PlanRelay};
use std::time::Duration;

pub const HCM: &str = "Asia/Ho_Chi_Minh";

pub fn at(text: &str, zone: &str) -> Timestamp {
    parse_when(text, Some(&Zone::parse(zone).unwrap())).unwrap().at
}

/// A campaign of `people` that starts now, without relays.
pub fn campaign(start: &str, zone: &str, people: &[(MailboxProvider, i64)]) -> PlanInput {
    let now = at(start, zone);
    PlanInput {
        now,
        start: now,
        latest_start: None,
        expires_at: None,
        window: None,
        zone: Zone::parse(zone).unwrap(),
        pool: "newsletter".into(),
        cohorts: people
            .iter()
            .map(|(provider, count)| Cohort { provider: *provider, count: *count })
            .collect(),
        relays: Vec::new(),
        accounts: Vec::new(),
        brakes: Vec::new(),
    }
}

/// Adds a relay with an account of its own.
pub fn relay(input: &mut PlanInput, name: &str, limits: Vec<Limit>) {
    let account = format!("relay:{name}");
    input.relays.push(PlanRelay {
        name: name.into(),
        account: account.clone(),
        rate: DEFAULT_RATE,
    });
    let limits = limits.into_iter().map(|limit| (limit, Book::new())).collect();
    input.accounts.push(Account { name: account, limits });
}

pub fn rolling(name: &str, amount: i64, seconds: u64) -> Limit {
    Limit::rolling(name, amount, LimitUnit::Recipients, Duration::from_secs(seconds))
}

pub fn a_day(amount: i64) -> Limit {
    rolling("day", amount, 86_400)
}

pub fn calendar(period: CalendarPeriod, amount: i64, zone: &str) -> Limit {
    let name = match period {
        CalendarPeriod::Day => "calendar day",
        CalendarPeriod::Month => "month",
    };
    Limit::calendar(name, amount, LimitUnit::Recipients, period, zone)
}

pub fn window(input: &mut PlanInput, hours: &str, zone: &str) {
    input.window = Some(SendWindow::parse(hours, Zone::parse(zone).unwrap()).unwrap());
}
