//! Limits: what an operator of a relay lets an account send, as a type.
//!
//! A limit counts recipients or messages over a rolling window or a calendar period of a zone. Postroad sends
//! one recipient per message, so both units count the same RCPT. Windows of 10 minutes and more are kept by the
//! ledger (exact, durable, `ledger`), shorter ones by the pacer in the memory of the scope's only owner.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitUnit {
    /// RCPT commands.
    Recipients,
    /// Mail transactions.
    Messages,
}

/// The stretch of time that a limit counts over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// Any stretch of this length.
    Rolling {
        /// Length in milliseconds, at least 1.
        ms: i64,
    },
    /// A day or month of a zone's calendar.
    Calendar {
        /// Which period.
        period: CalendarPeriod,
        /// IANA name of the zone, e.g. `America/Los_Angeles`.
        zone: String,
    },
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalendarPeriod {
    /// Midnight to midnight.
    Day,
    /// First of the month to the next.
    Month,
}

/// Who counts a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// Rows in the store, reserved in W1.
    Ledger,
    /// Memory of the lane's owner.
    Pacer,
}

/// The shortest window that the ledger keeps.
pub const LEDGER_MIN_MS: i64 = 600_000;

/// One limit of a relay or of the account that several relays share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Short name, unique in its scope; quota replies refer to it. For instance `day`.
    pub name: String,
    /// How many are allowed in the window, after `reserve` was taken off.
    pub amount: i64,
    /// What is counted.
    pub unit: LimitUnit,
    /// Over which time.
    pub window: Window,
    /// Who counts it.
    pub keeper: Keeper,
}

impl Limit {
    /// A rolling limit kept by the ledger from [`LEDGER_MIN_MS`] on, by the pacer below it.
    #[must_use]
    pub fn rolling(name: &str, amount: i64, unit: LimitUnit, window: Duration) -> Self {
        let ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX).max(1);
        let keeper = if ms >= LEDGER_MIN_MS { Keeper::Ledger } else { Keeper::Pacer };
        Self { name: name.into(), amount, unit, window: Window::Rolling { ms }, keeper }
    }

    /// A calendar limit, always kept by the ledger.
    #[must_use]
    pub fn calendar(
        name: &str,
        amount: i64,
        unit: LimitUnit,
        period: CalendarPeriod,
        zone: &str,
    ) -> Self {
        let window = Window::Calendar { period, zone: zone.into() };
        Self { name: name.into(), amount, unit, window, keeper: Keeper::Ledger }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling { ms } if ms % 86_400_000 == 0 && *ms != 86_400_000 => {
                write!(f, "{}d", ms / 86_400_000)
            }
            Self::Rolling { ms } if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            Self::Rolling { ms } if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            Self::Rolling { ms } if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            Self::Rolling { ms } => write!(f, "{ms}ms"),
            Self::Calendar { period: CalendarPeriod::Day, zone } => write!(f, "day in {zone}"),
            Self::Calendar { period: CalendarPeriod::Month, zone } => write!(f, "month in {zone}"),
        }
    }
}
