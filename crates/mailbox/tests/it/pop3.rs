//! POP3 against Dovecot: TLS both ways, unique-ids, dots, and that only QUIT deletes.

use crate::world::{access, password};
use postroad_mailbox::{Error, Extent, Pop3};
use postroad_model::relay::TlsMode;
use postroad_testkit::dovecot;

#[tokio::test]
async fn messages_are_handed_over_byte_by_byte_with_their_unique_ids() {
    let Some(dovecot) = dovecot::spawn() else { return };
    dovecot.deliver("x@b.test", "Subject: hello\n\n.dot\n..dots\n");
    dovecot.deliver("x@b.test", "Subject: second\n\nbody\n");
    let mut known = None;
    for (at, tls) in [
        (dovecot.pop3s(), TlsMode::Implicit),
        (dovecot.pop3(), TlsMode::Starttls),
        (dovecot.pop3(), TlsMode::None),
    ] {
        let mut pop3 = Pop3::open(&access(&dovecot, at, tls)).await.unwrap();
        let ids = pop3.unique_ids().await.unwrap();
        assert_eq!(ids.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2]);
        assert_ne!(ids[0].1, ids[1].1);
        assert_eq!(*known.get_or_insert(ids.clone()), ids, "they stay the same");
        let message = pop3.fetch(1, 100_000).await.unwrap().unwrap();
        let text = String::from_utf8(message.bytes.clone()).unwrap();
        assert!(text.ends_with("\r\n\r\n.dot\r\n..dots\r\n"), "{text}");
        assert_eq!(message.extent, Extent::Whole);
        let cut = pop3.fetch(1, 9).await.unwrap().unwrap();
        assert_eq!((cut.bytes, cut.extent), (message.bytes[..9].to_vec(), Extent::Cut));
        assert_eq!(pop3.fetch(3, 9).await.unwrap(), None);
        pop3.quit().await.unwrap();
    }
}

#[tokio::test]
async fn only_a_session_that_ends_well_deletes() {
    let Some(dovecot) = dovecot::spawn() else { return };
    dovecot.deliver("x@b.test", "Subject: hello\n\nbody\n");
    let access = access(&dovecot, dovecot.pop3s(), TlsMode::Implicit);
    let mut lost = Pop3::open(&access).await.unwrap();
    lost.delete(1).await.unwrap();
    drop(lost);
    let mut pop3 = Pop3::open(&access).await.unwrap();
    assert_eq!(pop3.unique_ids().await.unwrap().len(), 1);
    pop3.delete(1).await.unwrap();
    pop3.quit().await.unwrap();
    assert_eq!(dovecot.count("b.test", ""), 0);
}

#[tokio::test]
async fn a_refused_login_says_what_to_do() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut access = access(&dovecot, dovecot.pop3s(), TlsMode::Implicit);
    access.login = password("wrong\r\nQUIT");
    let error = Pop3::open(&access).await.unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(error.to_string().contains("make an app password"), "{error}");
}
