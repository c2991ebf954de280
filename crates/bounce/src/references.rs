//! What leads from a mail back to the delivery that it is about.
//!
//! `read` calls it for every mail. It follows RFC 5322 section 3.6.4 for message ids, RFC 3464 section 2.2.1 for envelope
//! ids. What always holds: values in the order of their strength, each bounded and free of control
//! characters, at most [`MAX_REFERENCES`] of a kind. It verifies nothing: tokens and ids are for those who hold the keys.

use crate::address;
use crate::dsn::truncate;
use crate::fields::Fields;
use crate::mime::Mail;
use crate::reading::{MAX_REFERENCES, MAX_VALUE, References};

/// Fields that name to whom this mail itself was sent, the surest first.
const ADDRESSED: [&str; 11] = [
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-rcpt-to",
    "x-apparently-to",
    "apparently-to",
    "x-forwarded-to",
    "resent-to",
    "to",
    "cc",
];
/// The field that our own mails carry.
const OURS: &str = "x-postroad-ref:";

/// Collects what the mail, its returned message and the texts of its parts give.
pub(crate) fn collect(mail: &Mail<'_>, returned: &Fields, envelope_ids: &[String]) -> References {
    let mut references = References::default();
    let own = &mail.fields;
    for name in ADDRESSED {
        for value in own.all(name) {
            for found in address::find_all(value) {
                push(&mut references.addressed_to, &found.address);
            }
        }
    }
    // A copy of our own message, as a Sent folder has it.
    for value in own.all("x-postroad-ref") {
        push(&mut references.returned_refs, value);
    }
    for part in &mail.parts {
        ours(&part.text, &mut references.returned_refs);
    }
    for value in returned.all("message-id").chain(returned.all("x-gmail-original-message-id")) {
        push_ids(&mut references.message_ids, value);
    }
    for name in ["x-original-message-id", "original-message-id", "in-reply-to", "references"] {
        for value in own.all(name) {
            push_ids(&mut references.message_ids, value);
        }
    }
    for id in envelope_ids {
        push(&mut references.envelope_ids, id);
    }
    references.subject = own.decoded("subject").map(|s| cleaned(&s)).filter(|s| !s.is_empty());
    references
}

/// Our own reference, wherever in a text it stands.
fn ours(text: &str, refs: &mut Vec<String>) {
    for line in text.lines().filter(|l| l.len() < MAX_VALUE) {
        let bare = line.trim_start_matches([' ', '>', '|', '\t']);
        let named = bare.get(..OURS.len()).is_some_and(|n| n.eq_ignore_ascii_case(OURS));
        if named {
            push(refs, &bare[OURS.len()..]);
        }
    }
}

fn push_ids(ids: &mut Vec<String>, value: &str) {
    for id in value.split([' ', '<', '>', ',']).filter(|id| id.contains('@')) {
        push(ids, id);
    }
}

fn push(list: &mut Vec<String>, value: &str) {
    let value = cleaned(value);
    let fresh = !value.is_empty() && !list.contains(&value);
    if fresh && list.len() < MAX_REFERENCES {
        list.push(value);
    }
}

/// Without control characters, with single blanks, bounded.
pub(crate) fn cleaned(value: &str) -> String {
    cleaned_to(value, MAX_VALUE)
}

/// The same with a bound of its own.
pub(crate) fn cleaned_to(value: &str, most: usize) -> String {
    let mut clean = String::with_capacity(value.len().min(most));
    for word in value.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty())
    {
        if clean.len() > most {
            break;
        }
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    truncate(&mut clean, most);
    clean
}
