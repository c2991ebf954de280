//! A campaign's content, made ready once: parsed, MJML rendered, CSS inlined, attachments encoded.
//!
//! Everything that can be wrong with a template is found here, all of it at once, before any recipient. The result
//! is shared by all composing threads and never changes.

use crate::helpers;
use crate::html;
use crate::issue::{ComposeError, TemplateIssue};
use crate::mime::Encoded;
use crate::mustache::PositionMap;
use crate::outline::{Uses, outline};
use crate::prepare::prepare;
use handlebars::{Context, Handlebars, RenderError, RenderErrorReason, Template, TemplateError};
use postroad_model::campaign::{Attachment, BodyFormat, Content};

/// How much may be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// Files, inline ones included.
    pub count: usize,
    /// Octets of all files together, before base64 adds a third.
    pub total_bytes: usize,
}

impl Default for AttachmentLimits {
    fn default() -> Self {
        Self { count: 10, total_bytes: 10 * 1024 * 1024 }
    }
}

/// Which of a campaign's templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Subject,
    Preheader,
    Html,
    Text,
}

impl Part {
    const fn key(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Preheader => "preheader",
            Self::Html => "html",
            Self::Text => "text",
        }
    }
}

/// Where a campaign's text part comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TextOrigin {
    Written,
    Derived,
}

/// A campaign's content, ready for recipients.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) name: String,
    escaping: Handlebars<'static>,
    plain: Handlebars<'static>,
    positions: PositionMap,
    pub(crate) uses: Uses,
    pub(crate) links_unsubscribe: bool,
    pub(crate) has_preheader: bool,
    pub(crate) has_html: bool,
    pub(crate) text_origin: TextOrigin,
    pub(crate) attachments: Vec<Encoded>,
    pub(crate) warnings: Vec<TemplateIssue>,
}

impl Compiled {
    /// Makes content ready, with the default limits for attachments.
    ///
    /// # Errors
    /// All faults of the templates and attachments.
    pub fn compile(content: &Content) -> Result<Self, Vec<TemplateIssue>> {
        Self::compile_within(content, AttachmentLimits::default())
    }

    /// Makes content ready.
    ///
    /// # Errors
    /// All faults of the templates and attachments.
    pub fn compile_within(
        content: &Content,
        limits: AttachmentLimits,
    ) -> Result<Self, Vec<TemplateIssue>> {
        // A file from Windows has the same lines.
        let unix = |text: &str| text.replace("\r\n", "\n");
        let content = &Content {
            body: unix(&content.body),
            text: content.text.as_deref().map(unix),
            ..content.clone()
        };
        let mut build = Build::new(content);
        build.check(Part::Subject, &content.subject);
        build.check(Part::Preheader, content.preheader.as_deref().unwrap_or(""));
        if content.subject.trim().is_empty() {
            build.issue(Part::Subject, (1, 1), "the subject is empty; write one".to_owned());
        }
        let body_part = if content.format == BodyFormat::Text { Part::Text } else { Part::Html };
        build.check(body_part, &content.body);
        if body_part == Part::Html
            && let Some(text) = &content.text
        {
            build.check(Part::Text, text);
        }
        if content.body.trim().is_empty() {
            build.issue(body_part, (1, 1), "the body is empty; write one".to_owned());
        }
        build.issues.extend(attachment_issues(
            &content.attachments,
            limits,
            &content.template_name,
        ));
        build.finish(content)
    }

    /// Renders one part. The errors' places are those of the source.
    pub(crate) fn run(&self, part: Part, context: &Context) -> Result<String, ComposeError> {
        let registry = if part == Part::Html { &self.escaping } else { &self.plain };
        let text =
            registry.render_with_context(part.key(), context).map_err(|e| self.fault(part, &e))?;
        Ok(clean(text))
    }

    fn fault(&self, part: Part, error: &RenderError) -> ComposeError {
        let at = (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
        let (line, column) = if part == Part::Html { self.positions.source(at) } else { at };
        let template = part_name(&self.name, part, self.text_origin);
        let reason = error.reason();
        if let RenderErrorReason::MissingVariable(variable) = reason {
            let variable = variable.clone().unwrap_or_else(|| "a variable".to_owned());
            return ComposeError::MissingVariable { template, line, column, variable };
        }
        ComposeError::Template(TemplateIssue {
            template,
            line,
            column,
            message: reason.to_string(),
        })
    }
}

/// `body.mjml`, `body.mjml (subject)`, `body.mjml (text part)`.
fn part_name(name: &str, part: Part, origin: TextOrigin) -> String {
    match (part, origin) {
        (Part::Subject, _) => format!("{name} (subject)"),
        (Part::Preheader, _) => format!("{name} (preheader)"),
        (Part::Text, TextOrigin::Derived) => format!("{name} (text part)"),
        (Part::Text, TextOrigin::Written) | (Part::Html, _) => name.to_owned(),
    }
}

/// A contact's datum may hold control characters; a 7bit body may not (RFC 2045 section 2.7).
fn clean(text: String) -> String {
    let bad = |b: u8| (b < 0x20 && b != b'\n' && b != b'\t') || b == 0x7f;
    // Whole blocks without an early way out: the compiler makes vector instructions of it.
    let any_bad = |block: &[u8]| block.iter().fold(false, |found, b| found | bad(*b));
    if !text.as_bytes().chunks(512).any(any_bad) {
        return text;
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_ascii_control() || matches!(c, '\n' | '\t')).collect()
}

struct Build<'a> {
    content: &'a Content,
    issues: Vec<TemplateIssue>,
    uses: Uses,
    links_unsubscribe: bool,
}

