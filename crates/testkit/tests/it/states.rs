//! docs/states.md and the transitions in crates/model say the same.

use crate::repository::table;
use postroad_model::Timestamp;
use postroad_model::campaign::{CampaignAct, CampaignState, HoldReason};
use postroad_model::delivery::DeliveryState;
use std::collections::BTreeSet;

const DOCUMENT: &str = "docs/states.md";
const NOW: Timestamp = Timestamp(5);

fn pairs(header: &[&str]) -> BTreeSet<(String, String)> {
    let rows = table(DOCUMENT, header);
    let count = rows.len();
    let set: BTreeSet<_> = rows.into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    assert_eq!(set.len(), count, "{DOCUMENT} says something twice in | {} |", header.join(" | "));
    set
}

#[test]
fn the_table_of_deliveries_is_what_may_become_allows() {
    let mut code = BTreeSet::new();
    for from in DeliveryState::ALL {
        for to in DeliveryState::ALL.into_iter().filter(|to| from.may_become(*to)) {
            code.insert((from.as_str().to_owned(), to.as_str().to_owned()));
        }
    }
    assert_eq!(pairs(&["from", "to", "by"]), code, "left: {DOCUMENT}, right: may_become");
}

fn campaign_states() -> [CampaignState; 8] {
    [
        CampaignState::Draft,
        CampaignState::Scheduled { at: NOW },
        CampaignState::Running { since: NOW },
        CampaignState::Held { reason: HoldReason::Canary("few inboxes".into()), until: None },
        CampaignState::Paused { since: NOW },
        CampaignState::Finished { at: NOW },
        CampaignState::Cancelled { at: NOW },
        CampaignState::Missed { at: NOW },
    ]
}

fn acts() -> [(&'static str, CampaignAct); 9] {
    [
        ("schedule", CampaignAct::Schedule { at: NOW }),
        ("start", CampaignAct::Start),
        ("pause", CampaignAct::Pause),
        ("resume", CampaignAct::Resume),
        (
            "hold",
            CampaignAct::Hold { reason: HoldReason::Canary("few inboxes".into()), until: None },
        ),
        ("finish", CampaignAct::Finish),
        ("cancel", CampaignAct::Cancel),
        ("miss", CampaignAct::Miss),
        ("reopen", CampaignAct::Reopen),
    ]
}

#[test]
fn the_table_of_campaigns_is_what_after_allows() {
    let mut code = BTreeSet::new();
    for state in campaign_states() {
        for (act, value) in acts() {
            if let Ok(next) = state.after(&value, NOW) {
                code.insert((state.name().to_owned(), format!("{act}: {}", next.name())));
            }
        }
    }
    let written: BTreeSet<_> = table(DOCUMENT, &["state", "act", "next state"])
        .into_iter()
        .map(|r| (r[0].clone(), format!("{}: {}", r[1], r[2])))
        .collect();
    assert_eq!(written, code, "left: {DOCUMENT}, right: CampaignState::after");
}

#[test]
fn every_state_is_explained() {
    let explained: BTreeSet<String> = table(DOCUMENT, &["state", "meaning"])
        .into_iter()
        .map(|r| r[0].trim_matches('`').to_owned())
        .collect();
    let named = DeliveryState::ALL.into_iter().map(DeliveryState::as_str).map(str::to_owned);
    let all: BTreeSet<String> =
        named.chain(campaign_states().iter().map(|s| s.name().to_owned())).collect();
    assert_eq!(explained, all, "left: {DOCUMENT}, right: the states of crates/model");
}
