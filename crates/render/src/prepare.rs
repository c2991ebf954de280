//! From the source that a person wrote to one HTML template: MJML rendered, CSS inlined, expressions intact.
//!
//! Called once per campaign by `compiled`. The expressions are hidden behind words (`mustache`) while mrml and
//! css-inline work. In text they become comments, which an HTML parser leaves where they are (it would push bare
//! words out of a table); in attributes and CSS they stay words. What always holds afterwards: every expression is
//! still there, block expressions once and in their order, or it is an issue that names its place.

use crate::html::{self, Quote, Spanned, Tag, Token};
use crate::issue::TemplateIssue;
use crate::mjml;
use crate::mustache::{Guard, Kind, Mustache, PositionMap, Weave, position, scan};
use crate::text;
use postroad_model::campaign::BodyFormat;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// What `prepare` makes.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The HTML template.
    pub html: String,
    /// Its places in the source.
    pub positions: PositionMap,
    /// The text template derived from it.
    pub text: String,
    /// What mrml did not understand, with its place.
    pub warnings: Vec<((usize, usize), String)>,
}

/// A place and what is wrong there.
pub(crate) type Fault = ((usize, usize), String);
pub(crate) type Faults = Vec<Fault>;

/// Turns HTML or MJML into one HTML template. `preheader` says whether there is text to show in the inbox list.
pub(crate) fn prepare(
    name: &str,
    format: BodyFormat,
    source: &str,
    preheader: Option<&str>,
) -> Result<Prepared, Vec<TemplateIssue>> {
    let issues = |faults: Faults| -> Vec<TemplateIssue> {
        let issue = |((line, column), message)| TemplateIssue {
            template: name.to_owned(),
            line,
            column,
            message,
        };
        faults.into_iter().map(issue).collect()
    };
    let mustaches = scan(source)
        .map_err(|at| issues(vec![(position(source, at), "this {{ is never closed".to_owned())]))?;
    let mut weave = Weave::new(source, mustaches);
    let mut shadow = weave.shadow();
    let faults = misplaced(&weave, &html::tokens(&shadow));
    if !faults.is_empty() {
        return Err(issues(faults));
    }
    if let Some(merged) = conditional_attributes(&weave, &shadow).map_err(|f| issues(vec![f]))? {
        weave = Weave::new(source, merged);
        shadow = weave.shadow();
    }
    let mut warnings = Vec::new();
    let html = match format {
        BodyFormat::Mjml => mjml::to_html(&weave, &shadow, &mut warnings).map_err(issues)?,
        BodyFormat::Html | BodyFormat::Text => {
            from_html(&weave, &shadow).map_err(|f| issues(vec![f]))?
        }
    };
    let faults = lost(&weave, &shadow, &html);
    if !faults.is_empty() {
        return Err(issues(faults));
    }
    let text = text::derive(&weave, &html);
    let html = with_preheader(&weave, &shadow, html, preheader);
    let (html, positions) = restore(&weave, &html);
    Ok(Prepared { html, positions, text, warnings })
}

/// Expressions where no escaping makes them safe, or where an HTML parser would lose them.
fn misplaced(weave: &Weave<'_>, tokens: &[Spanned<'_>]) -> Faults {
    let mut faults = Faults::new();
    let mut json_script = false;
    for spanned in tokens {
        match &spanned.token {
            Token::Start(tag) => {
                json_script =
                    tag.get("type").is_some_and(|t| t.eq_ignore_ascii_case("application/ld+json"));
                misplaced_in_tag(weave, tag, &mut faults);
            }
            Token::Raw(name, text) if name == "script" => {
                for word in weave.words(text) {
                    let call = weave.text(word.index).trim_start_matches(['{', '~', ' ']);
                    let ok = json_script
                        && (call.starts_with("json ")
                            || weave.mustaches[word.index].kind.is_structure());
                    if !ok {
                        let at = weave.position_of(word.index);
                        faults.push((at, "in a script only {{json x}} may stand, and only with type=\"application/ld+json\"".to_owned()));
                    }
                }
            }
            Token::Raw(..) | Token::Text(_) | Token::End(_) | Token::Comment(_) | Token::Other => {}
        }
    }
    faults
}

