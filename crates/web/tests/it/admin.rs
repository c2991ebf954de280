//! What monitoring sees.

use crate::client::{get, post};
use crate::world::World;
use postroad_web::{EngineState, EngineStatus};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn metrics_show_what_the_database_says() {
    for world in World::each().await {
        let answer = get(world.admin, "/metrics").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        for line in [
            "postroad_campaign_recipients{campaign=\"autumn\",state=\"scheduled\"} 3",
            "postroad_campaign_audience{campaign=\"autumn\"} 3",
            "postroad_campaign_info{campaign=\"autumn\",from_domain=\"news.example.com\",state=\"running\"} 1",
            "postroad_queue_messages{campaign=\"autumn\",state=\"scheduled\"} 3",
            "postroad_queue_messages{campaign=\"autumn\",state=\"deferred\"} 0",
            "postroad_relay_quota_limit_messages{limit=\"day\",relay=\"gmail-anna\",window=\"24h\"} 450",
            "postroad_relay_quota_used_messages{limit=\"day\",relay=\"gmail-anna\",window=\"24h\"} 0",
            "postroad_relay_lane_held{relay=\"gmail-anna\"} 1",
            "postroad_campaign_imbalance{campaign=\"autumn\"} 0",
            "postroad_nodes_alive 2",
            "postroad_brake_active{by=\"delivery\",provider=\"google\",reason=\"rate_limited\",relay=\"gmail-anna\"} 1",
            "postroad_snapshot_success 1",
        ] {
            assert!(answer.body.lines().any(|l| l == line), "no {line} in\n{}", answer.body);
        }
    }
}

#[tokio::test]
async fn scrapes_share_a_reading_for_two_seconds_and_an_ended_campaign_goes_after_a_day() {
    use postroad_model::campaign::CampaignAct;
    use postroad_model::{Clock, Timestamp};
    let world = World::sqlite().await;
    get(world.admin, "/metrics").await;
    let now: Timestamp = world.clock.now();
    world.store.apply_campaign_act(world.campaign, &CampaignAct::Cancel, now).await.unwrap();
    let state = |body: &str, state: &str| body.contains(&format!("state=\"{state}\"}} 1\n"));
    assert!(state(&get(world.admin, "/metrics").await.body, "running"));
    world.clock.advance(Duration::from_secs(2));
    assert!(state(&get(world.admin, "/metrics").await.body, "cancelled"));
    world.clock.advance(Duration::from_secs(86_400));
    let body = get(world.admin, "/metrics").await.body;
    assert!(!body.contains("autumn"), "{body}");
    assert!(body.contains("postroad_relay_lane_held{relay=\"gmail-anna\"} 0\n"), "{body}");
}

#[tokio::test]
async fn a_database_that_is_away_leaves_alive_not_ready_and_the_other_metrics() {
    let world = World::sqlite().await;
    world.store.close().await;
    assert_eq!(get(world.admin, "/healthz").await.status, 200);
    let metrics = get(world.admin, "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("postroad_snapshot_success 0\n"), "{}", metrics.body);
    assert!(!metrics.body.contains("postroad_campaign_recipients"), "{}", metrics.body);
    let ready = get(world.admin, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.header("content-type"), Some("application/problem+json"));
    let said: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((&said["store"], &said["ready"]), (&json!("unreachable"), &json!(false)));
    assert!(said["detail"].as_str().unwrap().starts_with("the database does not answer"), "{said}");
}

#[tokio::test]
async fn readiness_follows_the_engine_and_its_lanes() {
    let world = World::sqlite().await;
    let check = async |state, configured, status: u16, detail: Option<&str>| {
        world.engine.send_replace(EngineStatus {
            state,
            lanes_configured: configured,
            lanes_held: 0,
        });
        let answer = get(world.admin, "/readyz").await;
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, said["detail"].as_str()), (status, detail), "{said}");
        said
    };
    let said = check(EngineState::Running, 1, 200, None).await;
    let lanes = json!({"configured": 1, "held_here": 0, "held": 1});
    assert_eq!(said, json!({"ready": true, "store": "ok", "engine": "running", "lanes": lanes}));
    check(EngineState::Absent, 0, 200, None).await;
    check(EngineState::Starting, 1, 503, Some("the engine is starting")).await;
    check(EngineState::Draining, 1, 503, Some("the engine is stopping")).await;
    check(EngineState::Stopped, 1, 503, Some("the engine has stopped")).await;
    world.clock.advance(Duration::from_secs(31));
    let nobody = Some("no node holds a lane, so nothing is sent");
    check(EngineState::Running, 1, 503, nobody).await;
    check(EngineState::Running, 0, 200, None).await;
}

#[tokio::test]
async fn errors_are_problem_documents() {
    let world = World::sqlite().await;
    for (answer, status, title) in [
        (get(world.admin, "/nothing").await, 404, "Not Found"),
        (post(world.admin, "/metrics", "").await, 405, "Method Not Allowed"),
        (get(world.admin, "/u/x").await, 404, "Not Found"),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((&said["title"], &said["status"]), (&json!(title), &json!(status)));
    }
    let public = get(world.public, "/metrics").await;
    assert_eq!(public.status, 404);
    assert!(!public.body.contains("postroad_"), "{}", public.body);
}
