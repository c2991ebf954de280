//! MAIL, RCPT and DATA of one message as bytes, with the parameters that the relay offers.
//!
//! Written by the dialogue, in one piece or command by command. RFC 5321 section 4.1.1, SIZE (RFC 1870), SMTPUTF8
//! (RFC 6531 section 3.4), DSN with xtext (RFC 3461 section 4) and its form for UTF-8 addresses (RFC 6533 section 3).
//! What must always hold: nothing that is put in can end a line or a path. Whether a row may be sent is not asked here.

use std::{io::Write as _, ops::Range};

use super::capabilities::Capabilities;
use crate::wire::{Outgoing, Unwritten};

/// RFC 3461 section 4.4 and 4.2; what is longer is left out: a DSN without it is better than a refused command.
const ENVID_MAX: usize = 100;
const ORCPT_MAX: usize = 500;

/// Where the commands lie in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// Empty where the connection needs no RSET.
    pub(super) reset: Range<usize>,
    pub(super) mail: Range<usize>,
    pub(super) rcpt: Range<usize>,
    pub(super) data: Range<usize>,
}

/// Whether a transaction has to be taken back first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Reset,
}

/// Why this relay cannot be asked to take the message.
pub(super) fn objection(outgoing: &Outgoing, offered: &Capabilities) -> Option<Unwritten> {
    if !is_path(&outgoing.mail_from) || !is_path(&outgoing.rcpt) || outgoing.rcpt.is_empty() {
        return Some(Unwritten::BadAddress);
    }
    let utf8 =
        outgoing.needs_smtputf8 || !outgoing.mail_from.is_ascii() || !outgoing.rcpt.is_ascii();
    if utf8 && !offered.smtputf8 {
        return Some(Unwritten::NeedsSmtputf8);
    }
    match offered.size_max() {
        Some(max) if outgoing.size > max => Some(Unwritten::TooLarge { max }),
        Some(_) | None => None,
    }
}

/// Blanks and angle brackets are good inside a quoted local part only.
fn is_path(address: &str) -> bool {
    let quoted = address.starts_with('"').then(|| address.rsplit_once('"')).flatten();
    let bare = quoted.map_or(address, |(_, after)| after);
    !address.contains(char::is_control)
        && !bare.contains([' ', '<', '>'])
        && (address.is_empty() || bare.contains('@'))
}

/// Appends the commands; the marks count from the beginning of the buffer.
pub(super) fn append(
    out: &mut Vec<u8>,
    outgoing: &Outgoing,
    offered: &Capabilities,
    before: Before,
) -> Marks {
    let start = out.len();
    if before == Before::Reset {
        out.extend_from_slice(b"RSET\r\n");
    }
    let mail = out.len();
    append_mail(out, outgoing, offered);
    let rcpt = out.len();
    append_rcpt(out, outgoing, offered);
    let data = out.len();
    out.extend_from_slice(b"DATA\r\n");
    Marks { reset: start..mail, mail: mail..rcpt, rcpt: rcpt..data, data: data..out.len() }
}

