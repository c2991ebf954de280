//! Lines of a view, for a terminal of any width and for pipes.
//!
//! Pure. Control characters in names, reasons and replies are replaced, so that data cannot steer a terminal.

use super::view::{Trouble, View, Weight, draw_time};
use crate::commands::relay::RelayLine;
use crate::output::{printable, thousands};
use postroad_campaign::Report;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Cells of a bar.
const BAR: usize = 20;
/// Names are cut to this.
const NAME: usize = 22;

const QUIET: Style = Style::new().fg(Color::DarkGray);
const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const FAIR: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);

/// All lines of a view.
pub fn lines(view: &View) -> Vec<Line<'static>> {
    let nodes = match view.nodes {
        0 => "no node works".to_owned(),
        1 => "1 node works".to_owned(),
        n => format!("{n} nodes work"),
    };
    let time = view.at.get(..19).unwrap_or(&view.at).replace('T', " ");
    let mut lines = vec![Line::from(vec![
        Span::styled("postroad", HEAD),
        Span::raw(format!("  {time} UTC  {nodes}")),
    ])];
    head(&mut lines, "CAMPAIGNS");
    if view.campaigns.is_empty() {
        lines.push(Line::styled("  none is scheduled, runs or ended today", QUIET));
    }
    view.campaigns.iter().for_each(|c| campaign(c, &mut lines));
    if view.more > 0 {
        lines.push(Line::styled(
            format!("  and {} more: `postroad campaign list`", view.more),
            QUIET,
        ));
    }
    head(&mut lines, "RELAYS");
    view.relays.iter().for_each(|r| relay(r, &mut lines));
    head(&mut lines, "RECENT TROUBLE");
    if view.trouble.is_empty() {
        lines.push(Line::styled("  none", GOOD));
    }
    lines.extend(view.trouble.iter().map(trouble));
    lines
}

/// The lines as text without styles.
pub fn text(view: &View) -> String {
    lines(view).iter().map(|line| format!("{}\n", line.to_string().trim_end())).collect()
}

fn head(lines: &mut Vec<Line<'static>>, words: &'static str) {
    lines.push(Line::raw(""));
    lines.push(Line::styled(words, HEAD));
}

fn campaign(c: &Report, lines: &mut Vec<Line<'static>>) {
    let open = c.scheduled + c.leased + c.sending;
    let style = match c.state {
        "running" | "finished" => GOOD,
        "held" | "missed" => BAD,
        _ => FAIR,
    };
    let mut first = vec![name(&c.campaign), Span::styled(format!("{:<10}", c.state), style)];
    first.extend(bar(c.audience - open, c.audience, GOOD));
    first.push(Span::raw(format!("  {} of {} accepted", number(c.accepted), number(c.audience))));
    for (n, what, style) in [
        (c.rejected, "rejected", FAIR),
        (c.bounced, "bounced", FAIR),
        (c.unknown, "unknown", FAIR),
        (c.failed, "failed", BAD),
    ] {
        if n > 0 {
            first.push(Span::styled(format!(", {} {what}", number(n)), style));
        }
    }
    lines.push(Line::from(first));
    let mut second = Vec::new();
    if let (Some(at), true) = (&c.starts_at, c.state == "scheduled") {
        second.push(format!("starts {}", draw_time(at)));
    }
    if let Some(at) = &c.ends_at {
        let over = matches!(c.state, "finished" | "cancelled" | "missed");
        second.push(format!("{} {}", if over { "ended" } else { "ends" }, draw_time(at)));
    }
    if open > 0 {
        second.push(format!("{} waiting", number(c.scheduled)));
        second.push(format!("{} on the wire", number(c.leased + c.sending)));
    }
    if !second.is_empty() {
        lines.push(under(&second.join(", "), QUIET));
    }
    if let Some(inbox) = &c.inbox {
        lines.push(under(&format!("inbox {}", inbox.line()), Style::new()));
    }
    if let Some(canary) = &c.canary {
        let style = if c.state == "held" { BAD } else { Style::new() };
        lines.push(under(&format!("canary {}", canary.line()), style));
    }
}

fn relay(r: &RelayLine, lines: &mut Vec<Line<'static>>) {
    let (state, style) = match (&r.paused_until, r.served, r.brakes.is_empty()) {
        (Some(_), _, _) => ("paused", BAD),
        (None, _, false) => ("braked", FAIR),
        (None, true, true) => ("served", GOOD),
        (None, false, true) => ("free", QUIET),
    };
    let mut spans = vec![name(&r.relay), Span::styled(format!("{state:<10}"), style)];
    let counted: Vec<_> = r.limits.iter().filter_map(|l| Some((l, l.used?))).collect();
    if counted.is_empty() {
        spans.push(Span::styled("no limit is counted", QUIET));
    }
    for (n, (limit, used)) in counted.into_iter().enumerate() {
        if n > 0 {
            lines.push(Line::from(std::mem::take(&mut spans)));
            spans.push(Span::raw(" ".repeat(2 + NAME + 1 + 10)));
        }
        let style = match used * 100 / limit.limit.max(1) {
            ..75 => GOOD,
            75..95 => FAIR,
            _ => BAD,
        };
        spans.extend(bar(used, limit.limit, style));
        let window = &limit.window;
        spans.push(Span::raw(format!("  {} of {} in {window}", number(used), number(limit.limit))));
        if let Some(at) = &limit.frees_at {
            spans.push(Span::styled(format!(", frees {}", draw_time(at)), style));
        }
    }
    lines.push(Line::from(spans));
}

fn trouble(t: &Trouble) -> Line<'static> {
    let style = match t.weight {
        Weight::Act => BAD,
        Weight::Note => Style::new(),
    };
    let at = t.at.as_deref().map(|at| format!("{}  ", draw_time(at))).unwrap_or_default();
    let what = printable(&t.what);
    Line::from(vec![Span::styled(format!("  {at}"), QUIET), Span::styled(what, style)])
}

fn under(text: &str, style: Style) -> Line<'static> {
    let gap = " ".repeat(2 + NAME + 1);
    Line::from(vec![Span::raw(gap), Span::styled(printable(text), style)])
}

fn name(text: &str) -> Span<'static> {
    let mut short: String = printable(text).chars().take(NAME).collect();
    if text.chars().count() > NAME {
        short.pop();
        short.push('…');
    }
    Span::styled(format!("  {short:<NAME$} "), HEAD)
}

/// `[█████···············]  25 %`
fn bar(done: i64, all: i64, style: Style) -> Vec<Span<'static>> {
    let share = if all > 0 { (done.max(0) as f64 / all as f64).min(1.0) } else { 0.0 };
    // Full and 100 % are said of nothing that is not.
    let full = (share * BAR as f64).floor() as usize;
    let percent = (share * 100.0).floor();
    vec![
        Span::raw("["),
        Span::styled("█".repeat(full), style),
        Span::styled("·".repeat(BAR - full), QUIET),
        Span::raw(format!("] {percent:>3} %")),
    ]
}

fn number(n: i64) -> String {
    thousands(n, ',')
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
