//! Dates and times in a zone and a language.
//!
//! `{{date birthday}}`, `{{date starts_at "full"}}`, `{{date starts_at format="%H:%M, %A %d/%m" zone="Asia/Tokyo"}}`,
//! `{{date "now" "short"}}` (the message's own date). A value with an offset is an instant and is shown in the zone;
//! one without is a wall-clock time and is shown as it stands.

use super::{Args, Fault};
use crate::facts::Locale;
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

pub(super) fn date(args: &Args<'_, '_>) -> Result<Value, Fault> {
    let zone = args.zone()?;
    let locale = args.locale()?;
    let moment = read(args.value(0)?, args.sent_at(), &zone)?;
    let format = args.named("format", 1).unwrap_or_else(|| "long".to_owned());
    let pattern = match named_pattern(&format, locale) {
        Some(pattern) => pattern,
        None if format.contains('%') => &format,
        None => {
            return Err(Fault::Says(format!(
                "there is no format {format:.40}; there are short, long, full, time, datetime, iso and patterns like %d/%m/%Y"
            )));
        }
    };
    let pattern = in_words(pattern, &moment, locale);
    jiff::fmt::strtime::format(&pattern, &moment)
        .map(Value::from)
        .map_err(|e| Fault::Says(format!("the pattern {pattern:.60} cannot be used: {e}")))
}

fn named_pattern(name: &str, locale: Locale) -> Option<&'static str> {
    Some(match (name, locale) {
        ("short", Locale::En) => "%-d %b %Y",
        ("short", Locale::Vi) => "%d/%m/%Y",
        ("long", Locale::En) => "%-d %B %Y",
        ("long", Locale::Vi) => "%-d %B, %Y",
        ("full", Locale::En) => "%A, %-d %B %Y",
        ("full", Locale::Vi) => "%A, %-d %B, %Y",
        ("datetime", Locale::En) => "%-d %b %Y, %H:%M",
        ("datetime", Locale::Vi) => "%H:%M, %d/%m/%Y",
        ("time", Locale::En | Locale::Vi) => "%H:%M",
        ("iso", Locale::En | Locale::Vi) => "%Y-%m-%d",
        _ => return None,
    })
}

fn read(value: &Value, sent_at: i64, zone: &TimeZone) -> Result<Zoned, Fault> {
    let of_ms = |ms: i64| Timestamp::from_millisecond(ms).ok().map(|t| t.to_zoned(zone.clone()));
    let not = || {
        Fault::Says(format!(
            "{value:.40} is not a date; write it like 2026-12-01 or 2026-12-01T09:00:00Z"
        ))
    };
    match value {
        Value::Number(n) => {
            let n = n.as_i64().ok_or_else(not)?;
            // Seconds until the year 5138, milliseconds above.
            of_ms(if n.abs() < 100_000_000_000 { n * 1000 } else { n }).ok_or_else(not)
        }
        Value::String(s) if matches!(s.trim(), "now" | "today") => of_ms(sent_at).ok_or_else(not),
        Value::String(s) => read_text(s.trim(), zone).ok_or_else(not),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(not()),
    }
}

fn read_text(text: &str, zone: &TimeZone) -> Option<Zoned> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.to_zoned(zone.clone()));
    }
    let at = text
        .parse::<civil::DateTime>()
        .ok()
        .or_else(|| civil::DateTime::strptime("%d/%m/%Y %H:%M", text).ok())
        .or_else(|| civil::Date::strptime("%d/%m/%Y", text).ok().map(civil::DateTime::from))?;
    at.to_zoned(zone.clone()).ok()
}

const DAYS: [&str; 7] =
    ["Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật"];
const SHORT_DAYS: [&str; 7] = ["T2", "T3", "T4", "T5", "T6", "T7", "CN"];

/// Replaces the specifiers that are words in the locale's language.
fn in_words(pattern: &str, moment: &Zoned, locale: Locale) -> String {
    if locale == Locale::En {
        return pattern.to_owned();
    }
    let day = usize::try_from(moment.weekday().to_monday_zero_offset()).unwrap_or(0);
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('A')) => out.push_str(DAYS[day]),
            ('%', Some('a')) => out.push_str(SHORT_DAYS[day]),
            ('%', Some('B')) => out.push_str(&format!("tháng {}", moment.month())),
            ('%', Some('b' | 'h')) => out.push_str(&format!("thg {}", moment.month())),
            ('%', Some(other)) => out.extend(['%', other]),
            (c, _) => out.push(c),
        }
    }
    out
}
