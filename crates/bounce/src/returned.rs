//! Where the returned message begins in a text that has it below the report.
//!
//! `prose` asks it, so that nothing of the returned message is taken for the report. It knows the rules and phrases that
//! servers put between the two, and a block of header fields (RFC 5322 section 2.2) where they put nothing. What always
//! holds: one pass; a marker counts only where fields follow it or where it is a rule. It does not read the fields.

use crate::fields;
use crate::phrases::phrases;
use crate::words::normal;

/// Where the returned message starts: after a line that says so, or at a block of header fields.
pub(crate) fn start(lines: &[&str]) -> usize {
    for (i, line) in lines.iter().enumerate() {
        if line.len() < 160 && i > 0 && phrases().returned_markers.is_in(&normal(line)) {
            let block = header_block(lines, i + 1, 8) || ruled(line);
            if block {
                return i;
            }
        }
        let starts = i > 0 && !line.starts_with([' ', '\t']) && is_known_field(line);
        if starts && header_block(lines, i, 1) {
            return i;
        }
    }
    lines.len()
}

/// `----- Original message -----` and `Below this line is a copy` are what they say, fields or not.
fn ruled(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    line.contains("--") || lower.contains("copy of")
}

/// Whether three fields of a message, one of them its sender or recipient, start within the next lines.
fn header_block(lines: &[&str], from: usize, within: usize) -> bool {
    let Some(start) = (from..lines.len().min(from + within)).find(|i| is_known_field(lines[*i]))
    else {
        return false;
    };
    let mut names: Vec<String> = Vec::new();
    for line in lines[start..].iter().take(60) {
        if line.trim().is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        match fields::split(line.as_bytes()) {
            Some((name, _)) => names.push(name.to_ascii_lowercase()),
            None => break,
        }
    }
    let has = |name: &str| names.iter().any(|n| n == name);
    let party = has("from") || has("to") || has("return-path");
    let known = names.iter().filter(|n| is_known_name(n)).count();
    party && known >= 3
}

fn is_known_field(line: &str) -> bool {
    fields::split(line.as_bytes())
        .is_some_and(|(name, _)| is_known_name(&name.to_ascii_lowercase()))
}

fn is_known_name(name: &str) -> bool {
    const KNOWN: [&str; 19] = [
        "received",
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "return-path",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "reply-to",
        "sender",
        "cc",
        "delivered-to",
        "x-mailer",
        "user-agent",
        "in-reply-to",
        "references",
        "dkim-signature",
    ];
    KNOWN.contains(&name)
}
