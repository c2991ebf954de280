//! The judge: compares the sinks' record with the rows. The record alone says what was on the wire.

use crate::scene::{SinkUnderTest, records};
use postroad_model::delivery::DeliveryState;
use postroad_smtpd::{Kind, peak_in_window};
use postroad_store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Each recipient's state and relay reply.
pub async fn states(store: &Store) -> BTreeMap<String, DeliveryState> {
    let campaign = store.campaign("heart").await.unwrap().campaign.id;
    let mut all = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = store.export_page(campaign, &DeliveryState::ALL, after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.id;
        for row in page {
            all.insert(row.address.unwrap_or_default(), row.state);
        }
    }
}

pub async fn open_rows(store: &Store) -> usize {
    let campaign = store.campaign("heart").await.unwrap().campaign.id;
    let counts = store.counters(campaign).await.unwrap();
    let open: i64 = counts
        .iter()
        .filter(|c| {
            [DeliveryState::Scheduled, DeliveryState::Leased, DeliveryState::Sending]
                .iter()
                .any(|s| s.code() == c.code)
        })
        .map(|c| c.n)
        .sum();
    usize::try_from(open).unwrap()
}

/// What a trial found, for people.
#[derive(Debug, Default)]
pub struct Findings {
    pub peak: usize,
    pub accepted_at_sinks: usize,
    pub unknown: usize,
    pub copies: usize,
    pub suppressed: usize,
}

/// Checks everything that must hold whatever was killed when.
pub async fn judge(
    store: &Store,
    sinks: &[SinkUnderTest],
    amount: i64,
    window_ms: i64,
) -> Findings {
    let states = states(store).await;
    let rcpts = records(sinks, Kind::Rcpt);
    let mut findings = Findings {
        peak: peak_in_window(rcpts.iter().map(|r| r.at_ms), window_ms),
        ..Findings::default()
    };
    assert!(findings.peak as i64 <= amount, "{} recipients in a window of {amount}", findings.peak);

    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for record in records(sinks, Kind::Accepted) {
        for rcpt in record.rcpts {
            *accepted.entry(rcpt).or_default() += 1;
        }
    }
    findings.accepted_at_sinks = accepted.len();
    findings.copies = accepted.values().map(|n| n - 1).sum();
    findings.unknown = states.values().filter(|s| **s == DeliveryState::Unknown).count();
    findings.suppressed = states.values().filter(|s| **s == DeliveryState::Suppressed).count();
    assert_eq!(findings.copies, 0, "unknown rows are held, so nobody gets two copies");
    let dots: BTreeSet<String> =
        records(sinks, Kind::Dot).into_iter().flat_map(|r| r.rcpts).collect();
    for (address, state) in &states {
        let taken = accepted.contains_key(address);
        match state {
            DeliveryState::Accepted => assert!(taken, "{address} is accepted, and no sink has it"),
            DeliveryState::Unknown => {}
            DeliveryState::Suppressed => {
                assert!(!dots.contains(address), "{address} got a dot after its suppression");
            }
            DeliveryState::Scheduled
            | DeliveryState::Leased
            | DeliveryState::Sending
            | DeliveryState::Rejected
            | DeliveryState::Expired
            | DeliveryState::Cancelled
            | DeliveryState::Failed
            | DeliveryState::Bounced => panic!("{address} ended as {state:?}"),
        }
    }
    for address in accepted.keys() {
        let state = states.get(address);
        assert!(
            matches!(state, Some(DeliveryState::Accepted | DeliveryState::Unknown)),
            "{address} was taken by a sink and is {state:?}"
        );
    }
    let mut senders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in &rcpts {
        senders.entry(&record.rcpts[0]).or_default().insert(&record.mail_from);
    }
    for (address, froms) in senders {
        assert_eq!(froms.len(), 1, "{address} saw several MAIL FROM: {froms:?}");
    }
    findings
}
