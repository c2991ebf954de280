//! Replies in all pieces, all lengths, and bytes that are none.

use proptest::prelude::*;

use super::*;

/// Feeds the bytes in these pieces; the replies, and the fault that ended it.
fn read(pieces: &[&[u8]]) -> (Vec<Reply>, Option<ReplyFault>) {
    let mut reader = ReplyReader::default();
    let mut replies = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let mut stream = rest;
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let Poll::Ready(read) = reader.poll_fill(&mut stream, &mut cx) else {
                panic!("a slice is always ready")
            };
            rest = &rest[read.expect("there is room after every reply was taken")..];
            loop {
                match reader.next_code() {
                    Ok(Some(_)) => replies.push(reader.reply()),
                    Ok(None) => break,
                    Err(fault) => return (replies, Some(fault)),
                }
            }
        }
    }
    (replies, None)
}

fn check(bytes: &str, expected: &[(u16, &str)]) {
    let expected: Vec<Reply> =
        expected.iter().map(|(code, text)| Reply::new(*code, text)).collect();
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.as_bytes().split_at(cut);
        assert_eq!(read(&[head, tail]), (expected.clone(), None), "{bytes:?} cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
    assert_eq!(read(&single), (expected, None), "{bytes:?} byte by byte");
}

#[test]
fn replies_are_read_whatever_the_pieces() {
    check("250 2.1.0 ok\r\n", &[(250, "2.1.0 ok")]);
    check(
        "250 2.1.0 ok\r\n550-5.7.509 one\r\n550 5.7.509 two\r\n354 go\r\n",
        &[(250, "2.1.0 ok"), (550, "5.7.509 one\n5.7.509 two"), (354, "go")],
    );
    check("250\r\n250-\r\n250\r\n", &[(250, ""), (250, "\n")]);
    check("250 bare line feed\n", &[(250, "bare line feed")]);
    check("250-first\r\n451 last code counts\r\n", &[(451, "first\nlast code counts")]);
}

#[test]
fn every_digit_of_a_status_is_kept() {
    let (replies, _) = read(&[b"550 5.7.509 Access denied\r\n"]);
    let status = replies[0].enhanced.expect("it has one");
    assert_eq!(
        (status.to_string().as_str(), replies[0].text.as_str()),
        ("5.7.509", "Access denied")
    );
}

#[test]
fn control_characters_do_not_get_through() {
    let (replies, _) = read(&[b"250 a\0b\x1b[31m\xff\r\n"]);
    assert_eq!(replies[0].text, "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}");
}

#[test]
fn what_is_no_reply_is_a_fault() {
    let check = |line: &str| {
        let (replies, fault) = read(&[line.as_bytes()]);
        assert!(replies.is_empty() && matches!(fault, Some(ReplyFault::NotAReply(_))), "{line:?}");
    };
    check("\r\n");
    check("25\r\n");
    check("2x0 a\r\n");
    check("199 a\r\n");
    check("600 a\r\n");
    check("250_a\r\n");
    check("2500 a\r\n");
    check("HTTP/1.1 400 Bad Request\r\n");
}

#[test]
fn endless_lines_and_replies_are_cut_off() {
    let line = [b"250 ".to_vec(), vec![b'x'; LINE_BYTES_MAX]].concat();
    assert_eq!(read(&[&line]).1, Some(ReplyFault::LineTooLong));
    let with_end = [line, b"\r\n".to_vec()].concat();
    assert_eq!(read(&[&with_end]).1, Some(ReplyFault::LineTooLong));
    let fits = [b"250 ".to_vec(), vec![b'x'; LINE_BYTES_MAX - 6], b"\r\n".to_vec()].concat();
    assert_eq!(read(&[&fits]).0.len(), 1);
    let many = "250-x\r\n".repeat(REPLY_LINES_MAX + 1);
    assert_eq!(read(&[many.as_bytes()]).1, Some(ReplyFault::ReplyTooLong));
    let large = format!("250-{}\r\n", "x".repeat(4000)).repeat(17);
    assert_eq!(read(&[large.as_bytes()]).1, Some(ReplyFault::ReplyTooLong));
}

#[test]
fn leftovers_are_known() {
    let mut reader = ReplyReader::default();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(reader.poll_fill(&mut &b"220 go\r\n250-inj"[..], &mut cx).is_ready());
    assert_eq!(reader.next_code(), Ok(Some(220)));
    assert!(reader.has_leftovers());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_pieces_change_nothing(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"250- \r\n".to_vec())], 0..600),
        size in 1_usize..40,
    ) {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(read(&pieces), read(&[&bytes]));
    }
}
