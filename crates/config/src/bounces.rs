//! `[bounces]`: what is done about what comes back, for each reason, and when campaigns are held.
//!
//! The defaults are `BouncePolicy::default` of model; the sample shows them, and a test compares the two. A reason takes
//! `"nothing"` or a table with one act; what the acts mean is told in docs/guide/bounces.md.

use crate::section::Section;
use crate::show::duration;
use postroad_model::feedback::{Act, BouncePolicy, Brakes, Rest, Threshold};
use postroad_model::verdict::Reason;
use std::time::Duration;

/// Reasons of notices that are no bounce: nothing can be set for them.
const NO_BOUNCE: &[Reason] =
    &[Reason::AutoReply, Reason::AuthReport, Reason::NotSpam, Reason::Delivered];

const AT_ONCE: &str = "at once";
const DAY: Duration = Duration::from_secs(86_400);

/// Reads `[bounces]`.
pub(crate) fn bounces(root: &Section<'_>) -> BouncePolicy {
    let mut policy = BouncePolicy::default();
    let Some(section) = root.table("bounces", "bounces") else { return policy };
    if let Some(keep) = section.duration("keep_raw", Duration::from_secs(3_600)..=366 * DAY) {
        policy.keep_raw = keep.value;
    }
    if let Some(table) = section.table("hold", "bounces.hold") {
        policy.brakes = brakes(&table);
    }
    for reason in Reason::all().filter(|r| !NO_BOUNCE.contains(r)) {
        if let Some(act) = act(&section, reason.as_str()) {
            policy.acts.insert(reason, act);
        }
    }
    section.finish();
    policy
}

fn brakes(section: &Section<'_>) -> Brakes {
    let mut brakes = Brakes::default();
    let slots = [
        ("complaints", &mut brakes.complaints),
        ("hard", &mut brakes.hard),
        ("blocks", &mut brakes.blocks),
    ];
    for (key, slot) in slots {
        if let Some(percent) = section.float(key, 0.01..=100.0) {
            *slot = percent / 100.0;
        }
    }
    if let Some(minimum) = section.integer("minimum", 1..=1_000_000) {
        brakes.minimum = u32::try_from(minimum.value).unwrap_or(u32::MAX);
    }
    if let Some(pause) = section.duration("pause", Duration::from_secs(60)..=30 * DAY) {
        brakes.pause = pause.value;
    }
    section.finish();
    brakes
}

/// One reason's act; `None` when it is absent or wrong, which was reported.
fn act(section: &Section<'_>, reason: &'static str) -> Option<Act> {
    let value = section.value(reason)?;
    if value.get_ref().as_str().is_some() {
        return section
            .choice(reason, &[("nothing", Act::Nothing), ("unsubscribe", Act::Unsubscribe)]);
    }
    let table = section.table(reason, "bounces.reason")?;
    let mut acts = Vec::new();
    if table.has("suppress") {
        acts.extend(threshold(&table, "suppress").map(Act::Suppress));
    }
    if table.has("back_off") {
        acts.extend(rest(&table, "back_off").map(Act::BackOff));
    }
    if table.has("pause_relay") {
        acts.extend(rest(&table, "pause_relay").map(Act::PauseRelay));
    }
    if table.has("stop_domain") {
        acts.extend(threshold(&table, "stop_domain").map(Act::StopDomain));
    }
    if table.has("hold_campaign") {
        acts.extend(threshold(&table, "hold_campaign").map(Act::HoldCampaign));
    }
    for key in ["suppress", "back_off", "pause_relay", "stop_domain", "hold_campaign"] {
        // Known to `finish` also where the table lacks it.
        let _ = table.value(key);
    }
    let keys = ["suppress", "back_off", "pause_relay", "stop_domain", "hold_campaign"];
    if keys.iter().filter(|k| table.has(k)).count() != 1 {
        section.error(
            section.place(reason),
            reason,
            "takes \"nothing\", or one of suppress, back_off, pause_relay, stop_domain, hold_campaign, e.g. \
             { suppress = \"at once\" }",
        );
    }
    table.finish();
    acts.pop()
}

fn threshold(section: &Section<'_>, key: &'static str) -> Option<Threshold> {
    let value = section.value(key)?;
    if value.get_ref().as_str().is_some() {
        return section.choice(key, &[(AT_ONCE, Threshold::AT_ONCE)]);
    }
    let table = section.table(key, "bounces.act")?;
    let threshold = limits(&table);
    table.finish();
    Some(threshold)
}

fn rest(section: &Section<'_>, key: &'static str) -> Option<Rest> {
    let table = section.table(key, "bounces.act")?;
    if !table.has("for") {
        table.missing("for", "how long it rests, e.g. for = \"1h\"");
    }
    let pause = table.duration("for", Duration::from_secs(60)..=30 * DAY).map(|d| d.value);
    let threshold = limits(&table);
    table.finish();
    Some(Rest { pause: pause?, threshold })
}

fn limits(table: &Section<'_>) -> Threshold {
    let mut threshold = Threshold::AT_ONCE;
    let number = |key, max| {
        table.integer(key, 1..=max).map_or(1, |n| u32::try_from(n.value).unwrap_or(u32::MAX))
    };
    threshold.after = number("after", 10_000);
    threshold.campaigns = number("campaigns", 100);
    if let Some(within) = table.duration("within", Duration::from_secs(60)..=366 * DAY) {
        threshold.within = within.value;
    }
    if let Some(apart) = table.duration("apart", Duration::from_secs(1)..=366 * DAY) {
        threshold.apart = apart.value;
    }
    if threshold.after > 1 && !table.has("within") {
        table.missing("within", "in which time they are counted, e.g. within = \"30d\"");
    }
    if threshold.after < threshold.campaigns || (threshold.after == 1 && table.has("apart")) {
        table.error(table.place("after"), "after", "is too small for campaigns or apart to hold");
    }
    if threshold.apart > threshold.within {
        table.error(table.place("apart"), "apart", "is longer than within");
    }
    threshold
}

/// An act in words, for `config show` and `bounce explain`.
#[must_use]
pub fn act_words(act: &Act) -> String {
    match act {
        Act::Nothing | Act::Unsubscribe => act.name().to_owned(),
        Act::Suppress(t) | Act::StopDomain(t) | Act::HoldCampaign(t) => {
            format!("{} {}", act.name(), when(t))
        }
        Act::BackOff(r) | Act::PauseRelay(r) => {
            format!("{} for {} {}", act.name(), duration(r.pause), when(&r.threshold))
        }
    }
}

fn when(t: &Threshold) -> String {
    if t.after == 1 {
        return AT_ONCE.to_owned();
    }
    let mut text = format!("after {} within {}", t.after, duration(t.within));
    if t.campaigns > 1 {
        text.push_str(&format!(", of {} campaigns", t.campaigns));
    }
    if t.apart > Duration::ZERO {
        text.push_str(&format!(", {} apart", duration(t.apart)));
    }
    text
}
