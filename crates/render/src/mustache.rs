//! Finds the Handlebars expressions of a template and hides them behind plain words, so that parsers of MJML, HTML
//! and CSS can work on the rest; afterwards the words become expressions again.
//!
//! Called by `prepare` before and after MJML and CSS inlining. A word is lower-case letters and digits, hence at
//! once a tag name, an attribute, a CSS identifier and a piece of text to any of those parsers. What always holds:
//! an expression comes back exactly as written, but for the two guards that `prepare` asks for (no unescaped value
//! inside an attribute, no foreign scheme at the start of a link). It does not judge the expression: Handlebars does.

use crate::html::is_space;
use std::ops::Range;

/// What an expression is, as far as its place in the markup matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{{x}}`, `{{helper x}}`.
    Value,
    /// `{{{x}}}`, `{{&x}}`: not escaped.
    Raw,
    /// `{{#x}}`, `{{#*x}}`, `{{#>x}}`.
    Open,
    /// `{{else}}`, `{{else if x}}`, `{{^}}`.
    Else,
    /// `{{/x}}`.
    Close,
    /// `{{> x}}`, `{{* x}}`.
    Partial,
    /// `{{! x}}`.
    Comment,
    /// `\{{`, and raw blocks with their content.
    Verbatim,
}

impl Kind {
    /// True when it has no output of its own but decides about what stands around it.
    pub(crate) fn is_structure(self) -> bool {
        matches!(self, Self::Open | Self::Else | Self::Close)
    }
}

/// One expression.
#[derive(Clone, Debug)]
pub(crate) struct Mustache {
    /// Where it stands in the source.
    pub range: Range<usize>,
    pub kind: Kind,
}

/// Line and column, both from 1, columns in characters.
pub(crate) fn position(source: &str, offset: usize) -> (usize, usize) {
    let head = &source.as_bytes()[..offset.min(source.len())];
    let line_start = head.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let line = 1 + head.iter().filter(|b| **b == b'\n').count();
    // Continuation octets are not characters.
    let column = 1 + head[line_start..].iter().filter(|b| **b & 0xC0 != 0x80).count();
    (line, column)
}

/// Finds all expressions; `Err` is the offset of one that is never closed.
pub(crate) fn scan(source: &str) -> Result<Vec<Mustache>, usize> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = source[at..].find("{{").map(|i| at + i) {
        let backslashes = bytes[at..start].iter().rev().take_while(|b| **b == b'\\').count();
        let m = if backslashes == 1 {
            let end = if source[start + 2..].starts_with("{{") { start + 4 } else { start + 2 };
            Mustache { range: start - 1..end, kind: Kind::Verbatim }
        } else {
            expression(source, start).ok_or(start)?
        };
        at = m.range.end;
        found.push(m);
    }
    Ok(found)
}

fn expression(source: &str, start: usize) -> Option<Mustache> {
    let rest = &source[start..];
    let until = |mark: &str| rest.find(mark).map(|i| start + i + mark.len());
    if rest.starts_with("{{{{") {
        let close = rest.find("{{{{/")?;
        let end = start + close + rest[close..].find("}}}}")? + 4;
        return Some(Mustache { range: start..end, kind: Kind::Verbatim });
    }
    if rest.starts_with("{{!--") {
        return Some(Mustache { range: start..until("--}}")?, kind: Kind::Comment });
    }
    if rest.starts_with("{{!") {
        return Some(Mustache { range: start..until("}}")?, kind: Kind::Comment });
    }
    let mut end = start + close_of(&rest[2..])? + 2;
    if rest.starts_with("{{{") && source[end..].starts_with('}') {
        end += 1;
    }
    Some(Mustache { range: start..end, kind: kind_of(&source[start + 2..end - 2]) })
}

fn kind_of(inner: &str) -> Kind {
    let inner = inner.trim_start_matches('~').trim_start();
    match inner.as_bytes().first() {
        Some(b'#') => Kind::Open,
        Some(b'/') => Kind::Close,
        Some(b'^') => Kind::Else,
        Some(b'>' | b'*') => Kind::Partial,
        Some(b'{' | b'&') => Kind::Raw,
        _ => match inner.strip_prefix("else") {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '~', '\t', '\n', '\r']) => {
                Kind::Else
            }
            Some(_) | None => Kind::Value,
        },
    }
}

