//! The text part: derived from the HTML template where the campaign has none, and tidied for each recipient.
//!
//! The derivation works on the template, once per campaign, so that a recipient's text part costs one more template
//! and no HTML parser. Expressions stay where they are; links stand behind their words as `<https://...>`
//! (RFC 3986, appendix C). What a mail program would not show is left out: head, styles, scripts, hidden elements,
//! comments.

use crate::html::{self, Tag, Token, is_space};
use crate::mustache::{Kind, Weave};

/// Makes the text template from the HTML (expressions still hidden behind words).
pub(crate) fn derive(weave: &Weave<'_>, shadow: &str) -> String {
    let mut flow = Flow::new(weave);
    let mut hidden: Option<(String, usize)> = None;
    for spanned in html::tokens(shadow) {
        if let Some((name, depth)) = &mut hidden {
            match &spanned.token {
                Token::Start(tag) if tag.name == *name && !tag.self_closing => *depth += 1,
                Token::End(end) if end == name => *depth -= 1,
                Token::Start(_)
                | Token::End(_)
                | Token::Text(_)
                | Token::Raw(..)
                | Token::Comment(_)
                | Token::Other => {}
            }
            if *depth == 0 {
                hidden = None;
            }
            continue;
        }
        match &spanned.token {
            Token::Start(tag) if is_hidden(tag) => hidden = Some((tag.name.clone(), 1)),
            Token::Start(tag) => flow.start(tag),
            Token::End(name) => flow.end(name),
            Token::Text(text) => flow.text(text),
            Token::Comment(text) => flow.comment(text),
            Token::Raw(..) | Token::Other => {}
        }
    }
    flow.out
}

fn is_hidden(tag: &Tag<'_>) -> bool {
    if VOID.contains(&tag.name.as_str()) || tag.self_closing {
        return false;
    }
    let style: String = tag.get("style").unwrap_or("").chars().filter(|c| !is_space(*c)).collect();
    tag.name == "head" || style.to_ascii_lowercase().contains("display:none")
}

const VOID: [&str; 8] = ["br", "hr", "img", "meta", "link", "input", "area", "col"];

/// White space that is owed before the next visible character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
    Paragraph,
}

struct Flow<'a, 'w> {
    weave: &'a Weave<'w>,
    out: String,
    gap: Gap,
    /// Nothing visible stands on the current line.
    line_start: bool,
    preformatted: usize,
    /// Open links: where their words begin, and the address.
    links: Vec<(usize, String)>,
    /// Open tables: true for one that only lays out.
    tables: Vec<bool>,
}

impl<'a, 'w> Flow<'a, 'w> {
    fn new(weave: &'a Weave<'w>) -> Self {
        let (links, tables) = (Vec::new(), Vec::new());
        Self {
            weave,
            out: String::new(),
            gap: Gap::None,
            line_start: true,
            preformatted: 0,
            links,
            tables,
        }
    }