impl<'a> Build<'a> {
    fn new(content: &'a Content) -> Self {
        Self { content, issues: Vec::new(), uses: Uses::default(), links_unsubscribe: false }
    }

    fn issue(&mut self, part: Part, (line, column): (usize, usize), message: String) {
        let template = part_name(&self.content.template_name, part, TextOrigin::Written);
        self.issues.push(TemplateIssue { template, line, column, message });
    }

    /// Parses a source as written, so that the places of its faults are those a person sees.
    fn check(&mut self, part: Part, source: &str) {
        match Template::compile(source) {
            Err(e) => self.issue(part, e.pos().unwrap_or((1, 1)), syntax(&e)),
            Ok(template) => {
                let outline = outline(&template);
                for (at, message) in outline.faults {
                    self.issue(part, at, message);
                }
                self.uses.merge(outline.uses);
                self.links_unsubscribe |= outline.helpers.contains(helpers::UNSUBSCRIBE);
            }
        }
    }

    fn finish(mut self, content: &Content) -> Result<Compiled, Vec<TemplateIssue>> {
        let name = &content.template_name;
        if !self.issues.is_empty() {
            return Err(self.issues);
        }
        let preheader = content.preheader.as_deref();
        let prepared = match content.format {
            BodyFormat::Text => None,
            BodyFormat::Html | BodyFormat::Mjml => {
                Some(prepare(name, content.format, &content.body, preheader)?)
            }
        };
        let (text_origin, text) = match (&content.text, &prepared) {
            (_, None) => (TextOrigin::Written, &content.body),
            (Some(text), Some(_)) => (TextOrigin::Written, text),
            (None, Some(prepared)) => (TextOrigin::Derived, &prepared.text),
        };
        let mut escaping = registry();
        escaping.register_escape_fn(html::escape);
        let mut plain = registry();
        plain.register_escape_fn(handlebars::no_escape);
        let mut add = |registry: &mut Handlebars<'static>, part: Part, source: &str| {
            if let Err(e) = registry.register_template_string(part.key(), source) {
                let message = match part {
                    Part::Text => {
                        format!("no text part can be derived ({}); write one", syntax(&e))
                    }
                    Part::Subject | Part::Preheader | Part::Html => syntax(&e),
                };
                self.issue(part, e.pos().unwrap_or((1, 1)), message);
            }
        };
        add(&mut plain, Part::Subject, &content.subject);
        add(&mut plain, Part::Preheader, preheader.unwrap_or(""));
        add(&mut plain, Part::Text, text);
        if let Some(prepared) = &prepared {
            add(&mut escaping, Part::Html, &prepared.html);
        }
        if !self.issues.is_empty() {
            return Err(self.issues);
        }
        let has_html = prepared.is_some();
        let (positions, warnings) = prepared.map(|p| (p.positions, p.warnings)).unwrap_or_default();
        let warning = |((line, column), message)| TemplateIssue {
            template: name.clone(),
            line,
            column,
            message,
        };
        Ok(Compiled {
            name: name.clone(),
            escaping,
            plain,
            positions,
            uses: self.uses,
            links_unsubscribe: self.links_unsubscribe,
            has_preheader: preheader.is_some_and(|p| !p.trim().is_empty()),
            has_html,
            text_origin,
            attachments: content.attachments.iter().map(Encoded::new).collect(),
            warnings: warnings.into_iter().map(warning).collect(),
        })
    }
}

fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    helpers::register(&mut registry);
    registry
}

/// The parser's words, without its drawing of the place.
fn syntax(error: &TemplateError) -> String {
    let text = error.reason().to_string();
    let line = text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("");
    let what = line.trim_start_matches("= ").trim_start_matches("invalid handlebars syntax: ");
    format!("the expression cannot be read: {what}")
}

fn attachment_issues(
    files: &[Attachment],
    limits: AttachmentLimits,
    name: &str,
) -> Vec<TemplateIssue> {
    let mut messages = Vec::new();
    let total: usize = files.iter().map(|a| a.bytes.len()).sum();
    if files.len() > limits.count {
        messages.push(format!(
            "{} attachments, at most {} are allowed; link to the others",
            files.len(),
            limits.count
        ));
    }
    if total > limits.total_bytes {
        let most = limits.total_bytes;
        messages.push(format!(
            "the attachments have {total} octets, at most {most} are allowed; link to them instead"
        ));
    }
    for file in files {
        let plain = |s: &str| {
            !s.is_empty()
                && s.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"[]?=".contains(&b))
        };
        let typed = file.media_type.split_once('/').is_some_and(|(a, b)| plain(a) && plain(b));
        if !typed {
            messages.push(format!(
                "{}: {:?} is not a media type like image/png",
                file.name, file.media_type
            ));
        } else if file.media_type.starts_with("multipart/")
            || file.media_type.starts_with("message/")
        {
            messages
                .push(format!("{}: {} cannot be attached (RFC 2046)", file.name, file.media_type));
        }
        if file.name.trim().is_empty() || file.name.chars().any(char::is_control) {
            messages.push(format!("{:?} is not a file name", file.name));
        }
        let id_ok = |id: &String| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@+".contains(&b))
        };
        if !file.content_id.as_ref().is_none_or(id_ok) {
            messages.push(format!(
                "{}: the content id may hold letters, digits and . _ - @ + only",
                file.name
            ));
        }
    }
    let issue = |message| TemplateIssue {
        template: format!("{name} (attachments)"),
        line: 1,
        column: 1,
        message,
    };
    messages.into_iter().map(issue).collect()
}

/// The media type of a file name's extension; `application/octet-stream` for what is not known.
#[must_use]
pub fn media_type_of(file_name: &str) -> &'static str {
    let extension =
        file_name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "compiled_tests.rs"]
mod tests;
