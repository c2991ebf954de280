//! MJML to HTML by mrml, around words that stand for expressions.
//!
//! Called by `prepare`. mrml is stricter than MJML about blanks between elements, laxer about elements it does not
//! know, and inlines no CSS in this build: the three are made good here. No include is followed and no web font is
//! named, so that opening a message asks nothing of a third party.

use crate::html::{self, Spanned, Token};
use crate::mustache::Weave;
use crate::prepare::{Fault, Faults, armour};
use std::collections::HashMap;

const ELEMENTS: [&str; 31] = [
    "mj-accordion",
    "mj-accordion-element",
    "mj-accordion-text",
    "mj-accordion-title",
    "mj-all",
    "mj-attributes",
    "mj-body",
    "mj-breakpoint",
    "mj-button",
    "mj-carousel",
    "mj-carousel-image",
    "mj-class",
    "mj-column",
    "mj-divider",
    "mj-group",
    "mj-head",
    "mj-hero",
    "mj-image",
    "mj-navbar",
    "mj-navbar-link",
    "mj-preview",
    "mj-raw",
    "mj-section",
    "mj-social",
    "mj-social-element",
    "mj-spacer",
    "mj-style",
    "mj-table",
    "mj-text",
    "mj-title",
    "mj-wrapper",
];

/// Elements whose content is HTML; all others hold only elements.
const CONTENT: [&str; 8] = [
    "mj-accordion-text",
    "mj-accordion-title",
    "mj-button",
    "mj-navbar-link",
    "mj-raw",
    "mj-social-element",
    "mj-table",
    "mj-text",
];

fn unknown_elements(weave: &Weave<'_>, tokens: &[Spanned<'_>]) -> Faults {
    let mut faults = Faults::new();
    for spanned in tokens {
        if let Token::Start(tag) = &spanned.token
            && tag.name.starts_with("mj-")
            && !ELEMENTS.contains(&tag.name.as_str())
        {
            let message = match tag.name.as_str() {
                "mj-include" => "mj-include is not supported; write the content out".to_owned(),
                "mj-font" => "mj-font is not supported: it would fetch a font from a third party at each opening".to_owned(),
                name => format!("there is no element {name} in MJML"),
            };
            faults.push((weave.position_of_shadow(spanned.start), message));
        }
    }
    faults
}

/// Between elements of the layout blanks are dropped by mrml only when they begin with a line end; inside content it
/// would drop just those, and glue words together.
fn settle_blanks(tokens: &mut [Spanned<'_>]) {
    let mut content = 0_usize;
    for spanned in tokens {
        match &mut spanned.token {
            Token::Start(tag) if CONTENT.contains(&tag.name.as_str()) && !tag.self_closing => {
                content += 1;
            }
            Token::End(name) if CONTENT.contains(&name.as_str()) => {
                content = content.saturating_sub(1);
            }
            Token::Text(text) if text.trim().is_empty() => {
                *text = if content > 0 { " " } else { "\n" }
            }
            Token::Start(_)
            | Token::End(_)
            | Token::Text(_)
            | Token::Raw(..)
            | Token::Comment(_)
            | Token::Other => {}
        }
    }
}

/// Renders MJML whose expressions are words; what mrml did not understand goes to `warnings`.
pub(crate) fn to_html(
    weave: &Weave<'_>,
    shadow: &str,
    warnings: &mut Faults,
) -> Result<String, Faults> {
    let mut tokens = html::tokens(shadow);
    let unknown = unknown_elements(weave, &tokens);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    settle_blanks(&mut tokens);
    let (mut mjml, map) = armour(weave, shadow, &tokens);
    let place = |offset: usize| {
        let at = map.partition_point(|(out, _)| *out <= offset).saturating_sub(1);
        let (out, from) = map.get(at).copied().unwrap_or((0, 0));
        weave.position_of_shadow(from + offset.saturating_sub(out))
    };
    let css = take_inline_styles(&mut mjml);
    let parsed = mrml::parse(&mjml).map_err(|e| vec![mjml_fault(&e, &place)])?;
    for w in &parsed.warnings {
        warnings.push((place(w.span.start), format!("MJML: {}", w.kind)));
    }
    // No font is fetched from a third party for each opened message.
    let options =
        mrml::prelude::render::RenderOptions { fonts: HashMap::new(), ..Default::default() };
    let html = parsed
        .element
        .render(&options)
        .map_err(|e| vec![((1, 1), format!("MJML cannot be rendered: {e}"))])?;
    if css.trim().is_empty() {
        return Ok(html);
    }
    let inliner = css_inline::CSSInliner::options()
        .inline_style_tags(false)
        .keep_style_tags(true)
        .keep_link_tags(true)
        .load_remote_stylesheets(false)
        .extra_css(Some(css.into()))
        .build();
    inliner.inline(&html).map_err(|e| vec![((1, 1), format!("the CSS cannot be inlined: {e}"))])
}

/// Cuts the content of `<mj-style inline="inline">` out; offsets of what follows stay the same.
fn take_inline_styles(mjml: &mut String) -> String {
    let tokens = html::tokens(mjml);
    let mut css = String::new();
    let mut cuts = Vec::new();
    for pair in tokens.windows(2) {
        if let (Token::Start(tag), Token::Raw(_, text)) = (&pair[0].token, &pair[1].token)
            && tag.name == "mj-style"
            && tag.get("inline") == Some("inline")
        {
            css.push_str(text);
            css.push('\n');
            cuts.push(pair[0].start..pair[1].end + "</mj-style>".len());
        }
    }
    for cut in cuts {
        if let Some(range) = mjml.get(cut.clone()) {
            // mrml passes over blanks only when they begin with a line end.
            let blank = format!("\n{}", " ".repeat(range.len() - 1));
            mjml.replace_range(cut, &blank);
        }
    }
    css
}

fn mjml_fault(
    error: &mrml::prelude::parser::Error,
    place: &impl Fn(usize) -> (usize, usize),
) -> Fault {
    use mrml::prelude::parser::Error as E;
    let (offset, what) = match error {
        E::UnexpectedElement { position, .. } => {
            (position.start, "MJML does not know this element here".to_owned())
        }
        E::UnexpectedToken { position, .. } => {
            (position.start, "MJML does not expect this here; is a tag not closed?".to_owned())
        }
        E::MissingAttribute { name, position, .. } => {
            (position.start, format!("MJML needs the attribute {name} here"))
        }
        E::InvalidAttribute { position, .. } => {
            (position.start, "MJML cannot read this attribute".to_owned())
        }
        E::InvalidFormat { position, .. } => {
            (position.start, "MJML cannot read this value".to_owned())
        }
        E::IncludeLoaderError { position, .. } => {
            (position.start, "mj-include is not supported; write the content out".to_owned())
        }
        E::EndOfStream { .. } => {
            (usize::MAX / 2, "the MJML ends too early; a tag is not closed".to_owned())
        }
        E::SizeLimit { .. } => (0, "the MJML is larger than 4 GiB".to_owned()),
        E::ParserError { source, .. } => (0, format!("the MJML cannot be read: {source}")),
        E::NoRootNode => (0, "there is no <mjml> element".to_owned()),
    };
    (place(offset), what)
}
