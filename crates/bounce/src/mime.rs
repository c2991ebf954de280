//! A mail in parts: what is text, what is a report, what is the returned message.
//!
//! `read` calls it first. It follows RFC 2045 and RFC 2046 for entities, RFC 6522 for reports, and goes on where they are
//! broken: a missing boundary is guessed, a wrong charset or encoding is noted and read all the same. Transfer
//! decoding is mail-parser's. What always holds: at most [`MAX_READ`] of the mail, [`MAX_PARTS`] parts and
//! [`MAX_DEPTH`] levels are read, in a time proportional to them; an attached message is one part and is not descended
//! into. It does not understand what the parts say.

use crate::charset;
use crate::fields::{self, ContentType, Fields, line_at};
use crate::html;
use crate::reading::{Finding, MAX_READ};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use std::borrow::Cow;

/// Most parts that are read.
pub(crate) const MAX_PARTS: usize = 100;
/// Deepest nesting of multiparts that is read.
pub(crate) const MAX_DEPTH: usize = 12;
/// Largest file that is looked at for a delivery status.
const MAX_STATUS_FILE: usize = 16 << 10;
/// Most bytes that are decoded of one part.
const MAX_TEXT: usize = 256 << 10;

/// What a part is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Html,
    /// `message/delivery-status` and its internationalised and misspelt kin.
    Status,
    /// `message/feedback-report`.
    Feedback,
    /// The returned message or its header.
    Returned,
    /// `message/disposition-notification`: a read receipt.
    Disposition,
    /// A file with the fields of a delivery status in it.
    Data,
}

/// A leaf of the mail.
#[derive(Clone, Debug)]
pub(crate) struct Part<'m> {
    pub kind: Kind,
    /// Decoded text; of HTML its lines.
    pub text: String,
    /// The decoded bytes of a returned message.
    pub bytes: Cow<'m, [u8]>,
}

/// A mail in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail<'m> {
    pub fields: Fields,
    /// The whole mail's own type.
    pub main: String,
    /// `report-type` of a multipart/report.
    pub report_type: String,
    pub parts: Vec<Part<'m>>,
    pub findings: Vec<Finding>,
}

impl Part<'_> {
    fn has_words(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Html) && !self.text.trim().is_empty()
    }
}

