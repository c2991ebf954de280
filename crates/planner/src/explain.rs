//! A plan as text: the forecast's line, the slices, and what each relay sends on each day.

use postroad_model::plan::{Plan, thousands};
use std::collections::BTreeMap;

/// Days listed before the rest is summed up.
const DAYS_SHOWN: usize = 31;

/// Explains a plan to the operator; ends in a line break.
#[must_use]
pub fn explain(plan: &Plan) -> String {
    let forecast = &plan.forecast;
    let mut text = format!("{forecast}\nTimes are those of {}.\n", forecast.zone);
    let mut rows = vec![vec!["provider".into(), "people".into(), "not before".into()]];
    for slice in &plan.slices {
        rows.push(vec![
            slice.provider.to_string(),
            thousands(slice.count),
            forecast.zone.short(slice.not_before),
        ]);
    }
    text.push_str(&format!("\n{}", table(&rows)));
    let days = days(plan);
    if days.is_empty() {
        text.push_str("\nNothing is sent.\n");
        return text;
    }
    let mut rows = vec![vec!["day".to_owned()]];
    rows[0].extend(forecast.relays.iter().map(|r| r.relay.clone()));
    rows[0].push("all".into());
    let line = |name: String, counts: &[i64]| {
        let mut row = vec![name];
        row.extend(counts.iter().map(|n| thousands(*n)));
        row.push(thousands(counts.iter().sum()));
        row
    };
    for (date, counts) in days.iter().take(DAYS_SHOWN) {
        rows.push(line(date.clone(), counts));
    }
    if days.len() > DAYS_SHOWN {
        let rest = days.iter().skip(DAYS_SHOWN);
        let mut sums = vec![0; forecast.relays.len()];
        for (_, counts) in rest {
            sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        rows.push(line(format!("{} more days", days.len() - DAYS_SHOWN), &sums));
    }
    text.push_str(&format!("\n{}", table(&rows)));
    text
}

/// Each date on which anything is sent, with a count for every relay.
fn days(plan: &Plan) -> Vec<(String, Vec<i64>)> {
    let relays = &plan.forecast.relays;
    let mut days: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (i, relay) in relays.iter().enumerate() {
        for (date, n) in &relay.days {
            days.entry(date.clone()).or_insert_with(|| vec![0; relays.len()])[i] += n;
        }
    }
    days.into_iter().collect()
}

/// First column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(&if i == 0 {
                format!("{cell:<width$}")
            } else {
                format!("  {cell:>width$}")
            });
        }
        text.push('\n');
    }
    text
}
