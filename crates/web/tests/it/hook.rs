//! Webhooks: what a provider gets for an answer.

use crate::client::{get, post};
use crate::world::{ANNA, World};
use postroad_model::delivery::DeliveryState;

const RIGHT: &str = "/hook/brevo?token=t0ken";
const HARD: &str =
    r#"{"event":"hard_bounce","email":"nobody@nowhere.test","reason":"550 5.1.1 no"}"#;

#[tokio::test]
async fn a_provider_is_answered_by_what_became_of_its_request() {
    let world = World::sqlite().await;
    let long = "x".repeat(2 * 1024 * 1024 + 1);
    let most = format!("[{}0]", " ".repeat(1024 * 1024));
    for (path, body, status, words) in [
        (RIGHT, HARD, 200, "taken: 1"),
        (RIGHT, "[]", 200, "taken: 0"),
        (RIGHT, most.as_str(), 200, "taken: 0"),
        (RIGHT, "{", 400, "not understood"),
        (RIGHT, long.as_str(), 413, "more than"),
        ("/hook/brevo", HARD, 401, "token"),
        ("/hook/brevo?token=x", HARD, 401, "token"),
        ("/hook/other?token=t0ken", HARD, 404, "no webhook"),
    ] {
        let answer = post(world.public, path, body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert!(!answer.body.contains("t0ken"));
    }
    assert_eq!(get(world.public, RIGHT).await.status, 405);
    assert_eq!(world.state(ANNA).await, DeliveryState::Scheduled, "nobody of ours was meant");
    let published = get(world.admin, "/metrics").await.body;
    assert!(published.contains("route=\"hook\""), "{published}");
}