fn misplaced_in_tag(weave: &Weave<'_>, tag: &Tag<'_>, faults: &mut Faults) {
    for attr in &tag.attrs {
        let name = weave.words(attr.name).last().map_or(attr.name, |w| &attr.name[w.range.end..]);
        let handler = name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on"));
        for word in weave.words(attr.value.unwrap_or("")) {
            let at = weave.position_of(word.index);
            if attr.quote == Quote::Bare {
                faults.push((at, format!("put the value of {name} in quotes")));
            } else if handler {
                faults.push((
                    at,
                    format!("no expression may stand in {name}: mail programs run no scripts"),
                ));
            }
        }
    }
}

/// `<p {{#if a}}class="b"{{/if}}>`: parsers reorder and merge attributes, so such a run becomes one word. `None` when
/// there is no such run.
fn conditional_attributes(weave: &Weave<'_>, shadow: &str) -> Result<Option<Vec<Mustache>>, Fault> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for spanned in html::tokens(shadow) {
        let Token::Start(tag) = spanned.token else { continue };
        let (mut depth, mut first) = (0_usize, None);
        for attr in &tag.attrs {
            for word in weave.words(attr.name) {
                match weave.mustaches[word.index].kind {
                    Kind::Open => {
                        depth += 1;
                        first = first.or(Some(word.index));
                    }
                    Kind::Close => depth = depth.saturating_sub(1),
                    Kind::Else
                    | Kind::Value
                    | Kind::Raw
                    | Kind::Partial
                    | Kind::Comment
                    | Kind::Verbatim => {}
                }
                if let Some(index) = first.filter(|_| depth == 0) {
                    runs.push((index, word.index));
                    first = None;
                }
            }
            let name =
                weave.words(attr.name).last().map_or(attr.name, |w| &attr.name[w.range.end..]);
            if let Some(index) =
                first.filter(|_| LINKS.iter().any(|l| name.eq_ignore_ascii_case(l)))
            {
                let message = format!(
                    "put the condition inside the quotes: {name}=\"{{{{#if x}}}}...{{{{/if}}}}\""
                );
                return Err((weave.position_of(index), message));
            }
        }
        if let Some(index) = first {
            return Err((
                weave.position_of(index),
                "this block must end inside the same tag".to_owned(),
            ));
        }
    }
    if runs.is_empty() {
        return Ok(None);
    }
    let mut merged = Vec::new();
    let mut index = 0;
    while index < weave.mustaches.len() {
        let mut mustache = weave.mustaches[index].clone();
        if let Some((_, last)) = runs.iter().find(|(first, _)| *first == index) {
            mustache = Mustache {
                range: mustache.range.start..weave.mustaches[*last].range.end,
                kind: Kind::Verbatim,
            };
            index = *last;
        }
        merged.push(mustache);
        index += 1;
    }
    Ok(Some(merged))
}