/// Length up to and including the `}}` that is not inside a string or brackets.
fn close_of(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut i = 0;
    while i < bytes.len() {
        match (quote, bytes[i]) {
            (Some(_), b'\\') => i += 1,
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b @ (b'"' | b'\'')) => quote = Some(b),
            (None, b'[') => i += text[i..].find(']').unwrap_or(0),
            (None, b'}') if bytes.get(i + 1) == Some(&b'}') => return Some(i + 2),
            (None, _) => {}
        }
        i += 1;
    }
    None
}

/// A source with its expressions, and the words that stand for them.
#[derive(Debug)]
pub(crate) struct Weave<'a> {
    pub source: &'a str,
    pub mustaches: Vec<Mustache>,
    prefix: String,
}

/// A word found in a text: which expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub index: usize,
    pub range: Range<usize>,
}

/// How an expression is written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Inside an attribute: always escaped.
    Attribute,
    /// At the start of a link: escaped, and the scheme is checked.
    LinkStart,
}

const DIGITS: usize = 5;

impl<'a> Weave<'a> {
    pub(crate) fn new(source: &'a str, mustaches: Vec<Mustache>) -> Self {
        let lower = source.to_ascii_lowercase();
        let prefix = ('a'..='z')
            .map(|c| format!("hb{c}q"))
            .find(|p| !lower.contains(p.as_str()))
            .unwrap_or_else(|| "hbzzzzzzq".to_owned());
        Self { source, mustaches, prefix }
    }

    /// The source with a word for each expression; comments vanish.
    pub(crate) fn shadow(&self) -> String {
        let mut out = String::with_capacity(self.source.len());
        let mut at = 0;
        for (i, m) in self.mustaches.iter().enumerate() {
            out.push_str(&self.source[at..m.range.start]);
            if m.kind != Kind::Comment {
                out.push_str(&self.word(i));
            }
            at = m.range.end;
        }
        out.push_str(&self.source[at..]);
        out
    }

    pub(crate) fn word(&self, index: usize) -> String {
        format!("{}{index:0width$}x", self.prefix, width = DIGITS)
    }

    /// All words in `text`, in order.
    pub(crate) fn words(&self, text: &str) -> Vec<Word> {
        let mut out = Vec::new();
        for (start, _) in text.match_indices(&self.prefix) {
            let tail = start + self.prefix.len();
            let index = text.get(tail..tail + DIGITS).and_then(|d| d.parse().ok());
            if let Some(index) = index.filter(|i| *i < self.mustaches.len())
                && text[tail + DIGITS..].starts_with('x')
            {
                out.push(Word { index, range: start..tail + DIGITS + 1 });
            }
        }
        out
    }

    /// The expression as written.
    pub(crate) fn text(&self, index: usize) -> &'a str {
        &self.source[self.mustaches[index].range.clone()]
    }

    /// Line and column in the source of the octet at `offset` of the shadow.
    pub(crate) fn position_of_shadow(&self, offset: usize) -> (usize, usize) {
        let (mut source_at, mut shadow_at) = (0, 0);
        for (i, m) in self.mustaches.iter().enumerate() {
            let gap = m.range.start - source_at;
            if shadow_at + gap > offset {
                break;
            }
            let width = if m.kind == Kind::Comment { 0 } else { self.word(i).len() };
            if offset < shadow_at + gap + width {
                return position(self.source, m.range.start);
            }
            shadow_at += gap + width;
            source_at = m.range.end;
        }
        position(self.source, source_at + offset.saturating_sub(shadow_at))
    }

    /// Line and column of an expression.
    pub(crate) fn position_of(&self, index: usize) -> (usize, usize) {
        position(self.source, self.mustaches[index].range.start)
    }

    /// The expression with a guard, for use inside an attribute.
    pub(crate) fn guarded(&self, index: usize, guard: Guard) -> String {
        let kind = self.mustaches[index].kind;
        let text = self.text(index);
        if !matches!(kind, Kind::Value | Kind::Raw) {
            return text.to_owned();
        }
        let inner = text.trim_start_matches(['{', '&', '~']).trim_end_matches(['}', '~']).trim();
        match guard {
            Guard::Attribute if kind == Kind::Value => text.to_owned(),
            Guard::Attribute => format!("{{{{{inner}}}}}"),
            // Our own links need no check, and a call needs its brackets to become an argument.
            Guard::LinkStart if crate::helpers::stands_alone(inner) => {
                format!("{{{{{inner}}}}}")
            }
            Guard::LinkStart if inner.contains(is_space) => {
                format!("{{{{safe_url ({inner})}}}}")
            }
            Guard::LinkStart => format!("{{{{safe_url {inner}}}}}"),
        }
    }
}

