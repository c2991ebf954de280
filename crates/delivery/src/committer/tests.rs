//! A batch in which one row is refused, through the committer's own loop.

use super::{Commit, Write, write_for_sure};
use crate::core::Input;
use postroad_model::delivery::Role;
use postroad_model::{CampaignId, DeliveryId, Epoch, LeaseToken, RelayId, Timestamp};
use postroad_store::{Claim, Durability, Intent, Store, StoreSettings};
use postroad_testkit::rows::{BUCKET, LEASED_ROWS, TOKEN};
use postroad_testkit::{SimClock, builders, postgres};
use std::collections::VecDeque;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_796_000_000_000);

fn intend(id: i64, mail_from: &str) -> Write {
    let claim = Claim {
        id: DeliveryId { bucket: BUCKET, id },
        campaign: CampaignId(1),
        role: Role::Audience,
        relay: RelayId(9),
        epoch: Epoch(1),
        token: LeaseToken(TOKEN),
        attempt: 1,
    };
    let intent = Intent { claim, content_hash: 5, mail_from: mail_from.into(), date: NOW };
    Write::Intend(intent, NOW.plus_ms(60_000))
}

#[tokio::test]
async fn a_row_that_cannot_be_written_is_refused_and_holds_no_other_back() {
    let Some(database) = postgres::database() else { return };
    let keys = builders::token_keys();
    let (url, durability) = (database.url().to_owned(), Durability::Native);
    let store = Store::open(StoreSettings { url, keys, connections: 4, durability }).await.unwrap();
    store.ensure_partition(BUCKET).await.unwrap();
    for statement in LEASED_ROWS {
        let _ = database.query(statement);
    }
    // PostgreSQL keeps no NUL.
    let asked = [intend(1, "a@x"), intend(2, "b\0@x"), intend(3, "c@x")];
    let commit = Commit::next(&mut VecDeque::from(asked));
    let clock = SimClock::new(NOW);
    let written = write_for_sure(&store, &clock, &commit);
    let committed = tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
    let granted = |input: &Input| {
        if let Input::Granted { id, .. } = input {
            return (id.id, true);
        }
        let Input::Refused { id, .. } = input else { panic!("{input:?}") };
        (id.id, false)
    };
    let mut told: Vec<(i64, bool)> = committed.inputs.iter().map(granted).collect();
    told.sort_unstable();
    assert_eq!(told, [(1, true), (2, false), (3, true)]);
}
