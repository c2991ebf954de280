//! IMAP against Dovecot: TLS both ways, folders, new messages, moving, waiting.

use crate::world::{access, answering, password};
use postroad_mailbox::{
    Error, Extent, Imap, Opening, Position, Query, Selectable, SpecialUse, Woken, field, received,
};
use postroad_model::Timestamp;
use postroad_model::relay::TlsMode;
use postroad_testkit::dovecot;
use std::time::Duration;

const MAIL: &str = "Subject: hello\nX-Postroad-Ref: abc\n\n.dot\nbody\n";

#[tokio::test]
async fn messages_are_handed_over_byte_by_byte_and_stay_unread() {
    let Some(dovecot) = dovecot::spawn() else { return };
    dovecot.deliver("x@b.test", MAIL);
    dovecot.deliver("x@b.test", "Subject: second\n\nlonger\n");
    let modes = [
        (dovecot.imaps(), TlsMode::Implicit),
        (dovecot.imap(), TlsMode::Starttls),
        (dovecot.imap(), TlsMode::None),
    ];
    for (at, tls) in modes {
        let mut imap = Imap::open(&access(&dovecot, at, tls)).await.unwrap();
        let selected = imap.select("INBOX", Opening::ReadWrite).await.unwrap();
        assert_eq!(selected.exists, 2);
        let uids = imap.search(&Query::Since(Timestamp(0))).await.unwrap();
        assert_eq!(uids, [1, 2]);
        assert_eq!(imap.search(&Query::From(2)).await.unwrap(), [2]);
        assert_eq!(imap.search(&Query::From(3)).await.unwrap(), [0_u32; 0]);
        let header = |text: &str| Query::HeaderSince {
            name: "X-Postroad-Ref".into(),
            text: text.into(),
            since: Timestamp(0),
        };
        assert_eq!(imap.search(&header("abc")).await.unwrap(), [1]);
        assert_eq!(imap.search(&header("abd")).await.unwrap(), [0_u32; 0]);
        let message = imap.fetch(1, 100_000).await.unwrap().unwrap();
        assert_eq!(message.extent, Extent::Whole);
        let text = String::from_utf8(message.bytes.clone()).unwrap();
        assert!(text.contains("Subject: hello\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n.dot\r\nbody\r\n"), "{text}");
        let cut = imap.fetch(1, 20).await.unwrap().unwrap();
        assert_eq!((cut.bytes, cut.extent), (message.bytes[..20].to_vec(), Extent::Cut));
        assert_eq!(imap.fetch(77, 20).await.unwrap(), None);
        imap.close().await;
    }
    let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
    imap.select("INBOX", Opening::ReadOnly).await.unwrap();
    assert_eq!(dovecot.count("b.test", ""), 2);
}

#[tokio::test]
async fn a_copy_is_found_by_its_header_alone_and_stays_unread() {
    let Some(dovecot) = dovecot::spawn() else { return };
    dovecot.deliver("x@b.test", MAIL);
    dovecot.deliver("x@b.test", "Subject: second\n\nlonger\n");
    let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
    imap.select("INBOX", Opening::ReadOnly).await.unwrap();
    let query =
        |since| Query::HeaderSince { name: "X-Postroad-Ref".into(), text: "abc".into(), since };
    assert_eq!(imap.search(&query(Timestamp(0))).await.unwrap(), [1]);
    assert_eq!(imap.search(&query(Timestamp(4_070_908_800_000))).await.unwrap(), [0_u32; 0]);
    let head = imap.head(1).await.unwrap().unwrap();
    assert_eq!(field(&head.bytes, "x-postroad-ref").as_deref(), Some("abc"));
    let told = received(&head.bytes);
    let arrived = told.arrived_at.unwrap();
    assert!(arrived.since_ms(head.internal_date.unwrap()).abs() < 60_000, "{told:?} {head:?}");
    assert_eq!(imap.head(77).await.unwrap(), None);
    let found = imap.fields(&[1, 2, 77], "X-Postroad-Ref").await.unwrap();
    assert_eq!(found, [(1, "abc".to_owned())]);
    assert!(imap.fields(&[], "X-Postroad-Ref").await.unwrap().is_empty());
    imap.close().await;
    assert_eq!(dovecot.unseen("b.test", ""), 2);
}

#[tokio::test]
async fn folders_are_told_with_what_they_are_for() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
    let folders = imap.folders().await.unwrap();
    let name = |special_use| {
        let found = folders.iter().find(|f| f.special_use == Some(special_use));
        found.map(|f| f.name.as_str())
    };
    assert_eq!(name(SpecialUse::Inbox), Some("INBOX"));
    assert_eq!(name(SpecialUse::Junk), Some("Junk"));
    assert_eq!(name(SpecialUse::Sent), Some("Outbox"));
    assert_eq!(name(SpecialUse::Trash), None);
    assert!(folders.iter().all(|f| f.selectable == Selectable::Yes));
    let missing = imap.select("Nowhere", Opening::ReadOnly).await.unwrap_err();
    assert!(missing.to_string().contains("Nowhere"), "{missing}");
    assert!(imap.select("INBOX", Opening::ReadOnly).await.is_ok(), "the connection is still good");
}

