//! Links in mail: who may press them, what they change, and that nothing else does.

use crate::client::{Answer, FORM, ONE_CLICK, get, post, post_octets, raw, request};
use crate::world::{ANNA, CAMPAIGN, VIEWABLE, World};
use postroad_campaign::UNSUBSCRIBE_PATH;
use postroad_model::ContactId;
use postroad_model::delivery::DeliveryState;
use postroad_model::token::{LinkEffect, LinkKind};
use postroad_testkit::builders::address;
use rand::Rng;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const REAL: LinkEffect = LinkEffect::Real;

#[track_caller]
fn assert_page(answer: &Answer, status: u16, heading: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(&format!("<h1>{heading}</h1>")), "{}", answer.body);
    assert_eq!(answer.header("location"), None);
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn one_click_takes_the_reader_off_and_stops_the_waiting_mail_and_twice_is_once() {
    for world in World::each().await {
        let path = world.path(ANNA, REAL).await;
        assert_eq!(world.state(ANNA).await, DeliveryState::Scheduled);
        let first = post(world.public, &path, ONE_CLICK).await;
        assert_page(&first, 200, "You are unsubscribed");
        assert_eq!(world.state(ANNA).await, DeliveryState::Suppressed);
        let after_one = world.everything().await;
        let events = world.row(ANNA).await.events;
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].kind == "unsubscribe" && events[0].data.contains("one-click"));
        let second = post(world.public, &path, ONE_CLICK).await;
        assert_page(&second, 200, "You are unsubscribed");
        assert_eq!(world.everything().await, after_one);
        assert_eq!(world.state("bob@example.com").await, DeliveryState::Scheduled);
        let published = get(world.admin, "/metrics").await.body;
        let line = format!(
            "postroad_unsubscribes_total{{campaign=\"{CAMPAIGN}\",provider=\"google\"}} 1\n"
        );
        assert!(published.contains(&line), "{published}");
    }
}

#[tokio::test]
async fn one_click_as_a_multipart_form_acts_too() {
    let world = World::sqlite().await;
    let path = world.path(ANNA, REAL).await;
    let body = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    let octets = post_octets(world.public, &path, "multipart/form-data; boundary=x", body);
    assert_page(&raw(world.public, &octets).await, 200, "You are unsubscribed");
    assert_eq!(world.state(ANNA).await, DeliveryState::Suppressed);
}