/// Where the expressions of a rewritten template stood in its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct PositionMap(Vec<((usize, usize), (usize, usize))>);

impl PositionMap {
    /// Entries must come in order of the rewritten template.
    pub(crate) fn push(&mut self, rewritten: (usize, usize), source: (usize, usize)) {
        self.0.push((rewritten, source));
    }

    /// The place in the source of what stands at `rewritten`: of the nearest expression before it.
    pub(crate) fn source(&self, rewritten: (usize, usize)) -> (usize, usize) {
        match self.0.partition_point(|(r, _)| *r <= rewritten) {
            0 => rewritten,
            n => self.0[n - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(Kind, &str)]) {
        let found = scan(source).unwrap();
        let got: Vec<_> = found.iter().map(|m| (m.kind, &source[m.range.clone()])).collect();
        assert_eq!(got, expected, "{source}");
    }

    #[test]
    fn expressions_are_found_with_their_kind() {
        check("a {{x}} b", &[(Kind::Value, "{{x}}")]);
        check("{{{x}}}{{&y}}", &[(Kind::Raw, "{{{x}}}"), (Kind::Raw, "{{&y}}")]);
        check(
            "{{#if x}}a{{else if y}}b{{^}}c{{/if}}",
            &[
                (Kind::Open, "{{#if x}}"),
                (Kind::Else, "{{else if y}}"),
                (Kind::Else, "{{^}}"),
                (Kind::Close, "{{/if}}"),
            ],
        );
        check(
            "{{elsewhere}}{{~else~}}",
            &[(Kind::Value, "{{elsewhere}}"), (Kind::Else, "{{~else~}}")],
        );
        check(
            "{{!-- }} --}}{{! x }}",
            &[(Kind::Comment, "{{!-- }} --}}"), (Kind::Comment, "{{! x }}")],
        );
        check("{{default x \"}}\"}}", &[(Kind::Value, "{{default x \"}}\"}}")]);
        check("{{[O'Neil}}]}}'", &[(Kind::Value, "{{[O'Neil}}]}}")]);
        check(r"\{{x}}", &[(Kind::Verbatim, r"\{{")]);
        check(
            "{{{{raw}}}} {{x}} {{{{/raw}}}}",
            &[(Kind::Verbatim, "{{{{raw}}}} {{x}} {{{{/raw}}}}")],
        );
    }

    #[test]
    fn an_expression_without_an_end_is_told_with_its_place() {
        assert_eq!(scan("ab\n {{x").unwrap_err(), 4);
        assert_eq!(position("ab\n é{{x", 6), (2, 3));
    }

    #[test]
    fn words_lead_back_to_their_expressions() {
        let source = "<p>{{a}}{{! no }}{{b}}</p>";
        let weave = Weave::new(source, scan(source).unwrap());
        let shadow = weave.shadow();
        assert!(!shadow.contains("{{"));
        let words = weave.words(&shadow);
        let texts: Vec<_> = words.iter().map(|w| weave.text(w.index)).collect();
        assert_eq!(texts, ["{{a}}", "{{b}}"]);
        assert_eq!(weave.position_of_shadow(words[1].range.start), (1, 18));
        assert_eq!(weave.position_of_shadow(shadow.len()), (1, source.len() + 1));
    }

    #[test]
    fn a_source_that_holds_a_word_gets_other_words() {
        let source = "hbaq00000x {{a}}";
        let weave = Weave::new(source, scan(source).unwrap());
        assert_eq!(weave.words(&weave.shadow()).len(), 1);
    }
}
