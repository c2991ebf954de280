//! A reader without mercy: what RFC 5322 and RFC 2045 ask of a message, checked on the octets, then with a parser.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

/// Panics when the octets are not a clean 7-bit message; returns it parsed.
pub fn check(bytes: &[u8]) -> Message<'_> {
    assert!(bytes.is_ascii(), "not 7-bit: {}", String::from_utf8_lossy(bytes));
    check_smtputf8(bytes)
}

/// As `check`, for a message to a UTF-8 local part: its header may hold UTF-8 (RFC 6532), its body may not.
pub fn check_smtputf8(bytes: &[u8]) -> Message<'_> {
    let shown = String::from_utf8_lossy(bytes);
    assert!(bytes.ends_with(b"\r\n"), "no line end at the end: {shown}");
    for (i, byte) in bytes.iter().enumerate() {
        let pair = (i.checked_sub(1).map(|p| bytes[p]), bytes.get(i + 1));
        match byte {
            b'\r' => assert_eq!(pair.1, Some(&b'\n'), "bare CR at {i}: {shown}"),
            b'\n' => assert_eq!(pair.0, Some(b'\r'), "bare LF at {i}: {shown}"),
            b'\t' | 0x20..=0x7e | 0x80.. => {}
            other => panic!("octet {other} at {i}: {shown}"),
        }
    }
    let text = std::str::from_utf8(bytes).unwrap();
    for line in text.split("\r\n") {
        assert!(line.len() <= 998, "{} octets in a line: {line}", line.len());
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        !body.lines().last().unwrap_or("").trim().is_empty(),
        "blank lines at the end: {shown}"
    );
    for name in ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"] {
        let count = head.split("\r\n").filter(|l| l.starts_with(&format!("{name}: "))).count();
        assert_eq!(count, 1, "{name} stands {count} times:\n{head}");
    }
    for line in head.split("\r\n") {
        let field = line.split_once(": ").is_some_and(|(n, v)| {
            n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !v.trim().is_empty()
        });
        assert!(field || line.starts_with([' ', '\t']), "not a field: {line:?}\n{head}");
        assert!(line.len() <= 200, "a long header line: {line}");
    }
    for name in ["Precedence", "Auto-Submitted", "Bcc"] {
        assert!(!head.split("\r\n").any(|l| l.starts_with(name)), "{head}");
    }
    let message = MessageParser::default().parse(bytes).expect("a message");
    for part in &message.parts {
        assert!(!part.is_encoding_problem, "{:?} cannot be decoded: {shown}", part.content_type());
        assert!(!matches!(part.body, PartType::Message(_)));
    }
    message
}