#[tokio::test]
async fn get_and_head_show_the_page_and_change_nothing() {
    for world in World::each().await {
        let before = world.everything().await;
        let path = world.path(ANNA, REAL).await;
        let page = get(world.public, &path).await;
        assert_page(&page, 200, "Unsubscribe");
        assert!(page.body.contains("<li>Autumn &lt;news&gt;</li>"), "{}", page.body);
        assert!(page.body.contains("a…@gmail.com"), "{}", page.body);
        assert!(!page.body.contains(ANNA), "{}", page.body);
        assert_eq!(page.body.matches("<form method=\"post\">").count(), 2);
        let head = request(world.public, "HEAD", &path, "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        let one_click = get(world.public, &format!("{path}?{ONE_CLICK}&all=1")).await;
        assert_page(&one_click, 200, "Unsubscribe");
        assert_eq!(world.everything().await, before);
    }
}

#[tokio::test]
async fn the_pages_second_button_stops_everything() {
    for world in World::each().await {
        let path = world.path(ANNA, REAL).await;
        let done = post(world.public, &path, "all=1").await;
        assert_page(&done, 200, "You are unsubscribed from everything");
        let against = world.store.suppressions_against(&address(ANNA)).await.unwrap();
        assert_eq!(against.len(), 1);
        assert_eq!(world.state(ANNA).await, DeliveryState::Suppressed);
        let again = get(world.public, &path).await;
        assert_page(&again, 200, "You are unsubscribed from everything");
        let other = get(world.public, &world.path("bob@example.com", REAL).await).await;
        assert_page(&other, 200, "Unsubscribe");
    }
}

#[tokio::test]
async fn a_link_of_a_test_message_says_so_and_changes_nothing() {
    let world = World::sqlite().await;
    let before = world.everything().await;
    let path = world.path(ANNA, LinkEffect::Test).await;
    assert_page(&get(world.public, &path).await, 200, "A test message");
    for body in [ONE_CLICK, "all=1", ""] {
        assert_page(&post(world.public, &path, body).await, 200, "A test message");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn links_of_erased_and_unknown_contacts_work() {
    for world in World::each().await {
        let path = world.path(ANNA, REAL).await;
        world
            .store
            .erase_contact(&address(ANNA), "test", postroad_model::Timestamp(9))
            .await
            .unwrap();
        for answer in [get(world.public, &path).await, post(world.public, &path, ONE_CLICK).await] {
            assert_page(&answer, 200, "You are unsubscribed from everything");
            assert!(!answer.body.contains("gmail.com"), "{}", answer.body);
        }
        let nobody = world.token(LinkKind::Unsubscribe, REAL, ContactId(987_654), VIEWABLE);
        let answer = post(world.public, &format!("{UNSUBSCRIBE_PATH}{nobody}"), ONE_CLICK).await;
        assert_page(&answer, 200, "You are unsubscribed from everything");
    }
}

#[tokio::test]
async fn what_a_mail_program_hangs_onto_a_link_does_no_harm() {
    let world = World::sqlite().await;
    let path = world.path(ANNA, REAL).await;
    for tail in [".", ")", "%3E", "%20", "?utm_source=x", "?lang=en"] {
        assert_page(&get(world.public, &format!("{path}{tail}")).await, 200, "Unsubscribe");
    }
    assert_page(
        &get(world.public, &path.to_uppercase().replace("/U/", "/u/")).await,
        200,
        "Unsubscribe",
    );
}

#[tokio::test]
async fn no_changed_or_random_token_ever_acts() {
    let world = World::sqlite().await;
    let before = world.everything().await;
    let token = world.token(LinkKind::Unsubscribe, REAL, world.contact(ANNA).await, VIEWABLE);
    let view = world.token(LinkKind::View, REAL, world.contact(ANNA).await, VIEWABLE);
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut rng = postroad_testkit::rng(postroad_testkit::rng::seed(20_261_130));
    let mut forged = vec![
        view,
        String::new(),
        "%00".into(),
        "%ff%fe".into(),
        "..%2f..".into(),
        "a".repeat(5_000),
    ];
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        let other =
            ALPHABET.iter().position(|c| *c == changed[at]).unwrap() + rng.random_range(1..32);
        changed[at] = ALPHABET[other % 32];
        forged.push(String::from_utf8(changed).unwrap());
        forged.push(token[..at].to_owned());
    }
    for _ in 0..200 {
        let length = rng.random_range(1..120);
        forged.push((0..length).map(|_| char::from(ALPHABET[rng.random_range(0..32)])).collect());
    }
    for token in &forged {
        let answer = post(world.public, &format!("/u/{token}"), "all=1").await;
        assert_page(&answer, 404, "This link does not work");
    }
    assert_page(
        &get(world.public, &format!("/u/{}", forged[0])).await,
        404,
        "This link does not work",
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn the_page_speaks_the_readers_language_and_offers_the_other() {
    let world = World::sqlite().await;
    let path = world.path(ANNA, REAL).await;
    let vi =
        request(world.public, "GET", &path, "Accept-Language: vi-VN,vi;q=0.9,en;q=0.8\r\n").await;
    assert_page(&vi, 200, "Hủy đăng ký nhận thư");
    assert_eq!(vi.header("content-language"), Some("vi"));
    assert!(vi.body.contains("<a href=\"?lang=en\""), "{}", vi.body);
    let chosen =
        request(world.public, "GET", &format!("{path}?lang=en"), "Accept-Language: vi\r\n").await;
    assert_page(&chosen, 200, "Unsubscribe");
    let forged = request(world.public, "POST", "/u/x", "Accept-Language: vi\r\n").await;
    assert_page(&forged, 404, "Liên kết này không dùng được");
}

#[tokio::test]
async fn a_client_that_hangs_up_is_unsubscribed_all_the_same() {
    let world = World::slow(Duration::from_millis(150)).await;
    let path = world.path(ANNA, REAL).await;
    let mut stream = TcpStream::connect(world.public).await.unwrap();
    let octets = post_octets(world.public, &path, FORM, ONE_CLICK);
    stream.write_all(octets.as_bytes()).await.unwrap();
    drop(stream);
    let done = async {
        while world.state(ANNA).await != DeliveryState::Suppressed {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_gives_a_page_that_asks_to_come_again() {
    let world = World::sqlite().await;
    let path = world.path(ANNA, REAL).await;
    world.store.close().await;
    for answer in [get(world.public, &path).await, post(world.public, &path, ONE_CLICK).await] {
        assert_page(&answer, 503, "This did not work just now");
        assert_eq!(answer.header("retry-after"), Some("60"));
    }
}

#[tokio::test]
async fn tokens_and_addresses_are_not_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The test's runtime has one thread, so every task of the server logs into it.
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::sqlite().await;
    let path = world.path(ANNA, REAL).await;
    // A call site that another test's thread met first, while this log was made, may still believe that nobody listens.
    tracing::callsite::rebuild_interest_cache();
    post(world.public, &path, ONE_CLICK).await;
    get(world.public, &path).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("route=\"unsubscribe\"") && text.contains("unsubscribed"), "{text}");
    assert!(!text.contains(&path[3..20]) && !text.contains("anna"), "{text}");
}

#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