impl<'m> Mail<'m> {
    /// Reads the parts.
    pub fn parse(bytes: &'m [u8]) -> Self {
        let mut mail = Self::default();
        let bytes = match bytes.get(..MAX_READ) {
            Some(front) => {
                mail.note(Finding::Cut);
                front
            }
            None => bytes,
        };
        let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes[start..]);
        let (header, body) = fields::parse(bytes);
        let content_type = ContentType::of(header.get("content-type").unwrap_or_default());
        mail.main.clone_from(&content_type.main);
        mail.report_type =
            content_type.parameter("report-type").unwrap_or_default().to_ascii_lowercase();
        mail.entity(&header, &content_type, &bytes[body..], 0);
        mail.fields = header;
        if mail.fields.len() == 0 || mail.parts.is_empty() {
            mail.note(Finding::Broken);
        }
        mail
    }

    /// The parts of one kind.
    pub fn parts(&self, kind: Kind) -> impl Iterator<Item = &Part<'m>> {
        self.parts.iter().filter(move |p| p.kind == kind)
    }

    pub fn note(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn entity(
        &mut self,
        header: &Fields,
        content_type: &ContentType,
        body: &'m [u8],
        depth: usize,
    ) {
        if self.parts.len() >= MAX_PARTS {
            self.note(Finding::TooManyParts);
            return;
        }
        let multipart = content_type.main.starts_with("multipart/");
        if multipart && depth >= MAX_DEPTH {
            self.note(Finding::TooManyParts);
        } else {
            let named = content_type.parameter("boundary").filter(|b| multipart && !b.is_empty());
            let mut pieces = named.map(|b| split(body, b.as_bytes())).unwrap_or_default();
            if pieces.is_empty() && (multipart || (depth == 0 && names_status(body))) {
                pieces = guess_boundary(body).map(|b| split(body, b)).unwrap_or_default();
            }
            if let Some((preamble, pieces)) = pieces.split_first() {
                let texts = self.parts.len();
                for piece in pieces {
                    self.piece(piece, depth + 1);
                }
                // Some servers write their report where MIME wants a remark for old readers.
                let wordless = !self.parts[texts..].iter().any(Part::has_words);
                if depth == 0 && wordless && !preamble.trim_ascii().is_empty() {
                    self.leaf(Kind::Text, header, content_type, preamble);
                }
                return;
            }
        }
        if let Some(kind) = kind_of(content_type, header) {
            self.leaf(kind, header, content_type, body);
        } else if content_type.main.starts_with("application/")
            && is_status(&self.transfer_decoded(header, &body[..body.len().min(MAX_STATUS_FILE)]))
        {
            self.leaf(Kind::Data, header, content_type, body);
        }
    }

    fn piece(&mut self, piece: &'m [u8], depth: usize) {
        let (header, at) = fields::parse(piece);
        let content_type = ContentType::of(header.get("content-type").unwrap_or_default());
        self.entity(&header, &content_type, &piece[at..], depth);
    }

    fn leaf(&mut self, kind: Kind, header: &Fields, content_type: &ContentType, body: &'m [u8]) {
        let bytes = self.transfer_decoded(header, body);
        let label = content_type.parameter("charset");
        let shown = &bytes[..bytes.len().min(MAX_TEXT)];
        let (text, fits) = charset::decode(shown, label);
        if !fits {
            self.note(Finding::BadCharset);
        }
        let text = if kind == Kind::Html { html::to_text(&text) } else { text };
        let bytes = if kind == Kind::Returned { bytes } else { Cow::Borrowed(&b""[..]) };
        self.parts.push(Part { kind, text, bytes });
    }

    fn transfer_decoded(&mut self, header: &Fields, body: &'m [u8]) -> Cow<'m, [u8]> {
        let encoding = header.get("content-transfer-encoding").unwrap_or_default();
        let decoded = match encoding.trim().to_ascii_lowercase().as_str() {
            // Four characters of base64 are three bytes; twice the bound covers line ends.
            "base64" => base64_decode(&body[..body.len().min(MAX_TEXT * 2)]),
            "quoted-printable" => quoted_printable_decode(&body[..body.len().min(MAX_TEXT * 3)]),
            _ => return Cow::Borrowed(body),
        };
        match decoded {
            Some(bytes) if !bytes.is_empty() => Cow::Owned(bytes),
            Some(_) | None => {
                if !body.trim_ascii().is_empty() {
                    self.note(Finding::BadEncoding);
                }
                Cow::Borrowed(body)
            }
        }
    }
}

/// What a leaf is for; `None` for pictures and other data.
fn kind_of(content_type: &ContentType, header: &Fields) -> Option<Kind> {
    let main = content_type.main.as_str();
    if main.contains("delivery") && main.contains("status") {
        Some(Kind::Status)
    } else if main.contains("feedback-report") {
        Some(Kind::Feedback)
    } else if main.contains("disposition-notification") {
        Some(Kind::Disposition)
    } else if main.contains("rfc822")
        || main.starts_with("message/global")
        || main == "message/partial"
    {
        Some(Kind::Returned)
    } else if main == "text/html" {
        Some(Kind::Html)
    } else if main.is_empty() || main.starts_with("text") || main.starts_with("multipart/") {
        Some(Kind::Text)
    } else {
        let name = content_type.parameter("name").unwrap_or_default();
        let disposition = header.get("content-disposition").unwrap_or_default();
        let is_mail = [name, disposition].iter().any(|n| n.trim_end_matches('"').ends_with(".eml"));
        (is_mail || main.starts_with("message/")).then_some(Kind::Returned)
    }
}

/// Whether a file begins as a delivery status does (RFC 3464 section 2.2).
fn is_status(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let begins =
        |name: &[u8]| bytes.get(..name.len()).is_some_and(|b| b.eq_ignore_ascii_case(name));
    begins(b"reporting-mta") || begins(b"final-recipient") || begins(b"original-envelope-id")
}

/// Whether a body that claims to be text has the type of a delivery status in it.
fn names_status(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"message/delivery-status").is_some()
}

