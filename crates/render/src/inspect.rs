//! What `check` says about a message beyond "it can be composed": its links, its size, and what mail programs and
//! spam filters hold against it.
//!
//! Looks at one rendered recipient; the template's own warnings (MJML attributes that do not exist) come along.

use crate::compiled::Compiled;
use crate::compose::{compose, render};
use crate::facts::{CampaignFacts, RecipientFacts};
use crate::html::{self, Token};
use crate::issue::ComposeError;
use crate::text::strip_tags;
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely to cost inbox placement or readers.
    Warning,
    /// Must not be sent so.
    Error,
}

/// Something that `check` reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name, for tests and JSON.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {} ({})", self.message, self.code)
    }
}

/// A link of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// The words that carry it.
    pub words: String,
}

/// One message, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Links in order, each address once.
    pub links: Vec<Link>,
    /// Octets on the wire, unsigned.
    pub size: usize,
    /// Octets of the HTML part.
    pub html_size: usize,
    /// The body offers to unsubscribe.
    pub has_unsubscribe_link: bool,
    /// What to mend, worst first.
    pub findings: Vec<Finding>,
}

/// Gmail cuts longer HTML and hides the rest, the unsubscribe link with it. Measured by senders, not documented.
const GMAIL_CLIPS_AT: usize = 102 * 1024;

const SHORTENERS: [&str; 14] = [
    "bit.ly",
    "tinyurl.com",
    "goo.gl",
    "t.co",
    "ow.ly",
    "is.gd",
    "buff.ly",
    "rebrand.ly",
    "cutt.ly",
    "shorturl.at",
    "t.ly",
    "rb.gy",
    "lnkd.in",
    "s.id",
];

/// Composes one recipient's message and looks at it.
///
/// # Errors
/// When it cannot be composed.
pub fn inspect(
    compiled: &Compiled,
    campaign: &CampaignFacts,
    recipient: &RecipientFacts<'_>,
) -> Result<Inspection, ComposeError> {
    let rendition = render(compiled, campaign, recipient)?;
    let message = compose(compiled, campaign, recipient)?;
    let html = rendition.html.as_deref().unwrap_or("");
    let links = if compiled.has_html { html_links(html) } else { text_links(&rendition.text) };
    let unsubscribe = campaign.unsubscribe_url(recipient.unsubscribe_token);
    let has_unsubscribe_link =
        unsubscribe.as_ref().is_some_and(|url| links.iter().any(|l| l.url == *url));
    let mut findings = Findings(Vec::new());
    findings.unsubscribing(compiled, campaign, has_unsubscribe_link);
    findings.links(&links);
    findings.markup(html);
    findings.size(html.len(), message.bytes.len());
    findings.subject(&rendition.subject);
    if campaign.postal_address.is_none() {
        findings.add(
            Severity::Warning,
            "postal-address",
            "the sending domain has no postal_address; many laws ask for one in every mailing",
        );
    } else if !compiled.uses.root("postal_address") {
        findings.add(
            Severity::Note,
            "postal-address",
            "the postal address is not in the body; many laws ask for it: {{postal_address}}",
        );
    }
    for warning in &compiled.warnings {
        findings.add(Severity::Note, "template", &warning.to_string());
    }
    let mut findings = findings.0;
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    Ok(Inspection {
        links,
        size: message.bytes.len(),
        html_size: html.len(),
        has_unsubscribe_link,
        findings,
    })
}

fn html_links(html: &str) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut open: Option<(String, String)> = None;
    for spanned in html::tokens(html) {
        match spanned.token {
            Token::Start(tag) if tag.name == "a" || tag.name == "area" => {
                let url = tag.get("href").map(html::decode).unwrap_or_default();
                if !url.is_empty() && !url.starts_with('#') {
                    open = Some((url, String::new()));
                }
            }
            Token::Start(tag) if tag.name == "img" => {
                if let (Some((_, words)), Some(alt)) = (&mut open, tag.get("alt")) {
                    words.push_str(alt);
                }
            }
            Token::Text(text) => {
                if let Some((_, words)) = &mut open {
                    words.push_str(text);
                }
            }
            Token::End(name) if name == "a" => {
                if let Some((url, words)) = open.take()
                    && !links.iter().any(|l| l.url == url)
                {
                    let words = strip_tags(&words).split_whitespace().collect::<Vec<_>>().join(" ");
                    links.push(Link { url, words });
                }
            }
            Token::Start(_) | Token::End(_) | Token::Raw(..) | Token::Comment(_) | Token::Other => {
            }
        }
    }
    links
}

fn text_links(text: &str) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>')) {
        let word = word.trim_matches(['(', ')', '.', ',', ';', '"', '\'']);
        let known = ["https://", "http://", "mailto:"].iter().any(|s| word.starts_with(s));
        if known && !links.iter().any(|l| l.url == word) {
            links.push(Link { url: word.to_owned(), words: String::new() });
        }
    }
    links
}

fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, code: &'static str, message: &str) {
        self.0.push(Finding { severity, code, message: message.to_owned() });
    }

    fn unsubscribing(&mut self, compiled: &Compiled, campaign: &CampaignFacts, present: bool) {
        if campaign.unsubscribe_base.is_none() && campaign.unsubscribe_mailto.is_none() {
            self.add(
                Severity::Error,
                "no-unsubscribe",
                "nobody could unsubscribe; set [web] public_url or the domain's unsubscribe_mailto",
            );
        } else if !present {
            let why = if compiled.links_unsubscribe {
                "is not shown to this recipient"
            } else {
                "is missing"
            };
            self.add(Severity::Error, "unsubscribe-link", &format!("the unsubscribe link {why}; put it into the body: <a href=\"{{{{unsubscribe_url}}}}\">"));
        }
        let one_click =
            campaign.unsubscribe_base.as_ref().is_some_and(|b| b.starts_with("https://"));
        if !one_click {
            self.add(Severity::Warning, "one-click", "without an https public_url there is no one-click unsubscribe (RFC 8058), which Gmail and Yahoo ask of bulk senders");
        }
    }

    fn links(&mut self, links: &[Link]) {
        for link in links {
            let url = &link.url;
            if url.contains("{{") || url.contains("}}") {
                self.add(
                    Severity::Error,
                    "link-template",
                    &format!("{url} still holds template braces"),
                );
            } else if url.starts_with("http://") {
                self.add(Severity::Warning, "http-link", &format!("{url} is not https"));
            } else if !["https:", "mailto:", "tel:", "sms:"].iter().any(|s| url.starts_with(s)) {
                self.add(
                    Severity::Warning,
                    "relative-link",
                    &format!("{url} leads nowhere from a mailbox; write the whole address"),
                );
            }
            if url.contains(|c: char| c.is_whitespace()) {
                self.add(
                    Severity::Warning,
                    "link-space",
                    &format!("{url} holds a space; use {{{{urlencode x}}}} for values"),
                );
            }
            if let Some(host) = host_of(url)
                && SHORTENERS.iter().any(|s| host.eq_ignore_ascii_case(s))
            {
                self.add(
                    Severity::Warning,
                    "shortener",
                    &format!("{host} is a link shortener; filters distrust it, link directly"),
                );
            }
        }
    }

    fn markup(&mut self, html: &str) {
        let (mut no_alt, mut scripts, mut forms, mut sheets) = (0, 0, 0, 0);
        for spanned in html::tokens(html) {
            let Token::Start(tag) = spanned.token else { continue };
            match tag.name.as_str() {
                "img" if tag.get("alt").is_none() => no_alt += 1,
                "script" if tag.get("type") != Some("application/ld+json") => scripts += 1,
                "form" => forms += 1,
                "link" if tag.get("rel") == Some("stylesheet") => sheets += 1,
                _ => {}
            }
        }
        if no_alt > 0 {
            self.add(Severity::Warning, "image-alt", &format!("{no_alt} image(s) without alt text; most mail is first read with images off (alt=\"\" for decoration)"));
        }
        if scripts > 0 {
            self.add(
                Severity::Error,
                "script",
                "mail programs run no scripts, and filters reject them; take <script> out",
            );
        }
        if forms > 0 {
            self.add(
                Severity::Warning,
                "form",
                "forms do not work in most mail programs; link to a page instead",
            );
        }
        if sheets > 0 {
            self.add(Severity::Warning, "stylesheet", "style sheets behind <link> are not read by mail programs; put the CSS into <style>");
        }
    }

    fn size(&mut self, html: usize, message: usize) {
        if html > GMAIL_CLIPS_AT {
            let message = format!(
                "the HTML has {} KB; Gmail shows about 102 KB and hides the rest, the unsubscribe link with it",
                html / 1024
            );
            self.add(Severity::Warning, "clipped", &message);
        }
        if message > 20 * 1024 * 1024 {
            self.add(
                Severity::Warning,
                "size",
                &format!("the message has {} MB; many relays refuse it", message / 1024 / 1024),
            );
        }
    }

    fn subject(&mut self, subject: &str) {
        let letters: Vec<char> = subject.chars().filter(|c| c.is_alphabetic()).collect();
        if subject.chars().count() > 120 {
            self.add(
                Severity::Note,
                "subject-length",
                "the subject has more than 120 characters; phones show about 40",
            );
        }
        if letters.len() > 10 && letters.iter().all(|c| c.is_uppercase()) {
            self.add(
                Severity::Warning,
                "subject-capitals",
                "the subject is all capitals; filters and people distrust that",
            );
        }
    }
}
