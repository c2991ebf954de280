//! Servers that say what no mail server would, from the greeting on.

use crate::world::clear_text;
use postroad_mailbox::{Access, Extent, Imap, Message, Opening, Pop3, field, received};
use postroad_testkit::fuzz;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// More than any text of the corpus, less than a mutated one may bring.
const OCTETS_MAX: usize = 2_000;

/// Says all of a text at once to whoever connects, while that one talks.
async fn said<T>(listener: &TcpListener, text: &[u8], talk: impl Future<Output = T>) -> T {
    let say = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The other side may have gone away already.
        let _ = stream.write_all(text).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    tokio::join!(talk, say).0
}

/// The first text of a corpus is a session that comes to a message, so that its mutations come far too.
fn target(corpus: &[&str], words: &[&str], talk: &impl AsyncFn(&Access) -> Option<Message>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let access = clear_text(listener.local_addr().unwrap());
    let whole = runtime.block_on(said(&listener, corpus[0].as_bytes(), talk(&access)));
    assert!(
        whole.is_some_and(|m| m.extent == Extent::Whole),
        "the first session comes to its message"
    );
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz::run(&corpus, words, |input| {
        if let Some(message) = runtime.block_on(said(&listener, input, talk(&access))) {
            assert!(message.bytes.len() <= OCTETS_MAX, "{} octets", message.bytes.len());
        }
    });
}

#[test]
fn pop3() {
    let corpus = [
        "+OK hi\r\n+OK\r\n+OK in\r\n+OK\r\n1 abc\r\n2 def\r\n.\r\n+OK\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n+OK\r\n+OK\r\n",
        "+OK\r\n-ERR no\r\n",
        "+OK\r\n+OK\r\n+OK\r\n-ERR no such command\r\n",
    ];
    let words = ["+OK ", "-ERR ", ".\r\n", "..", "\r\n", "4294967296 x\r\n", "1 ", "+ ", "\0", "é"];
    target(&corpus, &words, &async |access| {
        let mut pop3 = Pop3::open(access).await.ok()?;
        let ids = pop3.unique_ids().await.ok()?;
        let first = ids.first().map_or(1, |(number, _)| *number);
        let message = pop3.fetch(first, OCTETS_MAX).await.ok()?;
        // Whatever it answers is its word.
        let _ = pop3.delete(first).await;
        let _ = pop3.quit().await;
        message
    });
}

#[test]
fn imap() {
    let corpus = [
        "* OK hi\r\nA0001 OK in\r\n* CAPABILITY IMAP4rev1 IDLE MOVE\r\nA0002 OK\r\n* LIST (\\HasNoChildren \\Junk) \"/\" \"Junk\"\r\nA0003 OK\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\nA0004 OK [READ-ONLY] x\r\n* 1 FETCH (UID 1 BODY[]<0> {5}\r\nhello)\r\nA0005 OK\r\n",
        "* OK hi\r\nA0001 NO [AUTHENTICATIONFAILED] no\r\n",
        "* BYE later\r\n",
    ];
    let words = [
        "* ",
        "A0001 OK\r\n",
        "{5}\r\n",
        "{99999999}\r\n",
        "(",
        ")",
        "\"",
        "\\",
        "UID 1 ",
        "BODY[]<0> ",
        "NIL",
        "&AOk-",
        "\r\n",
    ];
    target(&corpus, &words, &async |access| {
        let mut imap = Imap::open(access).await.ok()?;
        let _ = imap.folders().await;
        imap.select("INBOX", Opening::ReadOnly).await.ok()?;
        imap.fetch(1, OCTETS_MAX).await.ok()?
    });
}

#[test]
fn headers() {
    let corpus = [
        "Received: by mx.b.test with LMTP; Sat, 21 Nov 2026 22:26:40 +0700\r\nAuthentication-Results: mx.b.test 1; \
         dkim=pass (a (b)) header.i=\"x;y\"; spf=softfail; dmarc/1 = none\r\nX-Postroad-Ref:\r\n abc\r\n\r\n",
        "Authentication-Results: spf=pass; dkim=none\r\nAuthentication-Results: a.b; dkim=pass\r\n\r\n",
    ];
    let words =
        ["Received: ", ";", "=", "(", ")", "\"", "\\", "\r\n ", "dkim=pass", "/", "\0", "é", "."];
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz::run(&corpus, &words, |input| {
        let told = received(input);
        let reference = field(input, "X-Postroad-Ref").unwrap_or_default();
        assert!(reference.len() <= input.len() * 3 + 8, "{told:?} {reference}");
    });
}
