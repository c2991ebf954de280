//! The MIME body: alternative (text, html), related for inline images, mixed for attachments.
//!
//! RFC 2045 to 2047, 2231 (file names), 2387 (related). Bodies are 7bit, quoted-printable or base64, whichever is
//! shortest, chosen by mail-builder; lines stay within 76 octets but for 7bit text, which stays within 78.
//! Attachments are encoded once per campaign and copied.

use crate::compiled::Compiled;
use crate::compose::Rendition;
use crate::headers::Ids;
use data_encoding::{BASE64, BASE64_MIME};
use mail_builder::headers::content_type::ContentType;
use mail_builder::mime::MimePart;
use postroad_model::campaign::Attachment;

/// An attachment in its wire form.
#[derive(Debug)]
pub(crate) struct Encoded {
    name: String,
    media_type: String,
    content_id: Option<String>,
    /// Base64 in lines of 76 (RFC 2045 section 6.8).
    body: Vec<u8>,
    data_url: Option<(String, String)>,
}

impl Encoded {
    pub(crate) fn new(file: &Attachment) -> Self {
        let data_url = file.content_id.as_ref().map(|id| {
            (
                format!("cid:{id}"),
                format!("data:{};base64,{}", file.media_type, BASE64.encode(&file.bytes)),
            )
        });
        Self {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            content_id: file.content_id.clone(),
            body: BASE64_MIME.encode(&file.bytes).into_bytes(),
            data_url,
        }
    }

    /// `cid:` and what to put in its place in a web page.
    pub(crate) fn as_data_url(&self) -> Option<(String, String)> {
        self.data_url.clone()
    }

    fn part(&self) -> MimePart<'_> {
        let kind = ContentType::new(self.media_type.as_str()).attribute("name", self.name.as_str());
        let disposition = if self.content_id.is_some() { "inline" } else { "attachment" };
        let disposition = ContentType::new(disposition).attribute("filename", self.name.as_str());
        let part =
            MimePart::new(kind, self.body.as_slice()).header("Content-Disposition", disposition);
        let part = match &self.content_id {
            Some(id) => part.cid(id.as_str()),
            None => part,
        };
        part.transfer_encoding("base64")
    }
}

/// About how many octets the message will have.
pub(crate) fn estimate(compiled: &Compiled, rendition: &Rendition) -> usize {
    let files: usize = compiled.attachments.iter().map(|a| a.body.len() + 500).sum();
    let html = rendition.html.as_ref().map_or(0, String::len);
    2048 + files + (html + rendition.text.len()) * 5 / 4
}

/// Writes the MIME fields and the body.
pub(crate) fn write(out: &mut Vec<u8>, compiled: &Compiled, rendition: &Rendition, ids: &Ids) {
    let text = crlf(&rendition.text);
    let html = rendition.html.as_deref().map(crlf);
    let text = leaf("text/plain", &text);
    let (inline, attached): (Vec<&Encoded>, Vec<&Encoded>) =
        compiled.attachments.iter().partition(|a| a.content_id.is_some() && compiled.has_html);
    let body = match &html {
        None => text,
        Some(html) => {
            let html = leaf("text/html", html);
            let html = if inline.is_empty() {
                html
            } else {
                let parts: Vec<MimePart<'_>> =
                    std::iter::once(html).chain(inline.iter().map(|a| a.part())).collect();
                let kind = ContentType::new("multipart/related").attribute("type", "text/html");
                MimePart::new(kind.attribute("boundary", ids.boundary('r')), parts)
            };
            multipart("multipart/alternative", ids.boundary('a'), vec![text, html])
        }
    };
    let body = if attached.is_empty() {
        body
    } else {
        let parts = std::iter::once(body).chain(attached.iter().map(|a| a.part())).collect();
        multipart("multipart/mixed", ids.boundary('m'), parts)
    };
    body.write_part(out);
}

/// The canonical line end of text, which base64 must hold too (RFC 2045 section 6.8).
fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut from = 0;
    // A search by words of the machine: this runs over every octet of every message.
    for lf in memchr::memchr_iter(b'\n', text.as_bytes()) {
        out.push_str(&text[from..lf]);
        out.push_str("\r\n");
        from = lf + 1;
    }
    out.push_str(&text[from..]);
    out
}

fn leaf<'a>(media_type: &'a str, text: &'a str) -> MimePart<'a> {
    MimePart::new(ContentType::new(media_type).attribute("charset", "utf-8"), text)
}

fn multipart<'a>(kind: &'a str, boundary: String, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    MimePart::new(ContentType::new(kind).attribute("boundary", boundary), parts)
}