    fn owe(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn settle(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        if self.out.is_empty() {
            return;
        }
        match gap {
            Gap::Space if !self.line_start => self.out.push(' '),
            Gap::None | Gap::Space => {}
            Gap::Line if self.line_start => {}
            Gap::Line => self.out.push('\n'),
            Gap::Paragraph => self.out.push_str(if self.line_start { "\n" } else { "\n\n" }),
        }
        self.line_start |= gap >= Gap::Line;
    }

    fn visible(&mut self, text: &str) {
        self.settle();
        self.out.push_str(text);
        self.line_start = false;
    }

    fn text(&mut self, text: &str) {
        let mut at = 0;
        for word in self.weave.words(text) {
            self.literal(&text[at..word.range.start]);
            self.expression(word.index);
            at = word.range.end;
        }
        self.literal(&text[at..]);
    }

    fn comment(&mut self, text: &str) {
        if let [word] = self.weave.words(text).as_slice()
            && word.range == (0..text.len())
        {
            self.expression(word.index);
        }
    }

    fn expression(&mut self, index: usize) {
        let text = self.weave.text(index);
        match self.weave.mustaches[index].kind {
            Kind::Value | Kind::Verbatim => self.visible(text),
            Kind::Raw => {
                // An attribute that holds HTML is shown without its tags.
                let inner = text.trim_matches(['{', '}', '&', '~']).trim();
                let call =
                    if inner.contains(is_space) { format!("({inner})") } else { inner.to_owned() };
                self.visible(&format!("{{{{strip_tags {call}}}}}"));
            }
            Kind::Open | Kind::Else | Kind::Close | Kind::Partial => {
                // What is owed stands outside the block, so that it is owed in every branch.
                self.settle();
                self.out.push_str(text);
            }
            Kind::Comment => {}
        }
    }

    fn literal(&mut self, text: &str) {
        let text = html::decode(text);
        for c in text.chars() {
            match c {
                '\n' if self.preformatted > 0 => {
                    self.settle();
                    self.out.push('\n');
                    self.line_start = true;
                }
                ' ' if self.preformatted > 0 => self.visible(" "),
                '\u{200b}'..='\u{200f}' | '\u{ad}' | '\u{34f}' | '\u{2060}' | '\u{feff}' => {}
                c if c.is_whitespace() => self.owe(Gap::Space),
                // A doubled brace in plain text must not become an expression.
                '{' if self.gap == Gap::None && self.out.ends_with('{') => self.visible(" {"),
                c => self.visible(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let value =
            |name: &str| tag.get(name).map(|v| attribute(self.weave, v)).unwrap_or_default();
        match tag.name.as_str() {
            "br" => {
                let lines = if self.gap >= Gap::Line { Gap::Paragraph } else { Gap::Line };
                self.owe(lines);
            }
            "hr" => {
                self.owe(Gap::Paragraph);
                self.visible("---");
                self.owe(Gap::Paragraph);
            }
            "img" => {
                let alt = value("alt");
                if !alt.trim().is_empty() {
                    self.visible(alt.trim());
                }
            }
            "a" => {
                let href = value("href");
                self.settle();
                self.links.push((self.out.len(), href));
            }
            "li" => {
                self.owe(Gap::Line);
                self.visible("-");
                self.owe(Gap::Space);
            }
            "pre" => {
                self.owe(Gap::Paragraph);
                self.preformatted += 1;
            }
            "table" => {
                let layout = matches!(tag.get("role"), Some("presentation" | "none"));
                self.tables.push(layout);
                self.owe(Gap::Paragraph);
            }
            name => self.block(name),
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "a" => self.end_link(),
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.owe(Gap::Paragraph);
            }
            "table" => {
                self.tables.pop();
                self.owe(Gap::Paragraph);
            }
            "td" | "th" if self.tables.last() == Some(&false) => self.owe(Gap::Space),
            name => self.block(name),
        }
    }

    fn block(&mut self, name: &str) {
        match name {
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "blockquote"
            | "section" | "article" | "header" | "footer" | "figure" => self.owe(Gap::Paragraph),
            "div" | "li" | "dt" | "dd" | "address" | "center" | "figcaption" => self.owe(Gap::Line),
            "tr" | "td" | "th" if self.tables.last() == Some(&true) => self.owe(Gap::Paragraph),
            "tr" => self.owe(Gap::Line),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((start, href)) = self.links.pop() else { return };
        let label = self.out.get(start..).unwrap_or("").trim().to_owned();
        let href = href.trim();
        let shown = href.is_empty()
            || href.starts_with('#')
            || label == href
            || href.strip_prefix("mailto:").or(href.strip_prefix("tel:")) == Some(label.as_str());
        if shown {
            return;
        }
        if !label.is_empty() {
            self.owe(Gap::Space);
        }
        self.visible(&format!("<{href}>"));
    }
}

/// An attribute's value as a piece of a text template.
fn attribute(weave: &Weave<'_>, value: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for word in weave.words(value) {
        out.push_str(&html::decode(&value[at..word.range.start]));
        let text = weave.text(word.index);
        match weave.mustaches[word.index].kind {
            Kind::Raw => out.push_str(&format!("{{{{{}}}}}", text.trim_matches(['{', '}', '&']))),
            Kind::Value
            | Kind::Open
            | Kind::Else
            | Kind::Close
            | Kind::Partial
            | Kind::Verbatim => out.push_str(text),
            Kind::Comment => {}
        }
        at = word.range.end;
    }
    out.push_str(&html::decode(&value[at..]));
    out
}

/// Tidies one recipient's derived text: no blanks at line ends, at most one empty line, none at either end.
pub(crate) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut empty = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line);
    }
    out.push('\n');
    out
}

