//! What is searched for, in IMAP's words (RFC 3501 section 6.4.4).
//!
//! Written by `Imap::search`. What must always hold: no text given here can end its string or the command.

use postroad_model::Timestamp;

/// Which messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// From this UID on.
    From(u32),
    /// That came on the day of this instant in UTC or later. IMAP's days have no zone: ask for one or two more.
    Since(Timestamp),
    /// With this text in this header field (a substring: look again at what is found), that came then or later, as in
    /// `Since`.
    HeaderSince {
        /// The field's name.
        name: String,
        /// The text.
        text: String,
        /// The instant.
        since: Timestamp,
    },
    /// One message, if Gmail's own search finds it too (X-GM-EXT-1): `category:promotions`.
    Gmail {
        /// In Gmail's words.
        raw: String,
        /// The message.
        uid: u32,
    },
}

/// The criteria of UID SEARCH.
pub(crate) fn words(query: &Query) -> String {
    match query {
        Query::From(uid) => format!("UID {uid}:*"),
        Query::Since(at) => since(*at),
        Query::HeaderSince { name, text, since: at } => {
            format!("{} HEADER {} {}", since(*at), quoted(name), quoted(text))
        }
        Query::Gmail { raw, uid } => format!("UID {uid} X-GM-RAW {}", quoted(raw)),
    }
}

fn since(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, month, year) = at.utc_date();
    let month = usize::try_from(month - 1).ok().and_then(|n| MONTHS.get(n)).unwrap_or(&"Jan");
    format!("SINCE {day}-{month}-{year:04}")
}

/// A quoted string (RFC 3501 section 9): what cannot stand in one is left out.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_written_as_imap_wants_them() {
        let check = |query: Query, expected: &str| assert_eq!(words(&query), expected);
        check(Query::From(7), "UID 7:*");
        let at = Timestamp(1_795_300_000_123);
        check(Query::Since(at), "SINCE 21-Nov-2026");
        check(Query::Since(Timestamp(0)), "SINCE 1-Jan-1970");
        let header =
            |text: &str| Query::HeaderSince { name: "X-Ref".into(), text: text.into(), since: at };
        check(header("abc"), r#"SINCE 21-Nov-2026 HEADER "X-Ref" "abc""#);
        check(
            header("a\"b\\c\r\nA1 DELETE"),
            r#"SINCE 21-Nov-2026 HEADER "X-Ref" "a\"b\\cA1 DELETE""#,
        );
        let query = Query::Gmail { raw: "category:promotions".into(), uid: 7 };
        check(query, r#"UID 7 X-GM-RAW "category:promotions""#);
    }
}
