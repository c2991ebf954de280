//! One recipient's message: context, parts, header fields, MIME.
//!
//! The same compiled content, facts and seed give the same octets. Called by delivery for each leased row, by
//! `check` for the whole audience, by `campaign test` and by the web view.

use crate::compiled::{Compiled, Part, TextOrigin};
use crate::context::{context, set_preheader};
use crate::facts::{CampaignFacts, RecipientFacts};
use crate::headers::{self, Ids};
use crate::issue::ComposeError;
use crate::{html, mime, text};
use postroad_model::message::RenderedMessage;

/// A message's parts before MIME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// The subject on one line.
    pub subject: String,
    /// The HTML part; absent when the campaign is plain text.
    pub html: Option<String>,
    /// The text part.
    pub text: String,
}

/// Renders the parts for one recipient.
///
/// # Errors
/// What the template asks for and the recipient lacks, with its place.
pub fn render(
    compiled: &Compiled,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
) -> Result<Rendition, ComposeError> {
    let mut context = context(compiled, campaign, recipient);
    let subject = one_line(&compiled.run(Part::Subject, &context)?);
    if subject.is_empty() {
        return Err(ComposeError::EmptySubject);
    }
    if compiled.has_preheader {
        let preheader = one_line(&compiled.run(Part::Preheader, &context)?);
        set_preheader(&mut context, preheader);
    }
    let html =
        if compiled.has_html { Some(ended(compiled.run(Part::Html, &context)?)) } else { None };
    let text = compiled.run(Part::Text, &context)?;
    let text = match compiled.text_origin {
        TextOrigin::Written => ended(text),
        TextOrigin::Derived => text::tidy(&text),
    };
    Ok(Rendition { subject, html, text })
}

/// Composes one recipient's message.
///
/// # Errors
/// As [`render`].
pub fn compose(
    compiled: &Compiled,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
) -> Result<RenderedMessage, ComposeError> {
    let mut rendition = render(compiled, campaign, recipient)?;
    if let (Some(html), Some(url)) = (&mut rendition.html, recipient.open_url) {
        add_image(html, url);
    }
    let ids = Ids::new(campaign, recipient);
    let mut bytes = Vec::with_capacity(mime::estimate(compiled, &rendition));
    let needs_smtputf8 = headers::write(&mut bytes, campaign, recipient, &rendition.subject, &ids);
    mime::write(&mut bytes, compiled, &rendition, &ids);
    let from = recipient.forced_from.unwrap_or(&campaign.from).address.clone();
    Ok(RenderedMessage { bytes, from, message_id: ids.message_id, needs_smtputf8 })
}

/// The web view of one recipient's message: a whole HTML page, with inline images inside it.
///
/// # Errors
/// As [`render`].
pub fn render_html(
    compiled: &Compiled,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
) -> Result<String, ComposeError> {
    let rendition = render(compiled, campaign, recipient)?;
    let Some(mut page) = rendition.html else {
        return Ok(text_page(campaign.locale.tag(), &rendition));
    };
    for file in &compiled.attachments {
        if let Some((from, to)) = file.as_data_url() {
            page = page.replace(&from, &to);
        }
    }
    Ok(page)
}

/// The image that tells of an open, last in the body: what stands above it is shown first. Only in mail: who looks at the web
/// view followed a link, and `check` shows the campaign's own images.
fn add_image(html: &mut String, url: &str) {
    let url = html::escape(url);
    let image = format!("<img src=\"{url}\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">");
    let end_tag = |at: &usize| {
        html.as_bytes()[*at..].get(..6).is_some_and(|tag| tag.eq_ignore_ascii_case(b"</body"))
    };
    let end = html.rmatch_indices("</").map(|(at, _)| at).find(end_tag);
    html.insert_str(end.unwrap_or_else(|| html.trim_end().len()), &image);
}

/// A plain-text message as a page: wrapped to the window, its links alive.
fn text_page(lang: &str, rendition: &Rendition) -> String {
    let mut body = String::with_capacity(rendition.text.len() * 2);
    for word in rendition.text.split_inclusive([' ', '\n', '\t']) {
        let bare = word.trim_end();
        let url = bare.trim_matches(['<', '>', '(', ')', '.', ',', ';']);
        if url.starts_with("https://") || url.starts_with("http://") {
            let (before, after) = word.split_once(url).unwrap_or(("", ""));
            let (before, url, after) =
                (html::escape(before), html::escape(url), html::escape(after));
            body.push_str(&format!("{before}<a href=\"{url}\">{url}</a>{after}"));
        } else {
            body.push_str(&html::escape(word));
        }
    }
    let title = html::escape(&rendition.subject);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title></head><body>\
         <pre style=\"white-space:pre-wrap;overflow-wrap:anywhere;font:16px/1.5 sans-serif;max-width:40em;\
         margin:2em auto;padding:0 1em\">{body}</pre></body></html>\n"
    )
}

/// Runs of white space, line ends and control characters become one space: nothing can begin a header field.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// No empty or blank lines at the end: some verifiers canonicalise them wrongly (RFC 6376 section 3.4.4).
fn ended(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