fn append_mail(out: &mut Vec<u8>, outgoing: &Outgoing, offered: &Capabilities) {
    out.extend_from_slice(b"MAIL FROM:<");
    out.extend_from_slice(outgoing.mail_from.as_bytes());
    out.push(b'>');
    if offered.size.is_some() {
        write!(out, " SIZE={}", outgoing.size).expect("a Vec takes every write");
    }
    let utf8 =
        outgoing.needs_smtputf8 || !outgoing.mail_from.is_ascii() || !outgoing.rcpt.is_ascii();
    if utf8 {
        out.extend_from_slice(b" SMTPUTF8");
    }
    if offered.dsn {
        out.extend_from_slice(b" RET=HDRS");
        if let Some(envid) = &outgoing.envid {
            append_parameter(out, b" ENVID=", ENVID_MAX, |out| append_xtext(out, envid));
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn append_rcpt(out: &mut Vec<u8>, outgoing: &Outgoing, offered: &Capabilities) {
    out.extend_from_slice(b"RCPT TO:<");
    out.extend_from_slice(outgoing.rcpt.as_bytes());
    out.push(b'>');
    if offered.dsn {
        out.extend_from_slice(b" NOTIFY=FAILURE,DELAY");
        match &outgoing.orcpt {
            Some(address) if address.is_ascii() => {
                append_parameter(out, b" ORCPT=rfc822;", ORCPT_MAX, |out| {
                    append_xtext(out, address);
                });
            }
            Some(address) => {
                append_parameter(out, b" ORCPT=utf-8;", ORCPT_MAX, |out| append_utf8(out, address));
            }
            None => {}
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Leaves a parameter out when its value is empty or too long.
fn append_parameter(out: &mut Vec<u8>, name: &[u8], max: usize, value: impl Fn(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(name);
    let from = out.len();
    value(out);
    if out.len() == from || out.len() - from > max {
        out.truncate(start);
    }
}

/// RFC 3461 section 4: printable ASCII as it is, `+`, `=` and everything else as `+` and two hex digits.
fn append_xtext(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' | 0..=b' ' | 0x7f.. => {
                write!(out, "+{byte:02X}").expect("a Vec takes every write");
            }
            b'!'..=b'~' => out.push(byte),
        }
    }
}

/// RFC 6533 section 3, utf-8-addr-xtext: what is not plain ASCII becomes `\x{HEX}`.
fn append_utf8(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '!'..='*' | ','..='<' | '>'..='[' | ']'..='~' => out.push(c as u8),
            c => write!(out, "\\x{{{:X}}}", u32::from(c)).expect("a Vec takes every write"),
        }
    }
}

#[cfg(test)]
mod tests {
    use postroad_model::DeliveryId;

    use super::{super::capabilities::SizeLimit, *};
    use crate::wire::Body;

    fn everything() -> Capabilities {
        Capabilities {
            size: Some(SizeLimit::Max(1000)),
            smtputf8: true,
            dsn: true,
            ..Capabilities::default()
        }
    }

    fn outgoing(rcpt: &str) -> Outgoing {
        Outgoing {
            id: DeliveryId { bucket: 1, id: 2 },
            mail_from: "b+1=x@y.test".into(),
            rcpt: rcpt.into(),
            body: Body::stuffed(b"x".to_vec()),
            size: 3,
            needs_smtputf8: false,
            use_by: None,
            envid: Some("camp aign=7+ä".into()),
            orcpt: Some(rcpt.into()),
        }
    }

    #[test]
    fn each_parameter_is_written_where_its_extension_is_offered() {
        let check = |rcpt: &str, offered: &Capabilities, before, expected: &str| {
            let mut out = b".\r\n".to_vec();
            let marks = append(&mut out, &outgoing(rcpt), offered, before);
            assert_eq!(String::from_utf8_lossy(&out[3..]), expected);
            assert!(out[marks.rcpt].starts_with(b"RCPT") && out[marks.data] == *b"DATA\r\n");
        };
        check(
            "a=b@x.test",
            &Capabilities::default(),
            Before::Reset,
            "RSET\r\nMAIL FROM:<b+1=x@y.test>\r\nRCPT TO:<a=b@x.test>\r\nDATA\r\n",
        );
        check(
            "a=b@x.test",
            &everything(),
            Before::Nothing,
            "MAIL FROM:<b+1=x@y.test> SIZE=3 RET=HDRS ENVID=camp+20aign+3D7+2B+C3+A4\r\n\
             RCPT TO:<a=b@x.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+3Db@x.test\r\nDATA\r\n",
        );
        check(
            "lê+1@x.test",
            &everything(),
            Before::Nothing,
            "MAIL FROM:<b+1=x@y.test> SIZE=3 SMTPUTF8 RET=HDRS ENVID=camp+20aign+3D7+2B+C3+A4\r\n\
             RCPT TO:<lê+1@x.test> NOTIFY=FAILURE,DELAY ORCPT=utf-8;l\\x{EA}\\x{2B}1@x.test\r\nDATA\r\n",
        );
    }

    #[test]
    fn what_is_too_long_for_its_parameter_is_left_out() {
        let mut out = Vec::new();
        let long = Outgoing { envid: Some("x".repeat(101)), orcpt: None, ..outgoing("a@x.test") };
        append(&mut out, &long, &everything(), Before::Nothing);
        assert!(!String::from_utf8_lossy(&out).contains("ENVID"));
    }

    #[test]
    fn a_message_is_held_back_where_the_relay_cannot_take_it() {
        let check = |outgoing: &Outgoing, offered: &Capabilities, why| {
            assert_eq!(objection(outgoing, offered), why, "{outgoing:?}");
        };
        let none = Capabilities::default();
        let size = |size| Outgoing { size, ..outgoing("a@x.test") };
        check(&outgoing("a@x.test"), &none, None);
        check(&outgoing("\"a <b>\"@x.test"), &none, None);
        check(&size(1001), &everything(), Some(Unwritten::TooLarge { max: 1000 }));
        check(&size(1000), &everything(), None);
        check(&outgoing("lê@x.test"), &none, Some(Unwritten::NeedsSmtputf8));
        check(&outgoing("lê@x.test"), &everything(), None);
        let header = Outgoing { needs_smtputf8: true, ..outgoing("a@x.test") };
        check(&header, &none, Some(Unwritten::NeedsSmtputf8));
        check(&outgoing("a@x.test>\r\nRCPT TO:<b@x.test"), &none, Some(Unwritten::BadAddress));
        check(&outgoing("a@x.test> <"), &none, Some(Unwritten::BadAddress));
        check(&outgoing("\"a\"@x.test> <"), &none, Some(Unwritten::BadAddress));
        check(&outgoing("\"a\n\"@x.test"), &none, Some(Unwritten::BadAddress));
        check(&outgoing(""), &none, Some(Unwritten::BadAddress));
        let null = Outgoing { mail_from: String::new(), ..outgoing("a@x.test") };
        check(&null, &none, None);
    }
}