#[tokio::test]
async fn a_server_that_tells_special_uses_on_request_alone_is_asked_for_them() {
    let junk = async |capabilities: &'static str| {
        let access = answering(move |line| {
            let attributes = if line.contains("RETURN (SPECIAL-USE)") { "\\Junk" } else { "" };
            let said = match line.split(' ').nth(1).unwrap_or_default().trim_end() {
                "" => "* OK hi\r\n".to_owned(),
                "CAPABILITY" => format!("* CAPABILITY {capabilities}\r\nTAG OK\r\n"),
                "LIST" => format!("* LIST ({attributes}) \"/\" \"Werbung 7\"\r\nTAG OK\r\n"),
                _ => "TAG OK\r\n".to_owned(),
            };
            Some(said.into_bytes())
        });
        let folders = Imap::open(&access.await).await.unwrap().folders().await.unwrap();
        folders.first().and_then(|f| f.special_use)
    };
    assert_eq!(junk("IMAP4rev1 LIST-EXTENDED SPECIAL-USE").await, Some(SpecialUse::Junk));
    assert_eq!(junk("IMAP4rev1 SPECIAL-USE").await, None);
    assert_eq!(junk("IMAP4rev1").await, None);
}

#[tokio::test]
async fn a_message_is_moved_whatever_the_server_offers() {
    let capability = |list: &str| format!("imap_capability = {list}");
    for (more, moved) in [
        (String::new(), true),
        (capability("IMAP4rev1 UIDPLUS"), true),
        (capability("IMAP4rev1"), false),
    ] {
        let Some(dovecot) = dovecot::spawn_with(&more) else { return };
        dovecot.deliver("x@b.test", MAIL);
        dovecot.deliver("x@b.test", MAIL);
        let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
        imap.select("INBOX", Opening::ReadWrite).await.unwrap();
        let done = imap.move_to(1, "Bounces").await;
        assert_eq!(done.is_ok(), moved, "{more}: {done:?}");
        imap.close().await;
        assert_eq!(dovecot.count("b.test", ""), if moved { 1 } else { 2 }, "{more}");
        assert_eq!(dovecot.count("b.test", "Bounces"), usize::from(moved), "{more}");
    }
}

#[tokio::test]
async fn waiting_ends_when_mail_comes_or_the_time_is_over_or_the_caller_calls() {
    for more in ["", "imap_capability = IMAP4rev1"] {
        let Some(dovecot) = dovecot::spawn_with(more) else { return };
        let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
        imap.select("INBOX", Opening::ReadWrite).await.unwrap();
        let short = Duration::from_millis(50);
        let never = std::future::pending::<()>;
        assert_eq!(imap.wait(short, never()).await.unwrap(), Woken::Time);
        let called = async {};
        assert_eq!(imap.wait(Duration::from_secs(60), called).await.unwrap(), Woken::Time);
        if more.is_empty() {
            let deliver = async {
                tokio::task::yield_now().await;
                dovecot.deliver("x@b.test", MAIL);
            };
            let (woken, ()) = tokio::join!(imap.wait(Duration::from_secs(60), never()), deliver);
            assert_eq!(woken.unwrap(), Woken::Changed);
            assert_eq!(imap.search(&Query::From(1)).await.unwrap(), [1]);
        }
        imap.close().await;
    }
}

#[tokio::test]
async fn a_folder_that_was_made_anew_has_another_validity() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut imap = Imap::open(&access(&dovecot, dovecot.imap(), TlsMode::None)).await.unwrap();
    let selected = imap.select("Junk", Opening::ReadOnly).await.unwrap();
    let position = Position::Imap { validity: selected.validity, uid: 4 };
    assert_eq!(Position::next_uid(Some(&position), selected.validity), Some(5));
}

#[tokio::test]
async fn a_refused_login_says_what_to_do_and_is_for_a_person() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut access = access(&dovecot, dovecot.imaps(), TlsMode::Implicit);
    access.login = password("wr\"ong");
    let error = Imap::open(&access).await.unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(error.needs_a_person());
    let text = error.to_string();
    for word in ["anna@b.test", "Authentication failed", "make an app password"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!text.contains("ong"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_refused() {
    let Some(dovecot) = dovecot::spawn() else { return };
    for (at, tls) in [(dovecot.imaps(), TlsMode::Implicit), (dovecot.imap(), TlsMode::Starttls)] {
        let mut access = access(&dovecot, at, tls);
        let other = postroad_testkit::certificate::Authority::new();
        access.tls = crate::world::trusting(&other.certificate_pem());
        let error = Imap::open(&access).await.unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{error}");
        assert!(error.to_string().contains("ca_file"), "{error}");
    }
}