/// Rewrites markup for a parser: words in text become comments, words between attributes stand alone.
pub(crate) fn armour(
    weave: &Weave<'_>,
    source: &str,
    tokens: &[Spanned<'_>],
) -> (String, Vec<(usize, usize)>) {
    let mut out = String::with_capacity(source.len() + source.len() / 4);
    let mut map = Vec::with_capacity(tokens.len());
    for (i, spanned) in tokens.iter().enumerate() {
        map.push((out.len(), spanned.start));
        let slice = &source[spanned.start..spanned.end];
        match &spanned.token {
            Token::Text(text) => {
                let mut at = 0;
                for word in weave.words(text) {
                    out.push_str(&text[at..word.range.start]);
                    let _ = write!(out, "<!--{}-->", weave.word(word.index));
                    at = word.range.end;
                }
                out.push_str(&text[at..]);
            }
            Token::Start(tag) => {
                let split = tag.attrs.iter().any(|a| !weave.words(a.name).is_empty());
                // Rules that come and go with a condition cannot be inlined; links are never fetched.
                let leave = tag.name == "link"
                    || (tag.name == "style" && conditional_css(weave, tokens.get(i + 1)));
                if split || leave {
                    out.push_str(&rebuilt(
                        weave,
                        tag,
                        leave.then_some("data-css-inline=\"ignore\""),
                    ));
                } else {
                    out.push_str(slice);
                }
            }
            Token::Raw(..) | Token::End(_) | Token::Comment(_) | Token::Other => {
                out.push_str(slice);
            }
        }
    }
    (out, map)
}

fn conditional_css(weave: &Weave<'_>, next: Option<&Spanned<'_>>) -> bool {
    match next.map(|s| &s.token) {
        Some(Token::Raw(_, css)) => {
            weave.words(css).iter().any(|w| weave.mustaches[w.index].kind != Kind::Value)
        }
        _ => false,
    }
}

fn rebuilt(weave: &Weave<'_>, tag: &Tag<'_>, extra: Option<&str>) -> String {
    let mut out = format!("<{}", tag.name);
    for attr in &tag.attrs {
        let mut at = 0;
        for word in weave.words(attr.name) {
            if word.range.start > at {
                let _ = write!(out, " {}", &attr.name[at..word.range.start]);
            }
            let _ = write!(out, " {}", weave.word(word.index));
            at = word.range.end;
        }
        if at < attr.name.len() {
            let _ = write!(out, " {}", &attr.name[at..]);
        }
        if let Some(value) = attr.value {
            let quote = if value.contains('"') { '\'' } else { '"' };
            let _ = write!(out, "={quote}{value}{quote}");
        }
    }
    if let Some(extra) = extra {
        let _ = write!(out, " {extra}");
    }
    out.push_str(if tag.self_closing { "/>" } else { ">" });
    out
}

fn from_html(weave: &Weave<'_>, shadow: &str) -> Result<String, Fault> {
    let tokens = html::tokens(shadow);
    let has =
        |name: &str| tokens.iter().any(|s| matches!(&s.token, Token::Start(t) if t.name == name));
    let wrapped = (!has("body") && !has("html")).then(|| {
        format!(
            "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"></head><body>{shadow}</body></html>"
        )
    });
    let shadow = wrapped.as_deref().unwrap_or(shadow);
    if !has("style") {
        return Ok(shadow.to_owned());
    }
    let (armoured, _) = armour(weave, shadow, &html::tokens(shadow));
    let inliner = css_inline::CSSInliner::options()
        .keep_style_tags(true)
        .remove_inlined_selectors(true)
        .keep_link_tags(true)
        .load_remote_stylesheets(false)
        .build();
    inliner.inline(&armoured).map_err(|e| ((1, 1), format!("the CSS cannot be inlined: {e}")))
}

/// Expressions that did not survive.
fn lost(weave: &Weave<'_>, before: &str, after: &str) -> Faults {
    let commented: HashSet<usize> = html::tokens(before)
        .iter()
        .filter_map(|s| if let Token::Comment(text) = &s.token { Some(*text) } else { None })
        .flat_map(|text| weave.words(text))
        .map(|w| w.index)
        .collect();
    let words = weave.words(after);
    let blocks: Vec<usize> =
        words.iter().map(|w| w.index).filter(|i| weave.mustaches[*i].kind.is_structure()).collect();
    let kept: HashSet<usize> = words.iter().map(|w| w.index).collect();
    let mut faults = Faults::new();
    for (i, m) in weave.mustaches.iter().enumerate() {
        let gone = m.kind != Kind::Comment && !kept.contains(&i) && !commented.contains(&i);
        if gone {
            faults.push((
                weave.position_of(i),
                format!("{} cannot stand here: the layout has no place for it", weave.text(i)),
            ));
        }
    }
    if faults.is_empty()
        && let Some(pair) = blocks.windows(2).find(|p| p[0] >= p[1])
    {
        let text = weave.text(pair[1]);
        faults.push((
            weave.position_of(pair[1]),
            format!("{text} cannot stand here: it would be moved; put it around whole elements"),
        ));
    }
    faults
}

/// The hidden line that mail programs show in the inbox list, unless the template places it itself.
fn with_preheader(
    weave: &Weave<'_>,
    shadow: &str,
    html: String,
    preheader: Option<&str>,
) -> String {
    let placed = shadow.contains("<mj-preview")
        || (0..weave.mustaches.len()).any(|i| weave.text(i).contains("preheader"));
    if placed || preheader.is_none_or(|p| p.trim().is_empty()) {
        return html;
    }
    let body = html::tokens(&html)
        .iter()
        .find_map(|s| matches!(&s.token, Token::Start(t) if t.name == "body").then_some(s.end));
    let Some(at) = body else { return html };
    // The joiners keep the first words of the body out of the list.
    let filler = "&nbsp;&zwnj;".repeat(30);
    let line = format!(
        "<div style=\"display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;\
         overflow:hidden;mso-hide:all\">{{{{preheader}}}}{filler}</div>"
    );
    let mut out = html;
    out.insert_str(at, &line);
    out
}

/// Puts the expressions back, guarded inside attributes.
fn restore(weave: &Weave<'_>, shadow: &str) -> (String, PositionMap) {
    let (guards, names) = guards(weave, shadow);
    let mut out = String::with_capacity(shadow.len());
    let mut map = PositionMap::default();
    let (mut line, mut column) = (1, 1);
    let mut push = |out: &mut String, text: &str| {
        for c in text.chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        out.push_str(text);
        (line, column)
    };
    let mut at = 0;
    for word in weave.words(shadow) {
        let (mut start, mut end) = (word.range.start, word.range.end);
        if shadow[at..start].ends_with("<!--") && shadow[end..].starts_with("-->") {
            (start, end) = (start - 4, end + 3);
        } else if names.contains(&start) && shadow[end..].starts_with("=\"\"") {
            end += 3;
        }
        let here = push(&mut out, &shadow[at..start]);
        map.push(here, weave.position_of(word.index));
        match guards.get(&word.range.start) {
            Some(guard) => push(&mut out, &weave.guarded(word.index, *guard)),
            None => push(&mut out, weave.text(word.index)),
        };
        at = end;
    }
    push(&mut out, &shadow[at..]);
    (out, map)
}

const LINKS: [&str; 6] = ["href", "src", "action", "formaction", "background", "poster"];

/// The guard of each word inside an attribute's value, and the words that are attributes, by offset.
fn guards(weave: &Weave<'_>, shadow: &str) -> (HashMap<usize, Guard>, HashSet<usize>) {
    let mut guards = HashMap::new();
    let mut names = HashSet::new();
    for spanned in html::tokens(shadow) {
        let Token::Start(tag) = spanned.token else { continue };
        for attr in &tag.attrs {
            names.extend(weave.words(attr.name).iter().map(|w| attr.name_at + w.range.start));
            let link = LINKS.iter().any(|l| attr.name.eq_ignore_ascii_case(l));
            let value = attr.value.unwrap_or("");
            let mut start = true;
            let mut open = Vec::new();
            let mut at = 0;
            for word in weave.words(value) {
                start &= value[at..word.range.start].trim().is_empty();
                at = word.range.end;
                let guard = if link && start { Guard::LinkStart } else { Guard::Attribute };
                match weave.mustaches[word.index].kind {
                    Kind::Open => open.push(start),
                    // Each branch may be the one that begins the value, and all may be empty.
                    Kind::Else => start = open.last().copied().unwrap_or(false),
                    Kind::Close => start = open.pop().unwrap_or(false),
                    Kind::Comment => {}
                    Kind::Value | Kind::Raw | Kind::Partial | Kind::Verbatim => {
                        guards.insert(attr.value_at + word.range.start, guard);
                        start = false;
                    }
                }
            }
        }
    }
    (guards, names)
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
