//! The image that tells of an open: everybody gets it, and only a reader's fetch of a message that was taken counts.

use crate::client::{Answer, get, post, request};
use crate::world::{ANNA, CAMPAIGN, World};
use postroad_campaign::{OPEN_PATH, OPEN_SUFFIX};
use postroad_model::delivery::DeliveryState;
use postroad_model::open::OpenKind;
use postroad_model::token::{LinkEffect, LinkKind};
use postroad_model::{ContactId, DeliveryId, MailboxProvider};
use postroad_store::Settled;
use std::time::Duration;

const REAL: LinkEffect = LinkEffect::Real;
const BOB: &str = "bob@example.com";
const CARA: &str = "cara@example.com";
const NO_ROW: DeliveryId = DeliveryId { bucket: 202_611, id: 99 };
const THUNDERBIRD: &str =
    "User-Agent: Mozilla/5.0 (X11; rv:128.0) Gecko/20100101 Thunderbird/128\r\n";
const GOOGLE: &str = "User-Agent: Mozilla/5.0 (via ggpht.com GoogleImageProxy)\r\n";
const APPLE: &str = "User-Agent: Mozilla/5.0\r\n";

async fn image(world: &World, text: &str, effect: LinkEffect) -> String {
    let row = world.row(text).await.id;
    let token = world.token(LinkKind::Open, effect, ContactId(0), row);
    format!("{OPEN_PATH}{token}{OPEN_SUFFIX}")
}

#[track_caller]
fn assert_image(answer: &Answer) {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/gif")));
    assert_eq!(answer.header("content-length"), Some("43"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
}

async fn counted(world: &World, kind: OpenKind) -> i64 {
    let all = world.store.opens_of(&[world.campaign]).await.unwrap();
    let counts = all.get(&world.campaign).cloned().unwrap_or_default();
    counts.get(&(MailboxProvider::Other, kind)).copied().unwrap_or(0)
}

#[tokio::test]
async fn a_readers_fetch_counts_once_and_settles_a_lost_answer() {
    for world in World::each().await {
        world.send(&[(BOB, Settled::Accepted), (CARA, Settled::Unknown)]).await;
        world.clock.advance(Duration::from_secs(60));
        let (bob, cara) = (image(&world, BOB, REAL).await, image(&world, CARA, REAL).await);
        for fields in [APPLE, THUNDERBIRD, THUNDERBIRD, GOOGLE] {
            assert_image(&request(world.public, "GET", &bob, fields).await);
        }
        let kinds = OpenKind::ALL;
        assert_eq!([counted(&world, kinds[0]).await, counted(&world, kinds[1]).await], [0, 0]);
        assert_eq!(counted(&world, OpenKind::Human).await, 1);
        let events: Vec<String> = world.row(BOB).await.events.into_iter().map(|e| e.kind).collect();
        assert_eq!(events, ["prefetched", "opened", "opened"]);
        assert_eq!(world.state(CARA).await, DeliveryState::Unknown);
        assert_image(&request(world.public, "GET", &cara, GOOGLE).await);
        assert_eq!(world.state(CARA).await, DeliveryState::Accepted);
        let published = get(world.admin, "/metrics").await.body;
        for (kind, n) in [("human", 1), ("prefetch", 1), ("proxy", 2)] {
            let labels = format!("campaign=\"{CAMPAIGN}\",kind=\"{kind}\",provider=\"other\"");
            let line = format!("postroad_opens_total{{{labels}}} {n}\n");
            assert!(published.contains(&line), "{published}");
        }
        for (kind, provider, n) in
            [("human", "other", 1), ("proxy", "other", 1), ("human", "yahoo", 0)]
        {
            let labels = format!("campaign=\"{CAMPAIGN}\",kind=\"{kind}\",provider=\"{provider}\"");
            let line = format!("postroad_campaign_opens{{{labels}}} {n}\n");
            assert!(published.contains(&line), "{published}");
        }
        assert!(published.contains("route=\"open\"} 5\n"), "{published}");
    }
}

#[tokio::test]
async fn whatever_is_asked_for_the_image_comes_and_nothing_else_counts() {
    let world = World::sqlite().await;
    world.send(&[(BOB, Settled::Accepted), (CARA, Settled::Accepted)]).await;
    // So soon after the relay's answer it is a filter.
    let cara = image(&world, CARA, REAL).await;
    assert_image(&request(world.public, "GET", &cara, THUNDERBIRD).await);
    world.clock.advance(Duration::from_secs(60));
    let before = world.everything().await;
    let bob = world.row(BOB).await.id;
    let unsubscribe = world.token(LinkKind::Unsubscribe, REAL, ContactId(1), bob);
    let gone = world.token(LinkKind::Open, REAL, ContactId(0), NO_ROW);
    let waits = image(&world, ANNA, REAL).await;
    let test = image(&world, BOB, LinkEffect::Test).await;
    let real = image(&world, BOB, REAL).await;
    let forged = real.replacen(&real[8..12], "aaaa", 1);
    for path in [
        format!("/o/{unsubscribe}.gif"),
        format!("/o/{gone}.gif"),
        waits,
        test,
        forged,
        "/o/x.gif".into(),
        "/o/%FF".into(),
    ] {
        assert_image(&request(world.public, "GET", &path, THUNDERBIRD).await);
    }
    assert_image(&request(world.public, "HEAD", &real, THUNDERBIRD).await);
    assert_eq!(post(world.public, &real, "").await.status, 405);
    assert_eq!(world.everything().await, before);
    // A program without a name is one too.
    assert_image(&get(world.public, &real).await);
    assert_eq!(counted(&world, OpenKind::Prefetch).await, 2);
    assert_eq!(counted(&world, OpenKind::Human).await, 0);
}