/// Cuts tags out of a value and decodes what is left.
pub(crate) fn strip_tags(value: &str) -> String {
    let mut out = String::new();
    for spanned in html::tokens(value) {
        match spanned.token {
            Token::Text(text) => out.push_str(&html::decode(text)),
            Token::Start(tag) if tag.name == "br" => out.push('\n'),
            Token::End(name) if matches!(name.as_str(), "p" | "div" | "li" | "tr") => {
                out.push('\n');
            }
            Token::Start(_) | Token::End(_) | Token::Raw(..) | Token::Comment(_) | Token::Other => {
            }
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mustache::scan;

    fn check(source: &str, expected: &str) {
        let weave = Weave::new(source, scan(source).unwrap());
        assert_eq!(derive(&weave, &weave.shadow()), expected, "{source}");
    }

    #[test]
    fn blocks_become_lines_and_links_keep_their_address() {
        check("<h1>Hi</h1><p>a\n  b<br>c</p>", "Hi\n\na b\nc");
        check(
            "<p>Read <a href=\"https://x.vn/?a=1&amp;b=2\">more</a>.</p>",
            "Read more <https://x.vn/?a=1&b=2>.",
        );
        check(
            "<a href=\"https://x.vn\">https://x.vn</a> <a href=\"#top\">top</a>",
            "https://x.vn top",
        );
        check("<ul><li>a</li><li>b</li></ul>", "- a\n- b");
        check(
            "<a href=\"https://x.vn\"><img src=\"a.png\" alt=\"Logo\"></a>",
            "Logo <https://x.vn>",
        );
        check("<a href=\"https://x.vn\"><img src=\"a.png\"></a>", "<https://x.vn>");
        check("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc");
        check("<table role=\"presentation\"><tr><td>a</td><td>b</td></tr></table>", "a\n\nb");
    }

    #[test]
    fn what_is_not_shown_is_left_out() {
        check("<head><title>t</title></head><style>a{}</style><!-- c -->x", "x");
        check("<div style=\"DISPLAY: none\">pre<div>in</div></div>x", "x");
        check("<p>a&nbsp;&zwnj;&nbsp;b</p>", "a b");
    }

    #[test]
    fn expressions_stay_where_they_are() {
        check(
            "<p>Hi {{#if n}}{{n}}{{else}}there{{/if}}, ok</p>",
            "Hi {{#if n}}{{n}}{{else}}there{{/if}}, ok",
        );
        check("<p>{{{bio}}}</p>", "{{strip_tags bio}}");
        check("<a href=\"{{{u}}}?a=1&amp;b={{b}}\">go</a>", "go <{{u}}?a=1&b={{b}}>");
        check(
            "<p>a</p>{{#each x}}<p>{{y}}</p>{{/each}}<p>b</p>",
            "a\n\n{{#each x}}\n{{y}}\n\n{{/each}}\nb",
        );
        check("<p>a { { b &#123;&#123;x}}</p>", "a { { b { {x}}");
    }

    #[test]
    fn tidy_leaves_no_blank_ends() {
        assert_eq!(tidy("\n a  \n\n\n\nb \n \n"), " a\n\nb\n");
        assert_eq!(tidy(""), "\n");
        assert_eq!(strip_tags("<p>a &amp; <b>b</b></p>c"), "a & b\nc");
    }
}
