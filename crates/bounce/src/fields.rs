//! Header fields: names and unfolded values, from any block of bytes that has them.
//!
//! `mime` reads every entity's header with it, `dsn` the fields of a status, `references` those of a returned
//! message. It follows RFC 5322 section 2.2 and decodes RFC 2047 words through mail-parser. What always holds: at most
//! [`MAX_FIELDS`] fields of at most [`MAX_FIELD`] bytes are kept, however long the header is. It does not judge names.

use crate::charset;
use mail_parser::MessageParser;

/// Most fields that are kept of one header.
pub(crate) const MAX_FIELDS: usize = 400;
/// Most bytes that are kept of one value.
pub(crate) const MAX_FIELD: usize = 8_192;

/// Fields in their order; names are in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    list: Vec<(String, String)>,
}

impl Fields {
    /// The first value of this name (lower case), not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|v| !v.is_empty())
    }

    /// All values of this name (lower case).
    pub fn all<'f, 'n>(&'f self, name: &'n str) -> impl Iterator<Item = &'f str> + use<'f, 'n> {
        self.list.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a field of this name is there, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(n, _)| n == name)
    }

    /// The first value with its RFC 2047 words decoded.
    pub fn decoded(&self, name: &str) -> Option<String> {
        self.get(name).map(decode_words)
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// Reads a header; the second value is where the body starts.
///
/// A line that is neither field nor continuation ends the header, unless a field follows it at once.
pub(crate) fn parse(bytes: &[u8]) -> (Fields, usize) {
    let mut fields = Fields::default();
    let mut at = 0;
    let mut strays = 0;
    while at < bytes.len() {
        let (line, next) = line_at(bytes, at);
        if line.is_empty() {
            return (fields, next);
        }
        if is_continuation(line) && !fields.list.is_empty() {
            extend_last(&mut fields, line);
        } else if let Some((name, value)) = split(line) {
            if fields.list.len() < MAX_FIELDS {
                let value = to_text(value).trim().to_owned();
                fields.list.push((name.to_ascii_lowercase(), value));
            }
        } else {
            // An mbox separator, or a line that a broken relay put between fields.
            strays += 1;
            let field_follows = split(line_at(bytes, next).0).is_some();
            if strays > 5 || !field_follows {
                return (fields, at);
            }
        }
        at = next;
    }
    (fields, bytes.len())
}

/// The line at this offset without its end, and the offset of the next one.
pub(crate) fn line_at(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    match memchr::memchr(b'\n', rest) {
        Some(end) => (rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]), at + end + 1),
        None => (rest.strip_suffix(b"\r").unwrap_or(rest), bytes.len()),
    }
}

fn is_continuation(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

fn extend_last(fields: &mut Fields, line: &[u8]) {
    if let Some((_, value)) = fields.list.last_mut().filter(|(_, v)| v.len() < MAX_FIELD) {
        let more = to_text(line);
        let more = more.trim();
        if !value.is_empty() && !more.is_empty() {
            value.push(' ');
        }
        value.push_str(more);
    }
}

/// Name and value of a field line; blanks before the colon are an old habit of some relays.
pub(crate) fn split(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr::memchr(b':', line).filter(|at| (1..=76).contains(at))?;
    let name = std::str::from_utf8(&line[..colon]).ok()?.trim_end();
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    fits.then_some((name, &line[colon + 1..]))
}

fn to_text(value: &[u8]) -> String {
    charset::decode(&value[..value.len().min(MAX_FIELD)], None).0
}

/// A value with its RFC 2047 words decoded.
pub(crate) fn decode_words(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    // mail-parser decodes words inside the unstructured field that it knows best.
    let header = format!("Subject: {value}\r\n\r\n");
    let parsed = MessageParser::default().parse_headers(header.as_bytes());
    parsed.and_then(|m| m.subject().map(str::to_owned)).unwrap_or_else(|| value.to_owned())
}

/// A structured value's first word and its parameters (RFC 2045 section 5.1), all in lower case but for values.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentType {
    pub main: String,
    parameters: Vec<(String, String)>,
}

impl ContentType {
    pub fn of(value: &str) -> Self {
        let mut pieces = split_quoted(value);
        let main = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = pieces
            .take(20)
            .filter_map(|p| {
                let (name, value) = p.split_once('=')?;
                let value = value.trim().trim_matches('"').to_owned();
                Some((name.trim().to_ascii_lowercase(), value))
            })
            .collect();
        Self { main, parameters }
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Splits at `;` outside quotes.
fn split_quoted(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_the_body_is_found() {
        let mail = b"From x Thu\r\nSubject: one\r\n two\r\nTo : a@b\r\nX: \r\n\r\nbody: no\r\n";
        let (fields, at) = parse(mail);
        assert_eq!(fields.get("subject"), Some("one two"));
        assert_eq!(fields.get("to"), Some("a@b"));
        assert!(fields.has("x") && fields.get("x").is_none());
        assert_eq!(&mail[at..], b"body: no\r\n");
    }

    #[test]
    fn a_header_without_a_blank_line_ends_where_prose_begins() {
        let mail = b"Subject: x\nHello there, this is text\nmore\n";
        let (fields, at) = parse(mail);
        assert_eq!((fields.len(), &mail[at..at + 5]), (1, &b"Hello"[..]));
    }

    #[test]
    fn words_are_decoded() {
        assert_eq!(decode_words("=?UTF-8?B?TWFpbA==?= failure."), "Mail failure.");
        assert_eq!(decode_words("plain"), "plain");
    }

    #[test]
    fn content_types_have_parameters() {
        let t = ContentType::of("Multipart/Report; report-type=delivery-status;\tBOUNDARY=\"a;b\"");
        assert_eq!(t.main, "multipart/report");
        assert_eq!(t.parameter("boundary"), Some("a;b"));
        assert_eq!(t.parameter("report-type"), Some("delivery-status"));
    }
}
