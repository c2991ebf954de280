//! Turns cohorts, relays, limits and send windows into an immutable plan with a forecast.
//!
//! Hop 4 of a campaign: `campaign` counts the audience by mailbox provider, reads limits and brakes, and calls
//! [`plan`]; the slices become the `not_before` of the delivery rows, the forecast is shown at `campaign plan` and
//! `schedule`. [`check`] holds a plan against its input and says what it breaks: the oracle of the tests.
//!
//! What must hold: pure and deterministic; every recipient in exactly one slice; no limit, window or stop is
//! ever exceeded by the forecast; more quota never ends later. The cost grows with the number of times at which a
//! limit, a window or a brake changes, never with the number of recipients.
//!
//! It decides nothing that the engine decides at the lease: which relay takes which row, and whether a brake still
//! holds. It sees no address. Other campaigns on the same relays are not foreseen, and a brake on one mailbox
//! provider at one of several relays is not either.

mod account;
mod check;
mod explain;
mod input;
mod simulate;

pub use check::{Violation, check};
pub use explain::explain;
pub use input::{Account, Brake, BrakeForce, DEFAULT_RATE, Error, PlanInput, PlanRelay};

use postroad_model::plan::{Forecast, Outlook, Plan, RelayForecast, Sending, Slice};
use postroad_model::when::Zone;
use simulate::Simulated;

/// Makes the plan and its forecast.
///
/// # Errors
/// When the input contradicts itself; a campaign that cannot end is no error but an [`Outlook`].
pub fn plan(input: &PlanInput) -> Result<Plan, Error> {
    input.validate()?;
    let simulated = simulate::simulate(input)?;
    let not_before = input.first_opening();
    let slices = input
        .cohorts
        .iter()
        .filter(|cohort| cohort.count > 0)
        .map(|cohort| Slice {
            provider: cohort.provider,
            pool: input.pool.clone(),
            not_before,
            count: cohort.count,
        })
        .collect();
    let forecast = forecast(input, &simulated);
    Ok(Plan { slices, forecast, sendings: simulated.sendings })
}

fn forecast(input: &PlanInput, simulated: &Simulated) -> Forecast {
    let outlook = match (simulated.left_at_expiry, input.expires_at) {
        (Some(left), Some(at)) if left > 0 => {
            Outlook::Expires { at, left, would_end: simulated.ends_at }
        }
        _ => match simulated.ends_at {
            Some(at) => Outlook::Ends { at },
            None => Outlook::Never { left: simulated.left },
        },
    };
    let relays = input
        .relays
        .iter()
        .map(|relay| RelayForecast {
            relay: relay.name.clone(),
            days: days_of(&relay.name, &simulated.sendings, &input.zone),
        })
        .collect();
    Forecast {
        people: input.people(),
        zone: input.zone.clone(),
        starts_at: simulated.sendings.iter().map(|s| s.from).min(),
        relays,
        outlook,
    }
}

/// What one relay sends on each date. A stretch over midnight is split in proportion to its time.
fn days_of(relay: &str, sendings: &[Sending], zone: &Zone) -> Vec<(String, i64)> {
    let mut days: Vec<(String, i64)> = Vec::new();
    let mut add = |date: String, n: i64| match days.last_mut() {
        Some((last, count)) if *last == date => *count += n,
        _ if n > 0 => days.push((date, n)),
        _ => {}
    };
    let mut midnight = None;
    for sending in sendings.iter().filter(|s| s.relay == relay) {
        let (mut from, mut left) = (sending.from, sending.count);
        loop {
            // Sendings come in order of time, so a midnight serves until it has passed.
            let end = match midnight {
                Some(end) if end > from => end,
                _ => zone.next_day(from),
            };
            midnight = Some(end);
            if end >= sending.until {
                add(zone.date(from), left);
                break;
            }
            let part = i128::from(left) * i128::from(end.since_ms(from))
                / i128::from(sending.until.since_ms(from).max(1));
            let part = i64::try_from(part).unwrap_or(left);
            add(zone.date(from), part);
            (from, left) = (end, left - part);
        }
    }
    days
}