/// What stands before the first boundary line, then the pieces between such lines (RFC 2046 section 5.1.1); nothing
/// where there is no such line.
fn split<'m>(body: &'m [u8], boundary: &[u8]) -> Vec<&'m [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < body.len() && pieces.len() <= MAX_PARTS {
        let (line, next) = line_at(body, at);
        if let Some(rest) = line.strip_prefix(b"--").and_then(|l| l.strip_prefix(boundary)) {
            let rest = rest.trim_ascii_end();
            if rest.is_empty() || rest == b"--" {
                pieces.push(&body[start..at]);
                start = next;
                if !rest.is_empty() && pieces.len() > 1 {
                    return pieces;
                }
            }
        }
        at = next;
    }
    if !pieces.is_empty() && start < body.len() {
        pieces.push(&body[start..]);
    }
    pieces
}

/// The boundary that a body uses without its header saying so: a line `--x` with a `Content-` field after it, twice.
fn guess_boundary(body: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    let mut seen: Option<&[u8]> = None;
    // A report's parts begin within its first lines.
    for _ in 0..400 {
        if at >= body.len() {
            break;
        }
        let (line, next) = line_at(body, at);
        let boundary = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end);
        if let Some(boundary) = boundary.filter(|b| b.len() >= 8 && !b.iter().all(|c| *c == b'-')) {
            let (field, _) = line_at(body, next);
            if field.get(..8).is_some_and(|f| f.eq_ignore_ascii_case(b"content-")) {
                if seen == Some(boundary) {
                    return Some(boundary);
                }
                seen = seen.or(Some(boundary));
            }
        }
        at = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mail: &str, expected: &[(Kind, &str)]) {
        let mail = Mail::parse(mail.as_bytes());
        let found: Vec<(Kind, &str)> = mail.parts.iter().map(|p| (p.kind, p.text.trim())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn parts_are_found_and_decoded() {
        check("Subject: x\n\nhello\n", &[(Kind::Text, "hello")]);
        check(
            "Content-Type: multipart/report; boundary=\"b 1\"\n\npreamble\n--b 1\n\nhi\n--b 1\nContent-Type: MESSAGE/Delivery-Status\n\nAction: failed\n--b 1\nContent-Type: text/rfc822-headers\n\nTo: a\n--b 1--\nepilogue\n",
            &[(Kind::Text, "hi"), (Kind::Status, "Action: failed"), (Kind::Returned, "To: a")],
        );
        check(
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\naGVs\nbG8=\n",
            &[(Kind::Text, "hello")],
        );
        check(
            "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<b>a=\nb</b>=20c\n",
            &[(Kind::Html, "ab c")],
        );
    }

    #[test]
    fn a_boundary_that_the_header_does_not_name_is_guessed() {
        // The preamble is a text only where there is no other.
        check(
            "Subject: x\n\nThis is MIME\n--abcdefgh\nContent-Type: text/plain\n\nhi\n--abcdefgh\nContent-Type: message/delivery-status\n\nAction: failed\n",
            &[(Kind::Text, "hi"), (Kind::Status, "Action: failed")],
        );
        check(
            "Content-Type: multipart/mixed; boundary=other\n\nno parts at all\n",
            &[(Kind::Text, "no parts at all")],
        );
    }

    #[test]
    fn an_attached_message_is_one_part() {
        check(
            "Content-Type: multipart/mixed; boundary=outerbound\n\n--outerbound\nContent-Type: message/rfc822\n\nSubject: in\n\nbody\n--outerbound--\n",
            &[(Kind::Returned, "Subject: in\n\nbody")],
        );
    }

    #[test]
    fn nesting_and_parts_are_bounded() {
        let mut deep = String::new();
        for i in 0..1_000 {
            deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n"));
        }
        let mail = Mail::parse(deep.as_bytes());
        assert!(mail.findings.contains(&Finding::TooManyParts));
        let mut wide = String::from("Content-Type: multipart/mixed; boundary=bb\n\n");
        for _ in 0..1_000 {
            wide.push_str("--bb\n\nx\n");
        }
        assert_eq!(Mail::parse(wide.as_bytes()).parts.len(), MAX_PARTS);
    }
}
