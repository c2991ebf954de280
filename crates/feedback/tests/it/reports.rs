//! One report each: found by what, and what follows.

use crate::mails::dsn;
use crate::on_both_engines;
use postroad_feedback::{Done, Incoming, Permanence, ProviderEvent, ProviderWhat, Source};
use postroad_model::DeliveryId;
use postroad_model::delivery::DeliveryState;
use postroad_model::suppression::SuppressionReason;
use postroad_model::verdict::BounceKind;
use postroad_store::{Blocked, BounceFilter, Settled};
use postroad_testkit::builders;
use std::time::Duration;

const AN: &str = "an@example.vn";
const BINH: &str = "binh@example.vn";
const GONE: &str = "550 5.1.1 <an@example.vn>: Recipient address rejected: User unknown";

on_both_engines! {
    async fn a_hard_bounce_is_found_by_its_envelope_tag_and_the_next_campaign_leaves_the_person_out(world) {
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[]).await;
        let mail = dsn(&sent.return_path(AN), AN, "5.1.1", GONE, "");
        assert_eq!(world.done(mail.clone()).await, Done::Recorded);
        assert_eq!(world.done(mail).await, Done::SeenBefore);
        let row = world.row(sent.row(AN)).await;
        assert_eq!(row.state, DeliveryState::Bounced);
        assert!(row.reply.unwrap().contains("User unknown"));
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::HardBounce));
        world.start("two").await;
        let two = world.store.campaign("two").await.unwrap();
        assert_eq!(two.campaign.audience, Some(1));
        let left_out = world.store.left_out(two.campaign.id).await.unwrap();
        assert_eq!(left_out, [("suppressed".to_owned(), 1)]);
        let tallies = world.tallies().await;
        assert_eq!((tallies.len(), tallies[0].n, tallies[0].weak), (1, 1, 0));
    }

    async fn without_a_token_the_address_decides_and_that_is_marked(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        assert_eq!(world.done(dsn("news@news.example.com", AN, "5.1.1", GONE, "")).await, Done::Recorded);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Bounced);
        let tallies = world.tallies().await;
        assert_eq!((tallies[0].n, tallies[0].weak), (0, 1));
        let origin = world.store.suppressions_against(&builders::address(AN)).await.unwrap();
        assert!(origin[0].origin.contains("found by the address alone"), "{}", origin[0].origin);
    }

    async fn a_later_report_that_says_more_is_not_hidden_by_an_earlier_one(world) {
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[]).await;
        let (path, full) = (sent.return_path(AN), "552 5.2.2 Mailbox full");
        assert_eq!(world.done(dsn(&path, AN, "5.2.2", full, "")).await, Done::Recorded);
        assert_eq!(world.suppressed(AN).await, None);
        let gone = dsn(&path, AN, "5.1.1", GONE, "");
        assert_eq!(world.done(gone.clone()).await, Done::Recorded);
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::HardBounce));
        assert_eq!(world.done(gone).await, Done::SeenBefore);
        assert_eq!(world.done(dsn(&path, AN, "5.2.2", full, "")).await, Done::SeenBefore);
        // Weak first, then with its tag.
        let weak = dsn("news@news.example.com", BINH, "5.2.2", full, "");
        let strong = dsn(&sent.return_path(BINH), BINH, "5.2.2", full, "");
        assert_eq!(world.done(weak).await, Done::Recorded);
        assert_eq!(world.done(strong).await, Done::Recorded);
        let tallies = world.tallies().await;
        let counted = tallies.iter().fold((0, 0), |(n, weak), t| (n + t.n, weak + t.weak));
        assert_eq!(counted, (3, 1), "{tallies:?}");
    }

    async fn a_mail_that_names_the_relays_identifier_proves_nothing(world) {
        world.people(&[AN]).await;
        let queued = "Ok 0102018f2b3c4d5e-aaaa-000000";
        let sent = world.send("one", &[(AN, Settled::Accepted, 250, queued)]).await;
        let header = "Message-ID: <0102018f2b3c4d5e-aaaa-000000@eu-west-1.amazonses.com>\r\n";
        let mail = dsn("news@news.example.com", AN, "5.1.1", GONE, header);
        assert_eq!(world.done(mail).await, Done::Recorded);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Bounced);
        let tallies = world.tallies().await;
        assert_eq!((tallies[0].n, tallies[0].weak), (0, 1));
    }

    async fn a_bounce_is_found_by_its_envelope_identifier(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let path = sent.return_path(AN);
        let id = path.split('@').next().unwrap();
        let told = |id: &str| {
            let mail = dsn("news@news.example.com", BINH, "5.1.1", GONE, "");
            let mail = String::from_utf8(mail).unwrap();
            mail.replace("Reporting-MTA:", &format!("Original-Envelope-Id: {id}\r\nReporting-MTA:"))
                .into_bytes()
        };
        assert_eq!(world.done(told(&format!("{id}x"))).await, Done::NotOurs);
        assert_eq!(world.done(told(id)).await, Done::Recorded);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Bounced);
        let tallies = world.tallies().await;
        assert_eq!((tallies[0].n, tallies[0].weak), (1, 0));
    }

    async fn a_bounce_of_somebody_we_never_wrote_to_changes_nothing(world) {
        world.people(&[AN]).await;
        world.send("one", &[]).await;
        let mail = dsn("news@news.example.com", BINH, "5.1.1", GONE, "");
        assert_eq!(world.done(mail).await, Done::NotOurs);
        assert_eq!(world.suppressed(BINH).await, None);
        assert!(world.tallies().await.is_empty());
    }

    async fn a_forged_or_stale_tag_is_refused_even_with_the_right_address(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let mut forged = sent.return_path(AN);
        let last = forged.find('@').unwrap() - 1;
        let other = if forged.as_bytes()[last] == b'a' { "q" } else { "a" };
        forged.replace_range(last..=last, other);
        assert_eq!(world.done(dsn(&forged, AN, "5.1.1", GONE, "")).await, Done::Forged);
        world.advance_hours(24 * 800);
        let stale = dsn(&sent.return_path(AN), AN, "5.1.1", GONE, "");
        assert_eq!(world.done(stale).await, Done::Forged);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Accepted);
        assert_eq!(world.suppressed(AN).await, None);
    }

    async fn a_refusal_at_smtp_time_counts_like_a_bounce_and_stops_what_waits(world) {
        world.people(&[AN, BINH]).await;
        let answers = [
            (AN, Settled::Rejected, 550, "5.1.1 User unknown"),
            (BINH, Settled::Rejected, 550, "5.7.1 Your message looks like spam"),
        ];
        let sent = world.send("one", &answers).await;
        assert_eq!(world.sweep().await.refusals, 2);
        assert_eq!(world.sweep().await.refusals, 0);
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::HardBounce));
        assert_eq!(world.suppressed(BINH).await, None);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Rejected);
        let tallies = world.tallies().await;
        assert_eq!(tallies.iter().map(|t| t.n).sum::<i64>(), 2);
    }

    async fn what_is_blocked_first_and_refused_for_another_reason_later_is_recorded_twice(world) {
        world.people(&[AN]).await;
        let answers = |settled, words| [(AN, settled, 550, words)];
        let blocked = "5.7.1 Service unavailable; client host blocked using a list";
        for _ in 0..2 {
            let back = Settled::PutBack { until: world.now().plus_ms(1_000), blocked: Blocked::Yes };
            if world.store.campaign("one").await.is_err() {
                world.send("one", &answers(back, blocked)).await;
            } else {
                world.send_due(&answers(back, blocked)).await;
            }
            assert_eq!(world.sweep().await.refusals, 1);
            world.advance_hours(1);
        }
        world.send_due(&answers(Settled::Rejected, "5.1.1 User unknown")).await;
        assert_eq!(world.sweep().await.refusals, 1);
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::HardBounce));
        let filter = BounceFilter::default();
        let events = world.store.bounce_events(filter, i64::MAX, 10).await.unwrap();
        let kinds: Vec<_> = events.iter().filter_map(|e| e.bounce.as_deref()).collect();
        assert_eq!(kinds, ["hard", "block", "block"]);
        let tallies = world.tallies().await;
        let blocks = tallies.iter().find(|t| t.kind == BounceKind::Block).unwrap();
        assert_eq!(blocks.n, 1, "a rate is of rows, not of replies");
    }

    async fn a_sweep_ends_though_all_its_refusals_are_on_the_wire(world) {
        let people: Vec<String> = (0..200).map(|n| format!("p{n}@example.org")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        world.people(&people).await;
        let back = Settled::PutBack { until: world.now().plus_ms(1_000), blocked: Blocked::Yes };
        let answers: Vec<_> = people.iter().map(|p| (*p, back.clone(), 550, "5.7.1 Blocked")).collect();
        world.send("one", &answers).await;
        world.advance_hours(1);
        let claims = world.send_without_answers().await;
        let swept = tokio::time::timeout(Duration::from_secs(60), world.sweep()).await;
        assert_eq!(swept.unwrap().refusals, 0);
        world.advance_hours(1);
        world.lose_answers(&claims).await;
        assert_eq!(world.sweep().await.refusals, 200);
    }

    async fn a_providers_event_is_found_by_the_identifier_that_it_gave(world) {
        world.people(&[AN, BINH]).await;
        let queued = "Ok 0102018f2b3c4d5e-aaaa-000000";
        let sent = world.send("one", &[(AN, Settled::Accepted, 250, queued)]).await;
        let told = world.now();
        world.advance_hours(3);
        let event = |what| ProviderEvent {
            recipient: Some(AN.into()),
            what,
            message_id: Some("0102018f2b3c4d5e-aaaa-000000".into()),
            postroad_ref: None,
            provider_id: "e1".into(),
            at: Some(told),
        };
        let bounce = ProviderWhat::Bounce {
            status: Some("5.1.1".into()),
            code: None,
            diagnostic: "smtp; 550 5.1.1 user unknown".into(),
            permanence: Permanence::Permanent,
        };
        let events = vec![event(ProviderWhat::Delivered), event(bounce.clone()), event(bounce)];
        let incoming = Incoming::Provider { events, source: Source::Hook("ses".into()) };
        let taken = world.feedback.take(incoming, world.now()).await.unwrap();
        let done: Vec<Done> = taken.outcomes.iter().map(|o| o.done).collect();
        assert_eq!(done, [Done::Noted, Done::Recorded, Done::SeenBefore]);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Bounced);
        assert_eq!(world.tallies().await[0].n, 1);
        let filter = BounceFilter { campaign: None, address: None, kind: None };
        let events = world.store.bounce_events(filter, i64::MAX, 10).await.unwrap();
        assert_eq!(events[0].at, told.0, "the time that the provider told");
    }

    async fn tags_lead_to_deliveries_and_nothing_else_does(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let path = sent.return_path(AN);
        let tag = path.split('@').next().unwrap();
        assert!(world.feedback.is_tag(tag));
        assert!(world.feedback.is_tag(&format!("bounces+{tag}")));
        assert!(!world.feedback.is_tag(&format!("{tag}x")));
        assert!(!world.feedback.is_tag("postmaster"));
        assert!(world.store.sent_row(DeliveryId { bucket: 1, id: 1 }).await.unwrap().is_none());
    }

    async fn a_bounce_that_names_nobody_is_kept_for_a_person(world) {
        world.people(&[AN]).await;
        world.send("one", &[]).await;
        let nobody = b"From: MAILER-DAEMON@mx.example.net\r\nReturn-Path: <>\r\n\
            Subject: Undelivered Mail Returned to Sender\r\n\r\n\
            Your message could not be delivered.\r\n".to_vec();
        assert_eq!(world.done(nobody.clone()).await, Done::NotOurs);
        let kept = world.store.raw_mails(0, world.now(), 10).await.unwrap();
        assert_eq!((kept.len(), &kept[0].raw), (1, &nobody));
        assert!(kept[0].why.contains("no recipient"), "{}", kept[0].why);
        // Of somebody to whom we never wrote nothing is kept.
        let strange = dsn("x@elsewhere.example", "who@else.example", "5.0.0", "550 odd", "");
        assert_eq!(world.done(strange).await, Done::NotOurs);
        assert_eq!(world.store.raw_mails(0, world.now(), 10).await.unwrap().len(), 1);
    }

    async fn what_was_not_understood_is_kept_for_a_person(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let odd = dsn(&sent.return_path(AN), AN, "5.0.0", "550 qwertz uiop asdfg", "");
        assert_eq!(world.done(odd.clone()).await, Done::Recorded);
        let kept = world.store.raw_mails(0, world.now(), 10).await.unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].raw, odd);
        world.advance_hours(24 * 15);
        assert_eq!(world.sweep().await.expired, 1);
    }
}
