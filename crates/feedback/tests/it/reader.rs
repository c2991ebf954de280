//! Reports that only a whole reading of the mail leads to: references in what was returned, feedback, answers, wishes.

use crate::mails::{arf, dsn, letter, limit_notice, notice, out_of_office};
use crate::on_both_engines;
use postroad_feedback::{Done, Taken};
use postroad_model::CampaignId;
use postroad_model::delivery::DeliveryState;
use postroad_model::suppression::SuppressionReason;
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_store::Settled;
use postroad_testkit::builders;

const AN: &str = "an@example.vn";
const BINH: &str = "binh@example.vn";
const GONE: &str = "550 5.1.1 <an@example.vn>: Recipient address rejected: User unknown";

on_both_engines! {
    async fn a_bounce_is_found_by_the_references_in_what_was_returned(world) {
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[]).await;
        let header = format!("X-Postroad-Ref: {}\r\n", sent.reference(AN));
        let mail = dsn("news@news.example.com", "other@forwarded.example", "5.1.1", GONE, &header);
        assert_eq!(world.done(mail).await, Done::Recorded);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Bounced);
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::HardBounce));
        let header = format!("Message-ID: <{}@news.example.com>\r\n", sent.reference(BINH));
        let mail = dsn("news@news.example.com", BINH, "5.2.2", "552 5.2.2 Mailbox full", &header);
        assert_eq!(world.done(mail).await, Done::Recorded);
        assert_eq!(world.state(sent.row(BINH)).await, DeliveryState::Bounced);
        assert_eq!(world.suppressed(BINH).await, None);
        assert!(world.tallies().await.iter().all(|t| t.weak == 0));
    }

    async fn an_automatic_answer_settles_the_unknown_and_harms_nobody(world) {
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[(AN, Settled::Unknown, 250, "")]).await;
        let mail = out_of_office(&sent.return_path(AN), &builders::address(AN));
        assert_eq!(world.done(mail).await, Done::Recorded);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Accepted);
        assert_eq!(world.suppressed(AN).await, None);
    }

    async fn a_complaint_stops_the_person_everywhere_and_other_feedback_does_not(world) {
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[]).await;
        let header = |who| format!("X-Postroad-Ref: {}\r\n", sent.reference(who));
        let abuse = arf("fbl@news.example.com", "abuse", &header(AN));
        assert_eq!(world.done(abuse).await, Done::Recorded);
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::Complaint));
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Accepted);
        let auth = arf("fbl@news.example.com", "auth-failure", &header(BINH));
        assert_eq!(world.done(auth).await, Done::Noted);
        let fine = arf("fbl@news.example.com", "not-spam", &header(BINH));
        assert_eq!(world.done(fine).await, Done::Recorded);
        assert_eq!(world.suppressed(BINH).await, None);
        let leave = arf("fbl@news.example.com", "opt-out", &header(BINH));
        assert_eq!(world.done(leave).await, Done::Recorded);
        let contact = world.store.contact(&builders::address(BINH)).await.unwrap().unwrap();
        assert_eq!(contact.subscriptions[0].state.code(), 2);
        assert_eq!(world.tallies().await.len(), 1);
    }

    async fn an_answer_and_a_sent_copy_settle_the_unknown_and_stay_ordinary_mail(world) {
        world.people(&[AN, BINH]).await;
        let unknown = |who| (who, Settled::Unknown, 250, "");
        let sent = world.send("one", &[unknown(AN), unknown(BINH)]).await;
        let answer = letter(&format!("news@news.example.com\r\nIn-Reply-To: <{}@news.example.com>", sent.reference(AN)), "Re: Hello");
        assert_eq!(world.take(answer).await, Taken::default());
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Accepted);
        let copy = letter(&format!("{BINH}\r\nX-Postroad-Ref: {}", sent.reference(BINH)), "Hello");
        assert_eq!(world.take(copy).await, Taken::default());
        assert_eq!(world.state(sent.row(BINH)).await, DeliveryState::Accepted);
    }

    async fn mail_to_the_unsubscribe_address_unsubscribes_once(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let contact = world.store.contact(&builders::address(AN)).await.unwrap().unwrap();
        let token = |effect| {
            world.store.keys().link(&LinkToken {
                kind: LinkKind::Unsubscribe,
                effect,
                campaign: CampaignId(1),
                contact: contact.id,
                delivery: sent.row(AN).id,
                lists: vec![contact.subscriptions[0].list],
            })
        };
        let subject = format!("unsubscribe {}", token(LinkEffect::Test));
        assert_eq!(world.done(letter("unsub@news.example.com", &subject)).await, Done::Noted);
        let subject = format!("Re: unsubscribe {}", token(LinkEffect::Real));
        assert_eq!(world.done(letter("unsub@news.example.com", &subject)).await, Done::Recorded);
        let tagged = format!("unsub+{}@news.example.com", token(LinkEffect::Real));
        assert_eq!(world.done(letter(&tagged, "hello")).await, Done::SeenBefore);
        assert_eq!(world.take(letter("unsub@news.example.com", "hello")).await, Taken::default());
    }

    async fn a_notice_of_delay_counts_nothing_and_one_of_delivery_clears(world) {
        world.people(&[AN]).await;
        let full = "452 4.2.2 Mailbox full";
        let sent = world.send("one", &[]).await;
        let path = sent.return_path(AN);
        let delayed = dsn(&path, AN, "4.2.2", full, "");
        assert_eq!(world.done(delayed).await, Done::Noted);
        assert_eq!(world.state(sent.row(AN)).await, DeliveryState::Accepted);
        let bounced = notice(&path, AN, ("failed", "5.2.2"), "552 5.2.2 Mailbox full", "");
        assert_eq!(world.done(bounced).await, Done::Recorded);
        world.advance_hours(1);
        let two = world.send("two", &[]).await;
        let arrived = notice(&two.return_path(AN), AN, ("delivered", "2.0.0"), "250 2.0.0 Ok", "");
        assert_eq!(world.done(arrived).await, Done::Recorded);
        assert_eq!(world.state(two.row(AN)).await, DeliveryState::Accepted);
    }

    async fn a_notice_that_the_account_reached_its_limit_sends_the_message_again_later(world) {
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        world.step().await;
        assert!(world.store.campaign("one").await.unwrap().campaign.state.is_over());
        let header = format!("X-Postroad-Ref: {}\r\n", sent.reference(AN));
        let notice = limit_notice("anna@gmail.com", &header);
        assert_eq!(world.done(notice.clone()).await, Done::Recorded);
        assert_eq!(world.done(notice).await, Done::SeenBefore);
        let row = world.row(sent.row(AN)).await;
        assert_eq!((row.state, row.copy_no), (DeliveryState::Scheduled, 1));
        assert!(world.store.campaign("one").await.unwrap().campaign.state.runs());
        let mut books = world.store.limits("relay:own").await.unwrap();
        let limit = books[0].limit.clone();
        assert_eq!(books[0].book.free(&limit, world.now()).unwrap().amount, 0);
        assert_eq!(world.suppressed(AN).await, None);
    }
}
