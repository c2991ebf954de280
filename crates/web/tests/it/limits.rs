//! What strangers cannot make us hold, ports that are taken, and the end.

use crate::client::{get, post, raw, request};
use crate::world::{ANNA, World};
use postroad_model::delivery::DeliveryState;
use postroad_model::token::LinkEffect;
use postroad_testkit::loopback;
use postroad_web::{Error, Listeners};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_body_that_is_no_form_of_ours_is_refused_and_changes_nothing() {
    let world = World::sqlite().await;
    let path = world.path(ANNA, LinkEffect::Real).await;
    let answer = post(world.public, &path, &"x".repeat(17 * 1024)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(world.state(ANNA).await, DeliveryState::Scheduled);
}

#[tokio::test]
async fn a_head_that_is_too_long_or_no_http_is_refused() {
    let world = World::sqlite().await;
    let fields: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(request(world.public, "GET", "/robots.txt", &fields).await.status, 431);
    let long = format!("X-Long: {}\r\n", "y".repeat(20 * 1024));
    assert_eq!(request(world.public, "GET", "/robots.txt", &long).await.status, 431);
    assert_eq!(raw(world.public, "EHLO example.com\r\n\r\n").await.status, 400);
    assert_eq!(get(world.public, "/robots.txt").await.body, "User-agent: *\nDisallow: /\n");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_its_key() {
    let taken = loopback::address();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let check = async |public, admin, key: &str| {
        let error = Listeners::bind(public, admin).await.unwrap_err();
        let Error::Listen { key: named, address, .. } = &error;
        assert_eq!((*named, *address), (key, taken));
        let text = error.to_string();
        assert!(text.contains(key) && text.contains(&taken.to_string()), "{text}");
        assert!(text.contains("another program has that port"), "{text}");
    };
    check(Some(taken), loopback::address(), "web.public_listen").await;
    check(None, taken, "web.admin_listen").await;
}

#[tokio::test]
async fn a_shutdown_closes_idle_connections_and_ends() {
    let mut world = World::sqlite().await;
    let mut idle = TcpStream::connect(world.public).await.unwrap();
    // The answer shows that the connection is being served before the shutdown comes.
    assert_eq!(get(world.public, "/robots.txt").await.status, 200);
    world.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
    tokio::time::timeout(Duration::from_secs(10), &mut world.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(world.public).await.is_err());
}
