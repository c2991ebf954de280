//! A message as a web page.

use crate::client::{get, post, request};
use crate::world::{ANNA, VIEWABLE, World};
use postroad_campaign::VIEW_PATH;
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_model::{ContactId, DeliveryId};

#[tokio::test]
async fn the_message_is_shown_in_a_sandbox_and_kept_by_nobody() {
    let world = World::sqlite().await;
    let token = world.token(LinkKind::View, LinkEffect::Real, world.contact(ANNA).await, VIEWABLE);
    let answer = get(world.public, &format!("{VIEW_PATH}{token}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "<p>Xin chào</p>"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("sandbox") && !policy.contains("allow-scripts"), "{policy}");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_shown_gives_a_page_that_says_so() {
    let world = World::sqlite().await;
    let gone = world.store.keys().link(&LinkToken {
        kind: LinkKind::View,
        effect: LinkEffect::Real,
        campaign: world.campaign,
        contact: ContactId(1),
        delivery: DeliveryId { bucket: 1, id: 2 },
        lists: Vec::new(),
    });
    let gone = get(world.public, &format!("/v/{gone}")).await;
    assert_eq!(gone.status, 404);
    assert!(gone.body.contains("can no longer be shown"), "{}", gone.body);
    let unsubscribe = world.token(LinkKind::Unsubscribe, LinkEffect::Real, ContactId(1), VIEWABLE);
    for target in [format!("/v/{unsubscribe}"), "/v/x".into(), "/v/".into(), "/".into()] {
        let answer = request(world.public, "GET", &target, "Accept-Language: vi\r\n").await;
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.contains("Liên kết này không dùng được"), "{}", answer.body);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
    }
    let posted = post(world.public, "/v/x", "").await;
    assert_eq!(posted.status, 405);
    assert!(posted.header("allow").is_some_and(|allow| allow.contains("GET")), "{posted:?}");
}
