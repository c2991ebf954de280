//! Plots as inline SVG: columns over time, a bar, an interval. Shapes only; all words stand beside them as text, so that they
//! stay readable when a plot is stretched to a phone's or a page's width.

use super::parts::escape;
use postroad_campaign::Rate;
use std::fmt::Write as _;

/// Columns from left to right, the tallest as high as the plot.
pub fn columns(values: &[i64], label: &str) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let count = values.len().max(1);
    let mut svg = format!(
        "<svg class=\"columns\" viewBox=\"0 0 {count} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
         <path class=\"grid\" d=\"M0 0.5H{count}M0 50H{count}M0 99.5H{count}\"/><path class=\"fill\" d=\"",
        escape(label)
    );
    for (i, value) in values.iter().enumerate() {
        let height = (*value).max(0) as f64 / most * 100.0;
        if height > 0.0 {
            // A column that is there is seen. Writing to a String cannot fail.
            let _ = write!(svg, "M{i}.08 100v-{:.2}h0.84v{:.2}z", height.max(0.7), height.max(0.7));
        }
    }
    svg.push_str("\"/></svg>\n");
    svg
}

/// A bar as long as its share of `full`.
pub fn bar(n: i64, full: i64, label: &str) -> String {
    let share = if full > 0 { (n.max(0) as f64 / full as f64).min(1.0) * 100.0 } else { 0.0 };
    let seen = if n > 0 { share.max(0.4) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
         <rect class=\"base\" width=\"100\" height=\"10\"/><rect class=\"fill\" width=\"{seen:.2}\" height=\"10\"/></svg>",
        escape(label)
    )
}

/// A rate from 0 to 100 % with its interval, and the mark that was asked for.
pub fn interval(rate: &Rate, target: Option<f64>, label: &str) -> String {
    let x = |share: f64| (share * 100.0).clamp(0.0, 100.0);
    let (low, high, at) = (x(rate.lower), x(rate.upper), x(rate.ratio).clamp(1.0, 99.0));
    let mark = target
        .map(|t| format!("<path class=\"target\" d=\"M{0:.2} 0V10\"/>", x(t)))
        .unwrap_or_default();
    format!(
        "<svg class=\"interval\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
         <rect class=\"base\" width=\"100\" height=\"10\"/>{mark}<path class=\"line\" d=\"M{low:.2} 5H{high:.2}M{low:.2} 2.5V7.5M{high:.2} 2.5V7.5\"/>\
         <path class=\"dot\" d=\"M{at:.2} 5h0.01\"/></svg>",
        escape(label)
    )
}
